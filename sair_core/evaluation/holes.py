"""Where the holes of an evaluation come from: which photo gets which holes, reproducibly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from sair_core.errors import ConfigError, DataError
from sair_core.evaluation import objects
from sair_core.evaluation.samples import MIN_SIZE_PX, Sample, drawn_mask
from sair_core.photos import masks
from sair_core.photos.datasets import find_dataset, list_and_log
from sair_core.seeds import hole_generator

IRREGULAR, OBJECTS, ELLIPSES = "irregular", "objects", "ellipses"


class Hole(NamedTuple):
    """bin: the row of the table that it counts for; mask: bool `(H, W)`, True = hole."""

    bin: str
    mask: np.ndarray


class HoleSource(Protocol):
    """Gives every photo its holes, the same ones each time, whatever other photos there are."""

    @property
    def settings(self) -> Mapping[str, object]:
        """What the holes depend on beside the photo, as JSON has it."""

    def __call__(self, sample: Sample, size_px: tuple[int, int]) -> Iterator[Hole]:
        """The holes of a photo of `size_px` (height, width)."""


@dataclass(frozen=True)
class IrregularHoles:
    """A mask of strokes and shapes for each bin, drawn from the seed, the photo's index and the bin."""

    seed: int
    bins: masks.Bins = masks.BINS

    @property
    def settings(self) -> dict[str, object]:
        return {"masks": IRREGULAR, "seed": self.seed, "bins": [masks.bin_name(one) for one in self.bins]}

    def __call__(self, sample: Sample, size_px: tuple[int, int]) -> Iterator[Hole]:
        for i, bin_range in enumerate(self.bins):
            yield Hole(masks.bin_name(bin_range), drawn_mask(self.seed, sample.index, i, size_px, self.bins))


class FolderHoles:
    """PNG masks in a folder and below (>= 128 = hole), each in its share's bin.

    Of a bin's masks photo i takes number i, in a cycle. They are opened again for every photo, so that Liu's
    12,000 need no memory.
    Raises DataError if the folder holds no usable mask, MaskError for a file that cannot be read.
    """

    def __init__(self, folder: str | Path, size_px: int, bins: masks.Bins = masks.BINS):
        """size_px: the side of the photos, which are square; a mask of another shape is squeezed."""
        folder = Path(folder)
        dataset = find_dataset(folder)
        if dataset is not None:
            paths = list_and_log(dataset, "test")
        else:
            paths = sorted(folder.rglob("*.png")) if folder.is_dir() else []
        if not paths:
            drawn = f"'{IRREGULAR}', '{OBJECTS}' or '{ELLIPSES}'"
            raise DataError(f"{folder} holds no PNG mask: give --masks a folder of them, {drawn}.")
        binned: list[list[Path]] = [[] for _ in bins]
        for path in paths:
            bin_index = bin_of(masks.hole_ratio(_read_mask(path, size_px)), bins)
            if bin_index is not None:
                binned[bin_index].append(path)
        if not any(binned):
            raise DataError(
                f"No mask in {folder} hides between 0 and {bins[-1][1]:.0%} of the picture. Give others."
            )
        self.size_px = size_px
        self.binned = {masks.bin_name(one): found for one, found in zip(bins, binned) if found}
        counts = {name: len(found) for name, found in self.binned.items()}
        self.settings: Mapping[str, object] = {"masks": str(folder), "count": counts}

    def __call__(self, sample: Sample, size_px: tuple[int, int]) -> Iterator[Hole]:
        for name, choices in self.binned.items():
            yield Hole(name, _read_mask(choices[sample.index % len(choices)], self.size_px))


@dataclass(frozen=True)
class ObjectHoles:
    """One hole of an object's size for each photo: the outline of a labelled object, else ellipses.

    outlines: False gives ellipses everywhere.
    """

    seed: int
    outlines: bool = True

    @property
    def settings(self) -> dict[str, object]:
        drawn = {"seed": self.seed, "ellipses": list(objects.ELLIPSES), "ellipses_share": list(objects.SHARE)}
        if not self.outlines:
            return {"masks": ELLIPSES, **drawn}
        real = {"outlines_share": list(objects.OBJECT_SHARE), "outlines_grown_px": objects.GROW_PX}
        return {"masks": OBJECTS, **drawn, **real}

    def __call__(self, sample: Sample, size_px: tuple[int, int]) -> Iterator[Hole]:
        rng = hole_generator(self.seed, sample.index)
        labels = objects.read_labels(sample.path, size_px) if self.outlines else None
        outlines = [] if labels is None else objects.object_outlines(*labels)
        if outlines:
            yield Hole(OBJECTS, outlines[rng.integers(len(outlines))].mask)
        else:
            yield Hole(OBJECTS, objects.ellipse_mask(rng, size_px))


def hole_source(source: str, seed: int, size_px: int | None, bins: masks.Bins = masks.BINS) -> HoleSource:
    """source: "irregular", "objects", "ellipses" or a folder of PNG masks.

    bins: of irregular masks and those of a folder.
    size_px: the side of photos that are cut to a square; None: they keep their own size.
    Raises ConfigError, DataError, MaskError.
    """
    if seed < 0:
        raise ConfigError(f"The seed must not be negative, got {seed}.")
    if source in (OBJECTS, ELLIPSES):
        if size_px is not None:
            raise ConfigError("Holes of objects' size are for photos of their own size: leave --size out.")
        return ObjectHoles(seed, outlines=source == OBJECTS)
    if size_px is None or size_px < MIN_SIZE_PX:
        raise ConfigError(f"The size must be at least {MIN_SIZE_PX} px, got {size_px}.")
    return IrregularHoles(seed, bins) if source == IRREGULAR else FolderHoles(source, size_px, bins)


def bin_of(hole_share: float, bins: masks.Bins = masks.BINS) -> int | None:
    """Index in `bins` of a hole share in [0, 1], upper bound included; None for 0 and larger holes."""
    for index, (low, high) in enumerate(bins):
        if low < hole_share <= high:
            return index
    return None


def _read_mask(path: Path, size_px: int) -> np.ndarray:
    mask = Image.fromarray(masks.as_mask(path))
    return np.asarray(mask.resize((size_px, size_px), Image.Resampling.NEAREST), dtype=bool)
