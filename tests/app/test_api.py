import gradio_client
import numpy as np
import pytest
from gradio_client import handle_file
from PIL import Image

from app.service import FillService
from app.ui import build_app, launch_options
from tests.app.conftest import MeanPipeline


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    blocks = build_app(FillService(MeanPipeline), tmp_path_factory.mktemp("examples"))
    _, url, _ = blocks.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", share=False, **launch_options()
    )
    folder = tmp_path_factory.mktemp("downloads")
    yield gradio_client.Client(url, verbose=False, analytics_enabled=False, download_files=str(folder))
    blocks.close(verbose=False)


def test_only_fill_is_public_and_it_is_documented(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/fill"]
    parameters = {one["parameter_name"]: one for one in endpoints["/fill"]["parameters"]}
    assert list(parameters) == ["photo", "mask", "seed"]
    assert parameters["photo"]["python_type"]["type"] == "filepath"
    assert parameters["seed"]["python_type"]["type"] == "int" and parameters["seed"]["parameter_default"] == 0
    assert "white = fill" in endpoints["/fill"]["description"]


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
