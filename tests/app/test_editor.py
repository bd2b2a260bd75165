from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from app.display import Picture
from app.editor import SCRIPTS, SHEETS, STATIC, Answer, Request, css, handler, head, read_request, to_message


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


def test_everything_static_is_on_the_page_and_nothing_comes_from_outside():
    assert {f"{name}.js" for name in SCRIPTS} == {f.name for f in STATIC.glob("*.js")}
    assert {f.name for f in STATIC.glob("*.css")} == set(SHEETS)
    page = head() + css() + "".join(f.read_text("utf-8") for f in STATIC.glob("*.html"))
    assert "https://" not in page and "@import" not in page


def test_the_template_survives_gradio():
    # gr.HTML reads templates as Handlebars and as a JavaScript template string.
    for name in ("editor.html", "meaning.html"):
        template = (STATIC / name).read_text("utf-8")
        assert not any(sign in template for sign in ("{{", "${", "`", "\\"))
