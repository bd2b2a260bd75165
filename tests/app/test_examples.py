"""What docs/api.md says of the HTTP API, held against the app: its examples run as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import gradio_client
import numpy as np
import pytest
from PIL import Image

from app.page import build_app, launch_options
from app.serving.service import FillService
from tests.app.fakes import COLOURS, GreyPainter, MeanPipeline, street

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
PLAIN_TYPES = (
    "filepath",
    "str",
    "int",
    "float",
    "bool",
    "str | float | bool | list | dict",
)  # the last: JSON
ADDRESS = "http://127.0.0.1:7860"


def example(language: str, word: str) -> str:
    """The only example in a language that has this word."""
    (found,) = (
        block for block in re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.S | re.M) if word in block
    )
    return found


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    service = FillService(MeanPipeline, load_painter=GreyPainter)
    blocks = build_app(service, tmp_path_factory.mktemp("examples"))
    _, url, _ = blocks.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", share=False, **launch_options()
    )
    yield url.rstrip("/")
    blocks.close(verbose=False)


@pytest.fixture
def hole(tmp_path, monkeypatch):
    """The hole of mask.png, bool (120, 160); it and photo.jpg lie in the working directory."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(street()).save("photo.jpg", quality=100, subsampling=0)
    hole = np.zeros((120, 160), bool)
    hole[70:100, 20:60] = True
    Image.fromarray(hole).save("mask.png")
    return hole


def check_fill(path: Path | str, hole: np.ndarray) -> None:
    filled, photo = np.asarray(Image.open(path)), np.asarray(Image.open("photo.jpg"))
    assert np.array_equal(filled[~hole], photo[~hole]) and (filled[hole] != photo[hole]).any()


def test_python(url, hole):
    code = example("python", "gradio_client")
    assert ADDRESS in code
    names: dict = {}
    exec(compile(code.replace(ADDRESS, url), "docs/api.md", "exec"), names)
    check_fill(names["filled"], hole)
    meant = 0.8 * np.array(COLOURS["sky"]) + 0.2 * np.asarray(Image.open(names["filled"]))[hole][0]
    assert np.abs(np.asarray(Image.open(names["sky"]))[hole][0] - meant).max() <= 2
    assert [one["label"] for one in names["legend"]] == ["sky", "road", "everything else"]
    sizes = {name: Image.open(names[name]).size for name in ("found", "mask", "part", "large")}
    assert sizes == {"found": (160, 120), "mask": (160, 120), "part": (1024, 768), "large": (640, 480)}
    assert Image.open(names["large"]).format == "TIFF"
    thing = np.asarray(Image.open(names["thing"]).convert("L")) > 127
    assert thing.shape == (120, 160) and thing[80, 60] and not thing[30, 120]


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="curl and bash are missing")
def test_curl(url, hole):
    code = example("bash", "curl")
    assert ADDRESS in code
    subprocess.run(["bash", "-euo", "pipefail", "-c", code.replace(ADDRESS, url)], check=True, timeout=300)
    check_fill("filled.png", hole)
    assert (np.asarray(Image.open("car.png")) > 0).mean() == pytest.approx(0.08, abs=0.01)


def test_every_endpoint_is_typed_and_described(url):
    client = gradio_client.Client(url, verbose=False, analytics_enabled=False)
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    for name, about in endpoints.items():
        (row,) = re.findall(rf"^\| `{name}` \|(.*)\|.*\|$", TEXT, re.M)
        for parameter in about["parameters"]:
            called = parameter["parameter_name"]
            kind = parameter["python_type"]["type"].removesuffix(" | None")
            assert kind in PLAIN_TYPES or kind.startswith("Literal["), (name, kind)
            assert re.search(rf"\b{called}\b", about["description"]), (name, called)
            assert re.search(rf"\b{called}\b", row), (name, called)
        assert "Returns" in about["description"] and "Fails with" in about["description"]
    assert set(re.findall(r"^\| `(/\w+)` \|", TEXT, re.M)) == set(endpoints)
