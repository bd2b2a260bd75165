"""The small set in miniature, and no network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sair_core.encoders import semantic
from sair_core.errors import MissingDependencyError, ModelNotFoundError
from sair_core.evaluation import measure

FOLDERS = {"scenes/train": 4, "labelled/train": 3, "scenes/val": 3, "labelled/val": 2}
HEIGHT, WIDTH = 72, 80


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Waves with some noise; the lower half of those with labels is grass."""
    root = tmp_path / "data"
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for folder, count in FOLDERS.items():
        (root / folder).mkdir(parents=True)
        for i in range(count):
            waves = np.stack([np.sin((x * (i + 1) + y * (c + 1)) / 11 + c) for c in range(3)], axis=-1)
            rgb = 127 + 100 * waves + rng.normal(0, 5, (HEIGHT, WIDTH, 3))
            path = root / folder / f"{'ab'[i % 2]}_{i}.jpg"
            Image.fromarray(rgb.clip(0, 255).astype(np.uint8)).save(path)
            if folder.startswith("labelled"):
                ids = np.repeat(np.uint8([0, 1]), HEIGHT // 2)[:, None].repeat(WIDTH, axis=1)
                Image.fromarray(ids).save(path.with_suffix(".png"))
    classes = [{"id": 0, "name": "sky"}, {"id": 1, "name": "grass"}]
    (root / "labelled" / "classes.json").write_text(json.dumps({"classes": classes}))
    return root


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """What would be fetched cannot be had."""

    def unavailable() -> None:
        raise MissingDependencyError("no weights here.")

    def unreachable(*_) -> None:
        raise ModelNotFoundError("no network here.")

    monkeypatch.setattr(measure, "load_lpips", unavailable)
    monkeypatch.setattr(measure, "load_inception", unavailable)
    monkeypatch.setattr(semantic, "build_trunk", unreachable)


@pytest.fixture
def arguments(data):
    """Options that make everything as small as it can be."""
    return [
        "--data",
        str(data),
        "--steps",
        "2",
        "--batch",
        "2",
        "--size",
        "32",
        "--limit",
        "2",
        "--device",
        "cpu",
    ]
