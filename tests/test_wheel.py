"""The wheel: what is in it, and that it works where there is no checkout."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from sair_core import __version__
from tests.app.fakes import until

ROOT = Path(__file__).resolve().parents[1]
PHOTO = ROOT / "assets" / "examples" / "gull-on-sand.jpg"
MAX_BYTES = 100e6

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="scripts lie elsewhere")]


def pip(*arguments: object, python: object = sys.executable) -> None:
    options = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    command = [str(python), "-m", "pip", *map(str, arguments), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from the tree; without a network, as what builds it is here already."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", ".", "--no-build-isolation", "--wheel-dir", folder)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The `bin` of an environment that has the wheel, and of the checkout's environment the packages that the
    wheel needs."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=120)
    ask = [folder / "bin" / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.check_output(ask, text=True).strip())
    needed = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site / "needed.pth").write_text("\n".join(needed) + "\n", encoding="utf-8")
    pip("install", wheel, python=folder / "bin" / "python")
    return folder / "bin"


@pytest.fixture
def environment() -> dict[str, str]:
    """Nothing in it leads to the checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}


@pytest.fixture
def sair(installed, environment, tmp_path):
    """The command, in an empty folder."""

    def run(*arguments: object, status: int = 0) -> str:
        command = [installed / "sair", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == status, done.stderr
        return done.stdout

    return run


def test_it_holds_everything_and_nothing_else(wheel):
    assert wheel.stat().st_size < MAX_BYTES
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    about = f"sair_studio-{__version__}.dist-info"
    assert wheel.name == f"sair_studio-{__version__}-py3-none-any.whl"
    assert {name.split("/")[0] for name in names} == {"sair_core", "sair_studio", about}
    assert {
        "sair_core/py.typed", "sair_studio/py.typed", f"{about}/licenses/LICENSE", "sair_core/pipeline.py",
        "sair_studio/edit/static/editor.js", "sair_core/assets/vocabularies/ade20k.txt",
        "sair_core/assets/models/sair-lite/model.safetensors", f"sair_core/assets/examples/{PHOTO.name}",
    } <= names  # fmt: skip
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".pyi"))]
    tree = {
        name.replace("app/", "sair_studio/", 1) if name.startswith("app/") else
        name.replace("assets/", "sair_core/assets/", 1) if name.startswith("assets/") else name
        for name in tracked("sair_core", "app", "assets")
    }  # fmt: skip
    assert not tree - names


def tracked(*folders: str) -> list[str]:
    """The files of the tree that belong to it: all but what git ignores."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        return []
    command = ["git", "ls-files", *folders]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def test_its_metadata_says_what_it_needs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        about = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(about).decode()
    assert f"\nVersion: {__version__}\n" in text and "License-Expression: Apache-2.0" in text
    needed = [line for line in text.splitlines() if line.startswith("Requires-Dist: ")]
    declared = {re.match(r"Requires-Dist: ([\w.-]+)", line)[1].replace("_", "-") for line in needed}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = (line.partition(">")[0].replace("_", "-") for line in lines if not line.startswith("#"))
    assert not set(names) - declared


def test_it_fills_a_photo(sair, tmp_path):
    rgb = np.asarray(Image.open(PHOTO).convert("RGB"))
    hole = np.zeros(rgb.shape[:2], bool)
    hole[100:140, 120:180] = True
    Image.fromarray(hole).save(tmp_path / "mask.png")
    assert sair("--version") == f"sair {__version__}\n" and "sair fill" in sair()
    assert sair("fill", PHOTO, "mask.png", "-o", "filled.png") == "filled.png\n"
    filled = np.asarray(Image.open(tmp_path / "filled.png"))
    np.testing.assert_array_equal(filled[~hole], rgb[~hole])
    assert (filled[hole] != rgb[hole]).any(axis=-1).mean() > 0.5
    sair("fill", PHOTO, "mask.png", "-o", "filled.png", status=2)  # it is there already


def test_it_serves_its_page(installed, environment, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(tmp_path / "log", "w") as log:
        app = subprocess.Popen(
            [installed / "sair", "app", "--port", str(port)],
            cwd=tmp_path, env=environment | {"PYTHONFAULTHANDLER": "1"}, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        answers = []

        def answered() -> bool:
            assert app.poll() is None, (tmp_path / "log").read_text()
            try:
                answers.append(httpx.get(f"http://127.0.0.1:{port}/", timeout=60))
            except httpx.TransportError:
                return False
            return True

        until(answered)
        assert answers[0].status_code == 200
        assert "SAIR Studio" in answers[0].text and "sair-modules" in answers[0].text
        os.killpg(app.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            app.wait(timeout=60)
    finally:
        if app.poll() is None:
            app.send_signal(signal.SIGABRT)  # where it hangs is in the log then
            app.wait()
    said = (tmp_path / "log").read_text()
    assert app.returncode == 0 and "Traceback" not in said, said


def test_it_lays_out_a_space(sair, installed, environment, tmp_path):
    listed = sair("space", "--repo", "user/name", "--dry-run")
    files = {line.split("MB")[1].strip() for line in listed.splitlines() if " MB  " in line}
    assert {
        "app.py", "app/page.py", "app/edit/static/editor.js", "sair_core/pipeline.py", "README.md", "LICENSE",
        "requirements.txt", "assets/models/sair-lite/model.safetensors",
    } <= files  # fmt: skip
    assert not [name for name in files if name.startswith("sair_core/assets/")]
    code = "from pathlib import Path; from sair_studio.host.space import lay_out; lay_out(Path('space'))"
    for command in ([installed / "python", "-c", code], [sys.executable, "space/app.py", "--help"]):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "--max-megapixels" in done.stdout
    assert (tmp_path / "space" / "README.md").read_text(encoding="utf-8").startswith("---\ntitle: ")
    needed = (tmp_path / "space" / "requirements.txt").read_text(encoding="utf-8")
    assert "torch>=" in needed and "extra" not in needed and "ray" not in needed
