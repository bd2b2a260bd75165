"""Models for folders that are there at once, in any process."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sair_core.errors import DeviceError
from sair_core.filling.result import FillResult
from sair_core.photos.masks import as_mask
from tests.app.fakes import MeanPipeline


@dataclass(frozen=True)
class FakeModel:
    """name: what its results depend on. log: a file that gets a line for every fill, `(H, W)` of the photo.
    kill_at: the process dies with the fill of that number, once."""

    name: str = "a"
    log: Path | None = None
    kill_at: int | None = None

    def digest(self) -> str:
        return self.name

    def load(self) -> MeanPipeline:
        if self.name == "broken":
            raise DeviceError("This machine has no device.")
        return LoggedPipeline(self)


class LoggedPipeline(MeanPipeline):
    def __init__(self, model: FakeModel):
        super().__init__()
        self.fake = model

    def fill(self, photo, mask, *, words=None, seed=0, strength=1.0, texture=None, source=None):
        if photo.size_px == (13, 13):
            raise RuntimeError("a bug")
        result = super().fill(photo, mask, words=words, seed=seed, strength=strength)
        if source is not None:
            mean01 = photo.rgb[as_mask(source, photo.size_px) & ~mask].mean(axis=0) / 255
            filled = photo.composite(np.tile(mean01, (mask.sum(), 1)), mask)
            result = FillResult(filled, mask, 0.1, seed, "taken from the source")
        if self.fake.log:
            with self.fake.log.open("a") as file:
                file.write(f"{photo.size_px}\n")
            fills = len(self.fake.log.read_text().splitlines())
            died = self.fake.log.with_suffix(".died")
            if self.fake.kill_at is not None and fills >= self.fake.kill_at and not died.exists():
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return result
