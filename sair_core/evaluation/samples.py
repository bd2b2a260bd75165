"""The photos and masks of an evaluation: which photo meets which mask, reproducibly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sair_core.errors import ConfigError, DataError
from sair_core.photos import masks
from sair_core.photos.folders import photo_files, spread
from sair_core.photos.photo import load_photo

MIN_SIZE_PX = 32

Bin = tuple[float, float]
# (photo index, bin index) -> bool (size, size), or None if this bin has no mask.
MaskSource = Callable[[int, int], "np.ndarray | None"]


@dataclass(frozen=True)
class Sample:
    """One photo of the evaluation. `index` is its place among all photos of the folder, limit or not."""

    index: int
    path: Path

    def load(self, size_px: int) -> np.ndarray:
        """The centre square reduced (or enlarged) to uint8 (size_px, size_px, 3). Raises PhotoError."""
        return centre_square(load_photo(self.path).rgb, size_px)


def list_samples(folder: str | Path, limit: int | None = None) -> list[Sample]:
    """Photos in `folder` and below, by path; with `limit`, that many spread evenly over the list.

    A PNG beside a JPEG of the same name is a label map, not a photo. Raises DataError if nothing is left.
    """
    paths = photo_files([folder], recursive=True)
    samples = [Sample(i, path) for i, path in enumerate(paths)]
    return [samples[i] for i in spread(len(samples), limit)]


def centre_square(rgb: np.ndarray, size_px: int) -> np.ndarray:
    """uint8 (H, W, 3) -> uint8 (size_px, size_px, 3), antialiased (Lanczos)."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(np.ascontiguousarray(rgb[top : top + side, left : left + side]))
    return np.asarray(square.resize((size_px, size_px), Image.Resampling.LANCZOS))


def drawn_masks(seed: int, size_px: int) -> MaskSource:
    """Irregular masks that depend on the seed, the photo's index and the bin only."""

    def draw(photo_index: int, bin_index: int) -> np.ndarray:
        return drawn_mask(seed, photo_index, bin_index, (size_px, size_px))

    return draw


def drawn_mask(seed: int, photo_index: int, bin_index: int, size_px: tuple[int, int]) -> np.ndarray:
    """An irregular mask, bool `size_px` (height, width), of a bin of `masks.BINS`."""
    rng = np.random.default_rng([seed, photo_index, bin_index])
    return masks.irregular_mask(rng, size_px, masks.BINS[bin_index])


def masks_from_folder(folder: str | Path, size_px: int) -> MaskSource:
    """PNG masks (>= 128 = hole), each in the bin of its own hole share; photo i takes mask i, in a cycle.

    Raises DataError if the folder holds no usable mask, MaskError for a file that cannot be read.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("*.png")) if folder.is_dir() else []
    if not paths:
        raise DataError(f"{folder} holds no PNG mask: give --masks a folder of them, or 'irregular'.")
    binned: list[list[np.ndarray]] = [[] for _ in masks.BINS]
    for path in paths:
        mask = _read_mask(path, size_px)
        bin_index = bin_of(masks.hole_ratio(mask))
        if bin_index is not None:
            binned[bin_index].append(mask)
    if not any(binned):
        raise DataError(f"No mask in {folder} hides between 0 and {masks.BINS[-1][1]:.0%} of the picture.")

    def pick(photo_index: int, bin_index: int) -> np.ndarray | None:
        choices = binned[bin_index]
        return choices[photo_index % len(choices)] if choices else None

    return pick


def bin_of(hole_share: float) -> int | None:
    """Index in `masks.BINS` of a hole share in [0, 1], upper bound included; None for 0 and larger holes."""
    for index, (low, high) in enumerate(masks.BINS):
        if low < hole_share <= high:
            return index
    return None


def mask_source(source: str, seed: int, size_px: int) -> MaskSource:
    """`source`: "irregular" or a folder of PNG masks. Raises ConfigError, DataError, MaskError."""
    if size_px < MIN_SIZE_PX:
        raise ConfigError(f"The size must be at least {MIN_SIZE_PX} px, got {size_px}.")
    if seed < 0:
        raise ConfigError(f"The seed must not be negative, got {seed}.")
    return drawn_masks(seed, size_px) if source == "irregular" else masks_from_folder(source, size_px)


def _read_mask(path: Path, size_px: int) -> np.ndarray:
    # A mask file of another shape than square is squeezed: there is no photo that it belongs to.
    mask = Image.fromarray(masks.as_mask(path))
    return np.asarray(mask.resize((size_px, size_px), Image.Resampling.NEAREST), dtype=bool)
