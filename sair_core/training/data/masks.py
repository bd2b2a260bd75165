"""Masks of a folder to train with, such as those of Liu et al. 2018, in the place of drawn ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from sair_core.errors import DataError, MaskError
from sair_core.photos.datasets import find_dataset, list_and_log
from sair_core.photos.masks import BINS, as_mask, hole_ratio

SIDE_PX = 256  # at which masks are kept; one bit a pixel, so that ten thousand take 80 MB


class MaskFolder:
    """Masks of a folder and below, PNG, white = hole, drawn from the bins of `BINS` in equal parts."""

    def __init__(self, folder: str | Path):
        """folder: of the masks of Liu et al. those for training. Masks that hide more than the last bin are
        left out. Raises DataError where none can be used."""
        dataset = find_dataset(folder)
        files = sorted(Path(folder).rglob("*.png")) if dataset is None else list_and_log(dataset, "train")
        with ThreadPoolExecutor() as pool:
            found = list(pool.map(_read, files))
        binned = [[np.packbits(m) for m in found if low < hole_ratio(m) <= high] for low, high in BINS]
        self.bins = [masks for masks in binned if masks]
        if not self.bins:
            raise DataError(
                f"{folder} holds no PNG mask that hides up to {BINS[-1][1]:.0%} of a picture. Give --masks "
                "another folder."
            )

    def draw(self, rng: np.random.Generator, size_px: int) -> np.ndarray:
        """Draw a mask, bool `(size_px, size_px)`, turned by quarters and mirrored at random."""
        masks = self.bins[rng.integers(len(self.bins))]
        bits = np.unpackbits(masks[rng.integers(len(masks))], count=SIDE_PX**2)
        mask = np.rot90(bits.reshape(SIDE_PX, SIDE_PX).astype(bool), int(rng.integers(4)))
        return _resize(np.ascontiguousarray(mask[:, ::-1] if rng.random() < 0.5 else mask), size_px)


def _read(path: Path) -> np.ndarray:
    """Read a mask, bool `(SIDE_PX, SIDE_PX)`; one of another shape is squeezed."""
    try:
        return _resize(as_mask(path), SIDE_PX)
    except MaskError as error:
        raise DataError(f"{path} cannot be trained with. {error}") from error


def _resize(mask: np.ndarray, side_px: int) -> np.ndarray:
    if mask.shape == (side_px, side_px):
        return mask
    image = Image.fromarray(mask).resize((side_px, side_px), Image.Resampling.NEAREST)
    return np.array(image, dtype=bool)
