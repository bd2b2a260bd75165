from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sair_core.pipeline import InpaintPipeline


class Desk:
    """A photo, a mask with a block of 10 x 10 px, and a folder for results."""

    def __init__(self, root: Path):
        self.photo, self.mask, self.out = root / "photo.png", root / "mask.png", root / "out"
        self.out.mkdir()
        ys, xs = np.mgrid[:40, :60]
        self.rgb = np.stack([xs * 4, ys * 6, 255 - xs], axis=-1).astype(np.uint8)
        self.hole = np.zeros((40, 60), bool)
        self.hole[10:20, 20:30] = True
        Image.fromarray(self.rgb).save(self.photo)
        Image.fromarray(self.hole).save(self.mask)

    def written(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir())


@pytest.fixture
def desk(tmp_path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def loaded(monkeypatch, tiny_pipe, spn_pipe) -> list[str]:
    """Names of the models that commands load; untrained ones are there in their place."""
    names: list[str] = []

    build = InpaintPipeline.from_pretrained

    def load(name: str, *, engine: str | None = None, device: str) -> InpaintPipeline:
        names.append(name)
        if engine is not None:
            return build(name, engine=engine, device=device)
        return {"spn-lite": spn_pipe}.get(name, tiny_pipe)

    monkeypatch.setattr(InpaintPipeline, "from_pretrained", load)
    return names
