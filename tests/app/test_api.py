import gradio_client
import numpy as np
import pytest
from gradio_client import handle_file
from PIL import Image

from app.service import FillService
from app.ui import build_app, launch_options
from tests.app.fakes import MeanPipeline, street


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
    assert list(endpoints) == ["/fill", "/semantics", "/mask_from_words"]
    names = {
        name: [one["parameter_name"] for one in about["parameters"]] for name, about in endpoints.items()
    }
    assert names == {
        "/fill": ["photo", "mask", "seed"],
        "/semantics": ["photo", "labels", "mask"],
        "/mask_from_words": ["photo", "words"],
    }
    photo, _, seed = endpoints["/fill"]["parameters"]
    assert photo["python_type"]["type"] == "filepath"
    assert seed["python_type"]["type"] == "int" and seed["parameter_default"] == 0
    _, labels, mask = endpoints["/semantics"]["parameters"]
    assert labels["python_type"]["type"] == "str" and mask["parameter_default"] is None
    assert "white = fill" in endpoints["/fill"]["description"]
    assert "palette PNG" in endpoints["/semantics"]["description"]
    assert "white = marked" in endpoints["/mask_from_words"]["description"]


def test_fill(client, photo_file, mask_file, noise):
    out = client.predict(handle_file(str(photo_file)), handle_file(str(mask_file)), 0, api_name="/fill")
    image = np.asarray(Image.open(out))
    hole = np.asarray(Image.open(mask_file)) > 0
    assert Image.open(out).format == "PNG"
    assert np.array_equal(image[~hole], noise[~hole]) and len(np.unique(image[hole], axis=0)) == 1


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


def test_wrong_words_are_messages(client, street_file):
    for arguments, endpoint in (
        ((street_file, " , "), "/semantics"),
        ((street_file, ""), "/mask_from_words"),
    ):
        with pytest.raises(gradio_client.exceptions.AppError, match="No label was given"):
            client.predict(*arguments, api_name=endpoint)
