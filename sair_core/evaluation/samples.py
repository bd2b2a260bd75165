"""The photos of an evaluation, and the irregular mask that belongs to each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sair_core.photos import masks
from sair_core.photos.datasets import list_photos_for
from sair_core.photos.folders import spread
from sair_core.photos.photo import load_photo
from sair_core.seeds import hole_generator

MIN_SIZE_PX = 32


@dataclass(frozen=True)
class Sample:
    """One photo of the evaluation. `index` is its place among all photos of the folder, limit or not."""

    index: int
    path: Path

    def load(self, size_px: int | None = None) -> np.ndarray:
        """uint8 (H, W, 3), or its centre square at (size_px, size_px, 3). Raises PhotoError."""
        rgb = load_photo(self.path).rgb
        return rgb if size_px is None else centre_square(rgb, size_px)


def list_samples(folder: str | Path, limit: int | None = None) -> list[Sample]:
    """Photos in `folder` and below, by path; with `limit`, that many spread evenly over the list.

    Of a set that `datasets` knows, those for testing. A PNG beside a JPEG of its name is a label map, not
    a photo. Raises DataError if nothing is left.
    """
    paths = list_photos_for("test", folder)
    samples = [Sample(i, path) for i, path in enumerate(paths)]
    return [samples[i] for i in spread(len(samples), limit)]


def centre_square(
    picture: np.ndarray, size_px: int, resampling: Image.Resampling = Image.Resampling.LANCZOS
) -> np.ndarray:
    """uint8 (H, W, ...) -> uint8 (size_px, size_px, ...); by default antialiased (Lanczos)."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(np.ascontiguousarray(picture[top : top + side, left : left + side]))
    return np.asarray(square.resize((size_px, size_px), resampling))


def drawn_mask(
    seed: int, photo_index: int, bin_index: int, size_px: tuple[int, int], bins: masks.Bins = masks.BINS
) -> np.ndarray:
    """An irregular mask, bool `size_px` (height, width), of a bin among `bins`."""
    rng = hole_generator(seed, photo_index, bin_index)
    return masks.irregular_mask(rng, size_px, bins[bin_index])
