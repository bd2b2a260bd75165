"""The running app against those who do not mean well: paths, addresses, names, accounts."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import gradio_client
import httpx
import numpy as np
import pytest
from gradio.utils import get_upload_folder
from gradio_client import handle_file
from PIL import Image

from app.host.limits import limits
from app.page import build_app, launch_options
from app.serving.service import FillService
from tests.app.fakes import MeanPipeline

NAME = "anna-at-the-lake"


def launched(blocks, **options):
    _, url, _ = blocks.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", share=False, **launch_options(),
        **options,
    )  # fmt: skip
    return url


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    blocks = build_app(FillService(MeanPipeline, max_megapixels=1.0), tmp_path_factory.mktemp("examples"))
    yield launched(blocks)
    blocks.close(verbose=False)


@pytest.fixture
def client(url, tmp_path):
    return gradio_client.Client(url, verbose=False, analytics_enabled=False, download_files=str(tmp_path))


@pytest.fixture
def mask_file(tmp_path):
    mask = np.zeros((30, 40), np.uint8)
    mask[:9, :9] = 255
    path = tmp_path / f"{NAME}-mask.png"
    Image.fromarray(mask).save(path)
    return path


def asked(url: str, path: str) -> str:
    """What /view answers when it is given a path instead of an uploaded file."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    data = {"data": [file, None, 0, 0, 1, 16, 16]}
    response = httpx.post(f"{url}gradio_api/call/view", json=data, timeout=60)
    if response.status_code != 200:
        return f"refused {response.status_code}"
    event = response.json()["event_id"]
    return httpx.get(f"{url}gradio_api/call/view/{event}", timeout=60).text


def test_files_of_the_machine_are_not_served(url, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for path in (secret, Path("/etc/passwd"), Path("README.md").resolve(), Path("app.py")):
        response = httpx.get(f"{url}gradio_api/file={path}", timeout=60)
        assert response.status_code in (403, 404), path
    inside = f"{get_upload_folder()}/../{secret.relative_to('/')}"
    assert httpx.get(f"{url}gradio_api/file={inside}", timeout=60).status_code in (403, 404)


def test_files_of_the_machine_are_not_opened(url, tmp_path):
    photo = tmp_path / "private.png"
    Image.new("RGB", (40, 30)).save(photo)
    for path in (str(photo), "/etc/passwd", "../README.md"):
        answer = asked(url, path)
        assert "complete" not in answer and "error" in answer or answer.startswith("refused")


def test_addresses_are_not_fetched(url):
    for address in ("https://example.org/photo.png", "http://127.0.0.1:1/photo.png"):
        answer = asked(url, address)
        assert "event: error" in answer and "complete" not in answer
    with pytest.raises(gradio_client.exceptions.AppError, match="not fetched from addresses"):
        client = gradio_client.Client(url, verbose=False, analytics_enabled=False)
        client.predict(handle_file("https://example.org/photo.png"), api_name="/view")


def test_names_of_files_are_never_paths(url):
    outside = Path(get_upload_folder()).parent / "evil.png"
    files = {"files": ("../../evil.png", b"anything", "image/png")}
    kept = Path(json.loads(httpx.post(f"{url}gradio_api/upload", files=files, timeout=60).text)[0])
    assert kept.resolve().is_relative_to(Path(get_upload_folder()).resolve())
    assert not outside.exists()


def test_logs_name_no_file_of_a_visitor(client, mask_file, tmp_path, capfd, caplog):
    caplog.set_level(logging.INFO)
    photo = tmp_path / f"{NAME}.png"
    Image.new("RGB", (40, 30), (9, 9, 9)).save(photo)
    broken = tmp_path / f"{NAME}-broken.png"
    broken.write_bytes(b"nothing")
    out = client.predict(handle_file(str(photo)), handle_file(str(mask_file)), api_name="/fill")
    assert NAME not in out and Image.open(out).size == (40, 30)
    for arguments in ((broken, mask_file), (photo, broken)):
        with pytest.raises(gradio_client.exceptions.AppError) as caught:
            client.predict(*(handle_file(str(path)) for path in arguments), api_name="/fill")
        assert NAME not in str(caught.value) and get_upload_folder() not in str(caught.value)
    printed = capfd.readouterr()
    told = [r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    assert NAME not in printed.out + printed.err + "".join(told)


def test_large_photos_and_masks_are_refused_unseen(client, tmp_path, mask_file):
    Image.new("1", (4000, 3000)).save(tmp_path / "large.png")
    Image.new("RGB", (40, 30)).save(tmp_path / "small.png")
    large, small, mask = (
        handle_file(str(p)) for p in (tmp_path / "large.png", tmp_path / "small.png", mask_file)
    )
    with pytest.raises(gradio_client.exceptions.AppError, match="the limit is 1 megapixels"):
        client.predict(large, mask, api_name="/fill")
    with pytest.raises(gradio_client.exceptions.AppError, match="far larger than the photo"):
        client.predict(small, large, api_name="/fill")
    about = client.view_api(return_format="dict")["named_endpoints"]["/fill"]["description"]
    assert "up to 1 megapixels" in about


def test_hosts_take_less(monkeypatch):
    assert (limits().megapixels, limits().upload) == (50.0, "200mb")
    monkeypatch.setenv("SPACE_ID", "user/name")
    assert (limits().megapixels, limits().upload) == (16.0, "60mb")
    assert launch_options()["max_file_size"] == "60mb" and launch_options()["strict_cors"] is True


def test_only_who_has_an_account_gets_in(tmp_path):
    blocks = build_app(FillService(MeanPipeline), tmp_path)
    url = launched(blocks, auth=[("anna", "password")])
    try:
        assert httpx.get(f"{url}config", timeout=60).status_code == 401
        assert httpx.post(f"{url}gradio_api/upload", files={"files": b"x"}, timeout=60).status_code == 401
        assert asked(url, "/etc/passwd") == "refused 401"
        client = gradio_client.Client(url, auth=("anna", "password"), verbose=False, analytics_enabled=False)
        assert "/fill" in client.view_api(return_format="dict")["named_endpoints"]
    finally:
        blocks.close(verbose=False)
