import json
from pathlib import Path

import gradio_client
import numpy as np
import pytest
from gradio_client import handle_file
from PIL import Image

from app import api
from app.page import build_app, launch_options
from app.serving.service import FillService
from benchmarks.bodies import Body, connect, send_body, sound_values
from sair_core.errors import PhotoError
from tests.app.fakes import COLOURS, GreyPainter, MeanPipeline, street


@pytest.fixture
def street_file(tmp_path):
    path = tmp_path / "street.png"
    Image.fromarray(street()).save(path)
    return handle_file(str(path))


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    blocks = build_app(FillService(MeanPipeline), tmp_path_factory.mktemp("examples"))
    _, url, _ = blocks.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", share=False, **launch_options()
    )
    folder = tmp_path_factory.mktemp("downloads")
    yield gradio_client.Client(url, verbose=False, analytics_enabled=False, download_files=str(folder))
    blocks.close(verbose=False)


def test_what_is_public_is_documented(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    marking = ["/mask_from_words", "/mask_from_points"]
    assert list(endpoints) == ["/fill", "/fill_engine", "/semantics", *marking, "/view", "/export"]
    names = {
        name: [one["parameter_name"] for one in about["parameters"]] for name, about in endpoints.items()
    }
    assert names == {
        "/fill": ["photo", "mask", "seed", "words", "strength"],
        "/fill_engine": ["photo", "mask", "engine", "count", "seed", "words", "strength", "source"],
        "/semantics": ["photo", "labels", "mask"],
        "/mask_from_words": ["photo", "words"],
        "/mask_from_points": ["photo", "points", "labels", "grow_px"],
        "/view": ["photo", "mask", "centre_y", "centre_x", "scale", "width", "height"],
        "/export": ["photo", "scale", "format", "mask"],
    }
    photo, _, seed, words, _ = endpoints["/fill"]["parameters"]
    assert photo["python_type"]["type"] == "filepath"
    assert seed["python_type"]["type"] == "int | None" and seed["parameter_default"] == 0
    assert words["parameter_default"] == ""
    _, labels, mask = endpoints["/semantics"]["parameters"]
    assert labels["python_type"]["type"] == "str" and mask["parameter_default"] is None
    assert "white = fill" in endpoints["/fill"]["description"]
    assert "palette PNG" in endpoints["/semantics"]["description"]
    assert "1/64 to 64" in endpoints["/view"]["description"]
    assert "TIFF" in endpoints["/export"]["description"]
    assert "white = marked" in endpoints["/mask_from_words"]["description"]


@pytest.fixture(scope="module")
def spn_client(tmp_path_factory):
    service = FillService(MeanPipeline, load_painter=GreyPainter, guest="big-lama", load_guest=MeanPipeline)
    blocks = build_app(service, tmp_path_factory.mktemp("examples"))
    _, url, _ = blocks.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", share=False, **launch_options()
    )
    folder = tmp_path_factory.mktemp("downloads")
    yield gradio_client.Client(url, verbose=False, analytics_enabled=False, download_files=str(folder))
    blocks.close(verbose=False)


def test_variations(spn_client, photo_file, mask_file, noise):
    files = handle_file(str(photo_file)), handle_file(str(mask_file))
    hole = np.asarray(Image.open(mask_file)) > 0
    paths, seeds = spn_client.predict(*files, 3, 5, api_name="/variations")
    assert seeds == [5, 6, 7] and len(paths) == 3
    for path, seed in zip(paths, seeds):
        image = np.asarray(Image.open(path))
        assert np.array_equal(image[~hole], noise[~hole]) and (image[hole] == GreyPainter.grey(seed)).all()
    about = spn_client.view_api(return_format="dict")["named_endpoints"]["/variations"]
    assert "from 1 to 8" in about["description"] and about["parameters"][2]["parameter_default"] == 4
    with pytest.raises(gradio_client.exceptions.AppError, match="1 to 8 variations"):
        spn_client.predict(*files, 9, 0, api_name="/variations")


def test_every_endpoint_answers_what_the_fuzz_begins_with(spn_client):
    with connect(spn_client.src) as http:
        sound = sound_values(http)
        assert "/fill_engine" in sound and "/variations" in sound
        for endpoint, values in sound.items():
            body = Body(endpoint, json.dumps({"data": values}).encode())
            assert send_body(http, body) == ("answer", ""), endpoint


def test_a_session_without_a_name_is_refused_and_holds_up_nobody(client):
    with connect(client.src) as http:
        values = sound_values(http)["/fill"]
        for name, want in {"": "message", "mine": "answer"}.items():
            body = Body("/fill", json.dumps({"data": values, "session_hash": name}).encode())
            kind, text = send_body(http, body)
            assert kind == want, text


def test_requests_for_nothing_are_refused_in_words(client):
    with connect(client.src) as http:
        kind, text = send_body(http, Body("/nothing", b'{"data": []}'))
        assert kind == "message" and text.startswith("404") and "no such endpoint" in text
        unknown = {"data": [], "fn_index": 9999, "session_hash": "mine"}
        answer = http.post("queue/join", json=unknown)
        assert answer.status_code == 404 and "no such endpoint" in answer.text


@pytest.mark.parametrize("kind", ["call", "run", "api"])
def test_too_few_values_are_refused_in_words(client, kind):
    with connect(client.src) as http:
        answer = http.post(f"{kind}/fill", json={"data": [None]})
        fault = answer.json()["detail"][0]
        assert answer.status_code == 422 and fault["loc"] == ["body", "data"]
        assert "1 came" in fault["msg"] and fault["msg"].startswith("fill takes")
        answer = http.post("upload", files={"files": ("", b"x")})
        assert answer.status_code == 400 and "No file came" in answer.json()["detail"]


def test_fill_engine(spn_client, photo_file, mask_file, noise, tmp_path):
    files = handle_file(str(photo_file)), handle_file(str(mask_file))
    hole, source = np.asarray(Image.open(mask_file)) > 0, np.zeros((90, 120), np.uint8)
    source[:10, :20] = 255
    Image.fromarray(source).save(tmp_path / "source.png")
    paths, seeds = spn_client.predict(*files, "Natural", 2, 3, api_name="/fill_engine")
    assert seeds == [3, 4] and len(paths) == 2
    from_here = handle_file(str(tmp_path / "source.png"))
    (path,), _ = spn_client.predict(*files, source=from_here, api_name="/fill_engine")
    expected = noise[:10, :20].reshape(-1, 3).mean(axis=0)
    assert np.abs(np.asarray(Image.open(path))[hole] - expected).max() <= 1
    with pytest.raises(gradio_client.exceptions.AppError):
        spn_client.predict(*files, "Rough", api_name="/fill_engine")
    assert spn_client.predict(*files, "big-lama", api_name="/fill_engine")[1] == [0]


def test_fill(client, photo_file, mask_file, noise):
    out = client.predict(handle_file(str(photo_file)), handle_file(str(mask_file)), 0, api_name="/fill")
    image = np.asarray(Image.open(out))
    hole = np.asarray(Image.open(mask_file)) > 0
    assert Image.open(out).format == "PNG"
    assert np.array_equal(image[~hole], noise[~hole]) and len(np.unique(image[hole], axis=0)) == 1


def test_fill_with_words(client, photo_file, mask_file):
    files = handle_file(str(photo_file)), handle_file(str(mask_file))
    hole = np.asarray(Image.open(mask_file)) > 0

    def colour(words, strength):
        out = client.predict(*files, 0, words, strength, api_name="/fill")
        return np.asarray(Image.open(out))[hole][0].astype(int)

    car, half, none = colour("car", 1), colour("car", 0.5), colour("", 1)
    assert np.abs(car - COLOURS["car"]).max() <= 1
    assert np.abs(2 * half - car - none).max() <= 2


def test_errors_are_messages(client, photo_file, mask_file, tmp_path):
    Image.new("L", (120, 90)).save(tmp_path / "black.png")
    Image.new("L", (31, 90)).save(tmp_path / "other.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    cases = {
        "mask is empty": (photo_file, tmp_path / "black.png"),
        "31 x 90": (photo_file, tmp_path / "other.png"),
        "PNG or JPEG": (tmp_path / "broken.png", mask_file),
    }
    for text, (photo, mask) in cases.items():
        with pytest.raises(gradio_client.exceptions.AppError, match=text):
            client.predict(handle_file(str(photo)), handle_file(str(mask)), api_name="/fill")


def test_null_is_the_default_of_what_is_optional(client, photo_file, mask_file):
    photo, mask = handle_file(photo_file), handle_file(mask_file)
    plain = Path(client.predict(photo, mask, api_name="/fill")).read_bytes()
    nulls = Path(client.predict(photo, mask, None, None, None, api_name="/fill")).read_bytes()
    assert nulls == plain
    (path,), seeds = client.predict(photo, mask, *[None] * 6, api_name="/fill_engine")
    assert Path(path).read_bytes() == plain and seeds == [0]
    assert client.predict(photo, *[None] * 6, api_name="/view")
    assert client.predict(photo, None, None, None, api_name="/export")


def test_a_list_of_labels_is_read_as_one(client, street_file):
    listed = client.predict(street_file, ["sky", "road"], api_name="/semantics")[1]
    assert [one["label"] for one in listed] == ["sky", "road"]


@pytest.mark.parametrize(
    "endpoint, values, message",
    [
        ("/fill", {"strength": "much"}, "strength must be a number, not 'much'"),
        ("/fill", {"seed": True}, "seed must be a number, not True"),
        ("/fill", {"seed": 1.5}, "seed must be a whole number"),
        ("/fill", {"words": 7}, "words must be text, not 7"),
        ("/fill", {"words": "sky", "strength": 3}, "between 0 and 1"),
        ("/fill_engine", {"count": [1]}, r"count must be a number, not \[1\]"),
        ("/fill_engine", {"count": 1.5}, "count must be a whole number"),
        ("/fill_engine", {"engine": 5}, "engine must be text, not 5"),
        ("/fill_engine", {"engine": "magic"}, "'magic' is no engine here"),
        ("/fill_engine", {"count": 10**9}, "1 to"),
        ("/semantics", {"labels": None}, "label"),
        ("/semantics", {"labels": {"a": 1}}, "labels must be text"),
        ("/view", {"scale": [2]}, r"scale must be a number, not \[2\]"),
        ("/view", {"width": 10**12}, "px"),
        ("/view", {"width": 100.5}, "width must be a whole number"),
        ("/export", {"format": ["PNG", 1]}, "format must be text"),
    ],
)
def test_values_of_no_use_are_named(client, photo_file, mask_file, endpoint, values, message):
    files = {"photo": handle_file(photo_file)}
    if endpoint.startswith("/fill"):
        files["mask"] = handle_file(mask_file)
    with pytest.raises(gradio_client.exceptions.AppError, match=message):
        client.predict(**files, **values, api_name=endpoint)


def test_the_log_says_nothing_that_a_visitor_sent(client, mask_file, capfd):
    with pytest.raises(gradio_client.exceptions.AppError):
        client.predict("/home/alice/private-diagnosis.png", handle_file(mask_file), api_name="/fill")
    said = capfd.readouterr()
    assert "Traceback" in said.err and "private-diagnosis" not in said.err + said.out


def test_semantics(client, street_file, tmp_path):
    out, legend = client.predict(street_file, "sky, road, car", api_name="/semantics")
    image = Image.open(out)
    assert (image.format, image.mode, image.size) == ("PNG", "P", (160, 120))
    assert [one["label"] for one in legend] == ["sky", "road", "car"]
    for index, one in enumerate(legend):
        assert one["share"] == pytest.approx((np.asarray(image) == index).mean(), abs=1e-5)
        colour = image.getpalette()[3 * index : 3 * index + 3]
        assert one["colour"] == "#" + "".join(f"{value:02x}" for value in colour)

    hole = np.zeros((120, 160), np.uint8)
    hole[60:] = 255
    Image.fromarray(hole).save(tmp_path / "hole.png")
    _, hidden = client.predict(
        street_file, "sky, road, car", handle_file(str(tmp_path / "hole.png")), api_name="/semantics"
    )
    assert hidden[0]["share"] > 0.9  # what the fake takes for hidden, it takes for sky


def test_mask_from_words_gives_what_fill_takes(client, street_file):
    out = client.predict(street_file, "car", api_name="/mask_from_words")
    mask = np.asarray(Image.open(out))
    assert mask.shape == (120, 160) and set(np.unique(mask)) == {0, 255}
    assert (mask > 0).mean() == pytest.approx(0.08, abs=0.005)
    filled = np.asarray(Image.open(client.predict(street_file, handle_file(out), api_name="/fill")))
    assert np.array_equal(filled[mask == 0], street()[mask == 0])


CAR_XY = [30, 80]


def test_mask_from_points(client, street_file):
    def mark(*arguments, **options):
        out = client.predict(street_file, *arguments, api_name="/mask_from_points", **options)
        return np.asarray(Image.open(out)) > 0

    car = mark([CAR_XY], grow_px=0)
    assert np.array_equal(car, (street() == COLOURS["car"]).all(axis=-1))
    grown = mark([CAR_XY])
    assert grown[car].all() and grown.sum() > car.sum()  # for filling, by default
    assert not mark([CAR_XY, CAR_XY], [True, False], 0).any()


def test_wrong_points_are_messages(client, street_file):
    for arguments, message in (
        (([[900, 10]],), "outside the photo of 160 x 120 px"),
        (([[1, 1]], [False]), "No point is inside"),
        (([1, 2],), "Give each point as x and y"),
        ((None,), "pairs of numbers"),
        (([["a", "b"]],), "pairs of numbers"),
    ):
        with pytest.raises(gradio_client.exceptions.AppError, match=message):
            client.predict(street_file, *arguments, api_name="/mask_from_points")


def test_wrong_words_are_messages(client, street_file):
    for arguments, endpoint in (
        ((street_file, " , "), "/semantics"),
        ((street_file, ""), "/mask_from_words"),
    ):
        with pytest.raises(gradio_client.exceptions.AppError, match="No label was given"):
            client.predict(*arguments, api_name=endpoint)


def test_view(client, photo_file, mask_file, noise):
    photo = handle_file(str(photo_file))
    shown = np.asarray(Image.open(client.predict(photo, None, 0, 0, 1, 120, 90, api_name="/view")))
    assert np.array_equal(shown[..., :2], noise[..., :2])  # the fake turns blue round
    place = {"scale": 4, "width": 40, "height": 20, "centre_y": -1, "centre_x": -1}
    corner = Image.open(client.predict(photo, **place, api_name="/view"))
    assert corner.format == "PNG" and corner.size == (40, 20)
    assert not np.asarray(corner)[:9, :19, :2].any()  # outside the photo
    filled = client.predict(photo, handle_file(str(mask_file)), 0, 0, 1, 120, 90, api_name="/view")
    assert len(np.unique(np.asarray(Image.open(filled))[41:59, 51:79].reshape(-1, 3), axis=0)) == 1


def test_export(client, photo_file):
    photo = handle_file(str(photo_file))
    for format, suffix in (("PNG", ".png"), ("JPEG", ".jpg"), ("WebP", ".webp"), ("TIFF", ".tif")):
        path = client.predict(photo, 2.5, format, api_name="/export")
        assert path.endswith(suffix) and Image.open(path).size == (300, 225)


def test_an_export_that_fails_leaves_no_folder(client, photo_file, tmp_path, monkeypatch):
    def new_file(name):
        (tmp_path / "export").mkdir()
        return tmp_path / "export" / name

    def fail(*args, **options):
        raise PhotoError("This cannot be written.")

    monkeypatch.setattr(api, "new_file", new_file)
    monkeypatch.setattr(MeanPipeline, "export", fail)
    with pytest.raises(gradio_client.exceptions.AppError, match="cannot be written"):
        client.predict(handle_file(str(photo_file)), 2, "PNG", api_name="/export")
    assert not (tmp_path / "export").exists()


def test_sizes_that_cannot_be_are_messages(client, photo_file):
    photo = handle_file(str(photo_file))
    cases = [
        ((photo, None, 0, 0, 65, 100, 100), "/view", "between 1/64 and 64"),
        ((photo, None, 0, 0, 1, 5000, 100), "/view", "at most 1600 px a side"),
        ((photo, None, 0, 0, 1, 0, 100), "/view", "at least 1 x 1"),
        ((photo, 0.5, "PNG"), "/export", "from 1 to 64"),
    ]
    for arguments, endpoint, text in cases:
        with pytest.raises(gradio_client.exceptions.AppError, match=text):
            client.predict(*arguments, api_name=endpoint)


def test_a_shared_host_writes_less(client, photo_file, monkeypatch):
    monkeypatch.setenv("SAIR_HOSTED", "1")
    with pytest.raises(gradio_client.exceptions.AppError, match="at most 32 megapixels"):
        client.predict(handle_file(str(photo_file)), 64, "TIFF", api_name="/export")  # 44 megapixels
