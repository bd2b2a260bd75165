"""`benchmarks/batch.py`: the ways to do a folder are the same work."""

from __future__ import annotations

import importlib.util

from benchmarks import batch
from sair_core.pipeline import InpaintPipeline


def test_every_way_does_the_folder(tmp_path, monkeypatch, capsys, tiny_pipe):
    sizes = []
    fill = InpaintPipeline.fill

    def filled(self, photo, mask, **options):
        sizes.append(photo.size_px)
        return fill(self, photo, mask, **{**options, "texture": False})

    monkeypatch.setattr(batch.NamedModel, "load", lambda self: tiny_pipe)
    monkeypatch.setattr(InpaintPipeline, "fill", filled)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find_spec(name)
    )
    page = tmp_path / "page.md"
    page.write_text("<!-- batch -->\n<!-- /batch -->")
    assert batch.main(["--photos", "2", "--size", "48", "64", "--cores", "0", "--page", str(page)]) == 0
    shown = capsys.readouterr().out
    assert sizes == [(48, 64)] * 7  # one to warm up, and twice each way
    assert shown.strip() in page.read_text()
    assert "| fills alone |" in shown and "| 100% |" in shown and "| sair batch |" in shown
