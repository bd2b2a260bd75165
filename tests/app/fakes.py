"""A pipeline that is there at once: the app's tests are about the app."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image

from sair_core.errors import EmptyMaskError, ModelNotFoundError
from sair_core.filling.result import FillResult
from sair_core.photos.masks import grow, mask_to_image
from sair_core.photos.photo import Photo
from sair_core.progress import Cancelled, Progress, never_cancelled, no_progress, raise_if_cancelled
from sair_core.semantics.map import SemanticMap
from sair_core.semantics.points import Labels, Points, check_points
from sair_core.semantics.words import EVERYTHING_ELSE, parse_labels
from sair_core.window import Window, resample

if TYPE_CHECKING:
    from sair_core.filling.priors import PriorView
    from sair_core.zoom.cache import FeatureCache

FAKE_TRAINER = (sys.executable, "-m", "tests.app.fake_trainer")
WAIT_SECONDS = 60  # a busy machine
COLOURS = {
    "sky": (90, 150, 230),
    "road": (100, 100, 105),
    "car": (200, 40, 40),
    EVERYTHING_ELSE: (40, 160, 60),
}


def street(height: int = 120, width: int = 160) -> np.ndarray:
    """A picture in the colours that ColourReader knows: sky over a road with two cars, a green bush."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = COLOURS["sky"]
    picture[height // 2 :] = COLOURS["road"]
    for left in (0.15, 0.6):
        rows = slice(int(height * 0.6), int(height * 0.8))
        picture[rows, int(width * left) : int(width * (left + 0.2))] = COLOURS["car"]
    picture[int(height * 0.4) : height // 2, : width // 10] = COLOURS[EVERYTHING_ELSE]
    return picture


class ColourReader:
    """A `contracts.Reader` that names pixels by their colours. model: not None where it completes what a hole
    hides (as road)."""

    def __init__(self, model: object = None):
        self.model = model
        self.reads = 0

    def read(self, rgb: np.ndarray, hole: np.ndarray | None = None, *, complete: bool = True) -> np.ndarray:
        self.reads += 1
        rgb = rgb.copy()
        if hole is not None:
            rgb[hole] = COLOURS["road"] if complete and self.model else COLOURS["sky"]
        return rgb

    def name(
        self, embedding: np.ndarray, labels: Sequence[str], *, window: Window | None = None
    ) -> SemanticMap:
        if window is not None:
            embedding = resample(embedding, window, "nearest")
        known = np.array([COLOURS.get(label, (255, 0, 255)) for label in labels], float)
        distance = np.linalg.norm(embedding[:, :, None] - known, axis=-1)
        confidence = 1 / (1 + distance.min(axis=-1) / 50)
        return SemanticMap(
            tuple(labels),
            distance.argmin(axis=-1).astype(np.uint8),
            confidence.astype(np.float32),
            embedding[::8, ::8].astype(np.float16) / 255,
        )


def gradient(height: int = 240, width: int = 320) -> np.ndarray:
    """A picture whose colour says where it is: red from left to right, green from top to bottom."""
    picture = np.full((height, width, 3), 40, np.uint8)
    picture[..., 0] = np.linspace(0, 255, width).round()
    picture[..., 1] = np.linspace(0, 255, height).round()[:, None]
    return picture


class MeanPipeline:
    """A `contracts.Pipeline` that fills with the mean of what is known, names by colour, and turns blue round
    where it enlarges."""

    device = "cpu"
    prepared: Photo | None = None

    def __init__(self, model: object = None):
        """model: as of ColourReader."""
        self.reader = ColourReader(model)

    def prepare(self, photo: Photo) -> None:
        self.prepared = photo

    def fill(
        self,
        photo: Photo,
        mask: np.ndarray,
        *,
        seed: int = 0,
        words: str | None = None,
        strength: float = 1.0,
        progress: Progress | None = None,
    ) -> FillResult:
        if not mask.any():
            raise EmptyMaskError("The mask is empty. Paint something.")
        if progress:
            progress(0.5, "Filling")
        mean01 = photo.rgb[~mask].mean(axis=0) / 255
        if words is not None:
            mean01 += strength * (np.array(COLOURS[words.strip()]) / 255 - mean01)
        filled = photo.composite(np.tile(mean01, (mask.sum(), 1)).astype(np.float32), mask)
        return FillResult(filled, mask, 0.1, seed)

    def variations(
        self,
        photo: Photo,
        mask: np.ndarray,
        count: int,
        *,
        seed: int = 0,
        words: str | None = None,
        strength: float = 1.0,
        texture: bool | None = None,
        source: np.ndarray | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> list[FillResult]:
        """Without texture, or without a source, the mean of all that is known; else that of the source."""
        fills = []
        for i in range(count):
            raise_if_cancelled(cancelled or never_cancelled)
            fill = self.fill(photo, mask, seed=seed + i, words=words, strength=strength, progress=progress)
            if texture and source is not None:
                mean01 = photo.rgb[source & ~mask].mean(axis=0) / 255
                filled = photo.composite(np.tile(mean01, (mask.sum(), 1)), mask)
                fill = FillResult(filled, mask, 0.1, seed + i)
            fills.append(fill)
        return fills

    def mask_from_words(self, photo: Photo, words: str) -> Image.Image:
        names = parse_labels(words)
        found = self.reader.name(photo.rgb, [*names, "sky", "road", EVERYTHING_ELSE])
        return mask_to_image(found.mask(names))

    def mask_from_points(
        self, photo: Photo, points: Points, labels: Labels | None = None, *, grow_px: float = 0.0
    ) -> np.ndarray:
        """What has the colour of a point inside, and of none outside."""
        points, inside = check_points(points, labels, photo.size_px)
        x, y = points.astype(int).T
        alike = (photo.rgb[:, :, None] == photo.rgb[y, x]).all(axis=-1)
        return grow(alike[..., inside].any(axis=-1) & ~alike[..., ~inside].any(axis=-1), grow_px)

    def view(
        self,
        photo: Photo,
        mask: np.ndarray | None = None,
        *,
        window: Window,
        cache: FeatureCache | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Image.Image:
        raise_if_cancelled(cancelled or never_cancelled)
        return Image.fromarray(self._enlarge(photo, mask, window))

    def export(
        self,
        photo: Photo,
        path: Path,
        *,
        mask: np.ndarray | None = None,
        window: Window,
        cache: FeatureCache | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> tuple[int, int]:
        rows = range(0, window.size_px[0], 64)
        for i in rows:
            self.begin_rows()
            (progress or no_progress)((i + 64) / (rows[-1] + 64), "Rendering")
            raise_if_cancelled(cancelled or never_cancelled)
        Image.fromarray(self._enlarge(photo, mask, window)).save(path)
        return window.size_px

    def begin_rows(self) -> None:
        """Called before every 64 rows of an export; here they take no time."""

    def _enlarge(self, photo: Photo, mask: np.ndarray | None, window: Window) -> np.ndarray:
        if mask is not None:
            photo = self.fill(photo, mask).photo
        rgb = resample(photo.rgb, window, "bicubic")
        rgb[..., 2] = 255 - rgb[..., 2]
        return rgb


class WhitePipeline(MeanPipeline):
    """Fills with white: another model."""

    def fill(
        self,
        photo: Photo,
        mask: np.ndarray,
        *,
        seed: int = 0,
        words: str | None = None,
        strength: float = 1.0,
        progress: Progress | None = None,
    ) -> FillResult:
        return FillResult(photo.composite(np.ones((mask.sum(), 3), np.float32), mask), mask, 0.1, seed)


class GreyPainter:
    """A `contracts.Painter`: a grey a seed, and stripes as its priors."""

    def __init__(self) -> None:
        self.drawn: list[int] = []  # the seeds so far

    @staticmethod
    def grey(seed: int) -> int:
        return 60 * seed % 256

    def variations(
        self,
        photo: Photo,
        mask: np.ndarray,
        count: int,
        *,
        seed: int = 0,
        words: str | None = None,
        strength: float = 1.0,
        texture: bool | None = None,
        source: np.ndarray | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> list[FillResult]:
        assert words is None and source is None and not texture  # which it cannot heed
        fills = []
        for i in range(count):
            raise_if_cancelled(cancelled or never_cancelled)
            self.begin_fill()
            (progress or no_progress)((i + 1) / (count + 1), f"Filling {i + 1} of {count}")
            self.drawn.append(seed + i)
            colours01 = np.full((mask.sum(), 3), self.grey(seed + i) / 255, np.float32)
            fills.append(FillResult(photo.composite(colours01, mask), mask, 0.1, seed + i))
        return fills

    def begin_fill(self) -> None:
        """Called before every fill; here it takes no time."""

    def priors(self, photo: Photo, mask: np.ndarray, *, seed: int = 0) -> list[PriorView]:
        # The real one brings torch, which takes seconds.
        views = [
            SimpleNamespace(
                seed=one,
                levels=tuple(np.tile(np.arange(n, dtype=np.uint8) % 8, (n, 1)) for n in (6, 12, 24)),
                strides_px=(8, 4, 2),
                rgb=np.full((48, 48, 3), self.grey(one), np.uint8),
            )
            for one in (seed, seed + 1)
        ]
        return cast("list[PriorView]", views)


def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def load_fake_reader(encoder: str, device: str) -> ColourReader:
    """Knows "RN50 openai" only, as a machine without network that has fetched it before."""
    if encoder == "RN50 openai":
        return ColourReader()
    raise ModelNotFoundError(
        f"{encoder} is not on this machine and could not be fetched. Connect to the network."
    )
