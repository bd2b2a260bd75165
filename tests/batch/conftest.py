from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from sair_core.batch import __main__ as cli
from tests.app.fakes import street
from tests.batch.fakes import FakeModel

SIZES = {"a.png": (40, 60), "b.jpg": (41, 60), "c.webp": (42, 60), "d.tif": (43, 60), "e.bmp": (44, 60)}


class Folders:
    """`photos`, `masks` and `out` in one place, and the command on them."""

    def __init__(self, root):
        self.root = root
        self.photos, self.masks, self.out = root / "photos", root / "masks", root / "out"
        self.log = root / "fills.log"
        self.photos.mkdir()
        self.masks.mkdir()
        for name, (height, width) in SIZES.items():
            self.add(name, height, width)

    def add(self, name: str, height: int, width: int) -> None:
        """A photo of this size, and a mask with a block of 10 x 10 px."""
        Image.fromarray(street(height, width)).save(self.photos / name)
        mask = np.zeros((height, width), np.uint8)
        mask[:10, 5:15] = 255
        Image.fromarray(mask).save(self.masks / f"{name.split('.')[0]}.png")

    def arguments(self, *more: str) -> list[str]:
        what = () if "--words" in more or "--mask" in more else ("--mask", str(self.masks))
        return ["--image", str(self.photos), "--output", str(self.out), *what, *more]

    def run(self, *more: str, **model: object) -> int:
        return cli.main(self.arguments(*more), FakeModel(log=self.log, **model))

    def report(self) -> dict[str, dict]:
        lines = [json.loads(line) for line in (self.out / "report.jsonl").read_text().splitlines()]
        assert len({line["name"] for line in lines}) == len(lines)
        return {line["name"]: line for line in lines}

    def statuses(self) -> list[str]:
        return [line["status"] for line in self.report().values()]

    def fills(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def folders(tmp_path) -> Folders:
    """Five photos, one of each format, `a.png` to `e.bmp`, with masks."""
    return Folders(tmp_path)
