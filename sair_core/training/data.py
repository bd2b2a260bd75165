"""A flat folder of photos becomes training samples: a small photo with a hole, and pixels to predict."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Sampler

from sair_core.errors import DataError, PhotoError
from sair_core.folders import VOID, Classes, label_map_of, read_label_map
from sair_core.images import load_photo
from sair_core.masks import BINS, irregular_mask

logger = logging.getLogger(__name__)

T = TypeVar("T")

NEAREST = Image.Resampling.NEAREST
MIN_SIDE_PX = 64
MAX_SIDE_PX = 1024  # photos are kept in memory at most this large
FINER_PARTS = (2, 4)  # pictures a side in the place of one, where finer pixels are asked for


@dataclass(frozen=True, eq=False)
class TrainPhoto:
    """rgb uint8 `(H, W, 3)`; ids uint8 `(H, W)` of classes, 255 = void, None without a label map.

    partial: only the named figure is labelled, so void may be anything.
    """

    rgb: np.ndarray
    ids: np.ndarray | None = None
    partial: bool = False


def load_photos(paths: list[Path], classes: Classes | None = None) -> list[TrainPhoto]:
    """Decode photos once into memory, long side at most MAX_SIDE_PX; with `classes`, their label maps, too.

    Unreadable and tiny ones are logged and skipped. Raises DataError when none is left.
    """

    def load(path: Path) -> TrainPhoto | None:
        try:
            rgb = load_photo(path).rgb
            ids = None
            if classes is not None and label_map_of(path) is not None:
                ids = read_label_map(label_map_of(path), rgb.shape[:2], len(classes.names))
        except (PhotoError, DataError) as error:
            logger.warning("skipped %s: %s", path.name, error)
            return None
        if min(rgb.shape[:2]) < MIN_SIDE_PX:
            logger.warning("skipped %s: %d x %d px is too small", path.name, rgb.shape[1], rgb.shape[0])
            return None
        if max(rgb.shape[:2]) > MAX_SIDE_PX:
            image = Image.fromarray(rgb)
            image.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Image.Resampling.LANCZOS)
            rgb = np.asarray(image)
            ids = None if ids is None else np.asarray(Image.fromarray(ids).resize(image.size, NEAREST))
        return TrainPhoto(rgb, ids, classes is not None and classes.is_partial(path))

    with ThreadPoolExecutor() as pool:
        photos = [photo for photo in pool.map(load, paths) if photo is not None]
    if not photos:
        raise DataError(f"None of the {len(paths)} photos can be used; the log above says why for each.")
    return photos


def split(photos: Sequence[T], share: float, seed: int) -> tuple[list[T], list[T]]:
    """`(training, validation)`: a seeded random share, at least one photo, is held back for validation.

    Raises DataError when there are not two photos to split.
    """
    if len(photos) < 2:
        raise DataError("One photo is not enough to train and to validate. Add photos, or give --val.")
    order = np.random.default_rng([seed, 1]).permutation(len(photos))
    count = min(max(1, round(share * len(photos))), len(photos) - 1)
    held = set(order[:count].tolist())
    return [p for i, p in enumerate(photos) if i not in held], [p for i, p in enumerate(photos) if i in held]


class FillSamples(Dataset):
    """Sample `i` depends on `(seed, i)` alone, so a run can be continued anywhere.

    A sample is a stack of k pictures: `rgb01 (k, 3, S, S)`, `hole01 (k, 1, S, S)`, and what is asked of each,
    `coords_yx (k, Q, 2)`, `cell (k, 2)`, `target01 (k, Q, 3)`, `inside (k, Q)`: whether in the hole, `ids
    (k, Q)`: the pixels' classes, 255 where nobody knows. In most batches k is 1 and the target is as fine as
    the picture. In a share of them k pictures of a part of `size_px` are asked for up to `scale_max` times
    finer pixels; half of those have no hole.
    """

    def __init__(
        self,
        photos: list[TrainPhoto],
        *,
        size_px: int,
        queries: int,
        hole_share: float,
        batch: int = 1,
        scale_share: float = 0.0,
        scale_max: float = 1.0,
        seed: int = 0,
    ):
        self.photos, self.size_px, self.queries = photos, size_px, queries
        self.hole_share, self.seed = hole_share, seed
        self.batch, self.scale_share, self.scale_max = batch, scale_share, scale_max

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng([self.seed, 2, index])
        # One batch has pictures of one size.
        of_batch = np.random.default_rng([self.seed, 4, index // self.batch])
        finer = of_batch.random() < self.scale_share
        parts = int(of_batch.choice(FINER_PARTS)) if finer else 1
        pictures = [
            self._picture(rng, index * parts**2 + i, self.size_px // parts, finer) for i in range(parts**2)
        ]
        return {name: torch.stack([one[name] for one in pictures]) for name in pictures[0]}

    def _picture(
        self, rng: np.random.Generator, place: int, size_px: int, finer: bool
    ) -> dict[str, torch.Tensor]:
        photo = self._photo(place)
        scale = rng.uniform(1, self.scale_max) if finer else 1.0
        cut = _random_square(photo.rgb, rng, round(size_px * scale))
        part = cut(photo.rgb)
        # The target is as fine as was asked, or as the photo is.
        fine_px = max(size_px, min(round(size_px * scale), len(part)))
        fine = _resized(part, fine_px)
        coarse = fine if fine_px == size_px else _resized(fine, size_px, Image.Resampling.BICUBIC)
        mask = np.zeros((size_px, size_px), bool)
        if not finer or rng.random() < 0.5:
            mask = irregular_mask(rng, (size_px, size_px), BINS[rng.integers(len(BINS))])
        at = _nearest(size_px, fine_px)
        fine_mask = mask if fine_px == size_px else mask[at][:, at]
        chosen = self._choose(rng, fine_mask, round(self.queries * (size_px / self.size_px) ** 2))
        rows, columns = np.divmod(chosen, fine_px)
        coords = np.stack([(2 * rows + 1) / fine_px - 1, (2 * columns + 1) / fine_px - 1], axis=1)
        ids = np.full(len(chosen), VOID, np.uint8)
        if photo.ids is not None:
            at = _nearest(len(part), fine_px)
            ids = cut(photo.ids)[at[rows], at[columns]]
        return {
            "rgb01": torch.from_numpy(np.ascontiguousarray(coarse.transpose(2, 0, 1))).float() / 255,
            "hole01": torch.from_numpy(mask[None]).float(),
            "coords_yx": torch.from_numpy(coords).float(),
            "cell": torch.full((2,), 2 / fine_px),
            "target01": torch.from_numpy(fine.reshape(-1, 3)[chosen]).float() / 255,
            "inside": torch.from_numpy(fine_mask.ravel()[chosen]),
            "ids": torch.from_numpy(ids.astype(np.int64)),
        }

    def _photo(self, place: int) -> TrainPhoto:
        """All photos in a new order each epoch."""
        epoch, place = divmod(place, len(self.photos))
        return self.photos[np.random.default_rng([self.seed, 3, epoch]).permutation(len(self.photos))[place]]

    def _choose(self, rng: np.random.Generator, mask: np.ndarray, queries: int) -> np.ndarray:
        flat = mask.ravel()
        hole, known = np.flatnonzero(flat), np.flatnonzero(~flat)
        inside = round(queries * self.hole_share) if len(hole) else 0
        return np.concatenate([rng.choice(hole, inside), rng.choice(known, queries - inside)])


class _From(Sampler):
    """Sample numbers `start`, `start + 1`, ... without end."""

    def __init__(self, start: int):
        self.start = start

    def __iter__(self) -> Iterator[int]:
        index = self.start
        while True:
            yield index
            index += 1


def batches(
    samples: Dataset, batch: int, start: int, workers: int
) -> Iterator[tuple[int, dict[str, torch.Tensor]]]:
    """Endless batches of samples from number `start` on: how many, and what they stack, strung together."""
    return iter(
        DataLoader(
            samples,
            batch_size=batch,
            sampler=_From(start),
            num_workers=workers,
            collate_fn=_strung_together,
            pin_memory=torch.cuda.is_available(),
            prefetch_factor=4 if workers else None,
            worker_init_fn=_leave_signals_to_the_trainer,
        )
    )


def _strung_together(samples: list[dict[str, torch.Tensor]]) -> tuple[int, dict[str, torch.Tensor]]:
    return len(samples), {name: torch.cat([sample[name] for sample in samples]) for name in samples[0]}


def _leave_signals_to_the_trainer(_: int) -> None:
    # Ctrl+C and a service's SIGTERM reach the whole process group; workers end when the trainer has saved.
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_IGN)


def _random_square(
    rgb: np.ndarray, rng: np.random.Generator, size_px: int
) -> Callable[[np.ndarray], np.ndarray]:
    """What cuts a random square, flipped at random, out of a photo and out of its label map alike."""
    short = min(rgb.shape[:2])
    # Slight enlargement is allowed, so that photos smaller than the training size take part.
    side = int(rng.integers(min(short, round(0.8 * size_px)), short + 1))
    top, left = (int(rng.integers(n - side + 1)) for n in rgb.shape[:2])
    step = -1 if rng.random() < 0.5 else 1
    return lambda array: array[top : top + side, left : left + side][:, ::step]


def _nearest(cells: int, pixels: int) -> np.ndarray:
    """The cell at the centre of each of `pixels` pixels, `(pixels,)`."""
    return ((2 * np.arange(pixels) + 1) * cells) // (2 * pixels)


def _resized(
    square: np.ndarray, side_px: int, filter: Image.Resampling = Image.Resampling.LANCZOS
) -> np.ndarray:
    if len(square) == side_px:
        return np.ascontiguousarray(square)
    return np.asarray(Image.fromarray(np.ascontiguousarray(square)).resize((side_px, side_px), filter))
