"""The app ended in the middle of its work, and started again on the same folders."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from app import api
from benchmarks.serving import running_app
from tests.app.fakes import until

SLOW_APP = ("-m", "tests.app.slow_app")


def finished(folder: Path) -> list[Path]:
    """Files under their final names, each of which can be read to its end. They lie in folders of their own;
    what Gradio has only begun to take lies beside these."""
    files = [path for path in folder.glob("*/*") if path.is_file() and not path.name.startswith(".")]
    for path in files:
        Image.open(path).load()
    return files


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_an_app_that_was_killed_in_mid_fill_goes_on_when_it_is_started_again(
    photo_file, mask_file, noise, tmp_path
):
    served, begun = tmp_path / "served", tmp_path / "begun"
    with running_app(command=[*SLOW_APP, "--begun", str(begun)], files=served) as (
        url,
        pid,
    ):
        data = [
            {"path": httpx.post(f"{url}gradio_api/upload", files={"files": (path.name, path.read_bytes())},
                                timeout=60).json()[0], "meta": {"_type": "gradio.FileData"}}
            for path in (photo_file, mask_file)
        ]  # fmt: skip
        endpoint = httpx.get(f"{url}gradio_api/info", timeout=60).json()["named_endpoints"]["/fill"]
        data += [one["parameter_default"] for one in endpoint["parameters"][2:]]
        httpx.post(f"{url}gradio_api/call/fill", json={"data": data}, timeout=60).raise_for_status()
        until(begun.exists)
        os.killpg(pid, signal.SIGKILL)
    assert {path.name for path in finished(served)} == {"photo.png", "mask.png"}

    with running_app(command=SLOW_APP, files=served) as (url, _):
        event = httpx.post(f"{url}gradio_api/call/fill", json={"data": data}, timeout=60).json()["event_id"]
        assert "event: complete" in httpx.get(f"{url}gradio_api/call/fill/{event}", timeout=60).text
        (result,) = (path for path in finished(served) if path.name == "filled.png")
        filled, hole = np.asarray(Image.open(result)), np.asarray(Image.open(mask_file)) > 0
        assert np.array_equal(filled[~hole], noise[~hole]) and not np.array_equal(filled, noise)


def test_a_result_whose_writing_is_cut_off_has_no_final_name(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "new_file", lambda name: tmp_path / name)
    whole = Path.write_bytes

    def cut_off(path: Path, data: bytes):
        whole(path, data[: len(data) // 2])
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", cut_off)
    with pytest.raises(OSError):
        api._write(b"picture", "filled.png")
    assert not list(tmp_path.iterdir())
