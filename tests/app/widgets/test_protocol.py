from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio.processing_utils import move_files_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from app.widgets.files import new_file
from app.widgets.pictures import Picture
from app.widgets.protocol import Answer, Request, handler, read_request, to_message
from sair_core.window import Window


@pytest.fixture
def uploaded():
    folder = Path(get_upload_folder()) / "sair-test"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mask.png"
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(path)
    yield path
    path.unlink()


def test_a_request_is_read(uploaded):
    payload = {"open": True, "base": "2", "shown": "3", "mask": {"path": str(uploaded)}, "box": [1, 2, 3, 4]}
    request = read_request(payload)
    assert request == Request(open=True, base="2", shown="3", mask=uploaded.resolve(), box=(1, 2, 3, 4))
    assert read_request(None) == Request()
    chosen = read_request({"seen": "1", "label": 2, "at": [3.0, 4], "add": True})
    assert chosen == Request(seen="1", label=2, at=(3, 4), add=True)
    assert read_request({"seed": 7.0}) == Request(seed=7)
    place = {"top": 1.5, "left": 2, "scale": 2, "width": 30, "height": 20}
    zoomed = read_request({"window": place, "against": "nearest", "number": 7})
    assert zoomed == Request(window=Window(1.5, 2.0, 2.0, (20, 30)), against="nearest", number=7)


@pytest.mark.parametrize(
    "payload",
    [
        {"file": {"path": "/etc/passwd"}},
        {"mask": {"path": "../../etc/passwd"}},
        {"file": {"path": get_upload_folder() + "/../../etc/passwd"}},
        {"file": {}},
        {"file": "x"},
        {"box": 7},
        {"box": ["a"]},
        {"box": [1, 2]},
        {"at": [1]},
        {"label": "road"},
        {"window": [1, 2]},
        {"window": {"top": 0, "left": 0, "scale": 1, "width": 0, "height": 10}},
        {"window": {"top": 0, "left": 0, "scale": 65, "width": 10, "height": 10}},
        {"window": {"top": float("nan"), "left": 0, "scale": 1, "width": 10, "height": 10}},
        {"window": {"top": 0, "left": 0}},
        {"number": "x"},
        ["no dict"],
    ],
)
def test_other_files_and_nonsense_are_refused(payload):
    with pytest.raises(gr.Error):
        read_request(payload)


def test_an_answer_carries_files_that_gradio_serves():
    picture = Picture(b"bytes of a picture", "png", 1, 2, 3, 4)
    message = to_message(
        Answer("download", "good", "Saved.", (picture,), b"file", "sair-mask.png", {"result": "1"})
    )
    assert message["notice"] == {"level": "good", "text": "Saved."}
    assert message["result"] == "1" and message["name"] == "sair-mask.png"
    assert Path(message["file"]["path"]).read_bytes() == b"file"
    shown = message["pictures"][0]
    assert [shown[key] for key in ("x", "y", "width", "height")] == [1, 2, 3, 4]
    assert Path(shown["file"]["path"]).is_relative_to(get_upload_folder())


def test_a_file_on_disk_is_offered_as_it_lies():
    path = new_file("photo-2x.tif")
    path.write_bytes(b"large")
    message = to_message(Answer("download", file=path, name=path.name))
    assert message["file"]["path"] == str(path) and message["name"] == "photo-2x.tif"
    assert path.is_relative_to(get_upload_folder())  # Gradio copies what lies elsewhere
    assert new_file("photo-2x.tif") != path


def test_a_picture_on_disk_is_shown_as_it_lies():
    path = new_file("view.png")
    path.write_bytes(b"picture")
    message = to_message(Answer("view", pictures=(Picture(path, "png", 1, 2, 3, 4),)))
    widget = gr.HTML()
    sent = move_files_to_cache(message, widget, postprocess=True)["pictures"][0]["file"]
    assert sent["path"] == str(path) and str(path) in widget.temp_files  # it goes with all others


def test_no_two_answers_are_equal():
    assert to_message(Answer("notice", text="a")) != to_message(Answer("notice", text="a"))


def test_handler_wraps_functions_tuples_and_generators():
    def plain(request, extra):
        return Answer("notice", text=extra)

    def pair(request):
        return Answer("notice"), "session"

    def stream(request):
        yield Answer("progress")
        yield Answer("result")

    assert handler(plain)({}, "hello")["notice"]["text"] == "hello"
    assert handler(pair)({})[1] == "session"

    def stream_of_pairs(request):
        yield Answer("progress"), "chosen"

    assert [message["kind"] for message in handler(stream)({})] == ["progress", "result"]
    ((message, chosen),) = handler(stream_of_pairs)({})
    assert (message["kind"], chosen) == ("progress", "chosen")
