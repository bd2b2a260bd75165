"""A flat folder of photos becomes training samples: a small photo with a hole, and pixels to predict."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Sampler

from sair_core.errors import DataError, PhotoError
from sair_core.images import load_photo
from sair_core.masks import BINS, irregular_mask

logger = logging.getLogger(__name__)

T = TypeVar("T")

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
MIN_SIDE_PX = 64
MAX_SIDE_PX = 1024  # photos are kept in memory at most this large


def find_photos(folders: Iterable[str | Path]) -> list[Path]:
    """All photo files of flat folders, sorted. A PNG beside a JPEG of the same name is a label map: left out.

    Raises DataError naming the folder that does not exist or holds no photo.
    """
    found: list[Path] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder. Give a folder that holds photos.")
        files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)
        jpegs = {f.stem for f in files if f.suffix.lower() in (".jpg", ".jpeg")}
        files = [f for f in files if f.suffix.lower() != ".png" or f.stem not in jpegs]
        if not files:
            raise DataError(f"{folder} holds no photos ({', '.join(sorted(SUFFIXES))}).")
        found += files
    return found


def load_photos(paths: list[Path]) -> list[np.ndarray]:
    """Decode photos once into memory: uint8 `(H, W, 3)` each, long side at most MAX_SIDE_PX.

    Unreadable and tiny ones are logged and skipped. Raises DataError when none is left.
    """

    def load(path: Path) -> np.ndarray | None:
        try:
            rgb = load_photo(path).rgb
        except PhotoError as error:
            logger.warning("skipped %s: %s", path.name, error)
            return None
        if min(rgb.shape[:2]) < MIN_SIDE_PX:
            logger.warning("skipped %s: %d x %d px is too small", path.name, rgb.shape[1], rgb.shape[0])
            return None
        if max(rgb.shape[:2]) > MAX_SIDE_PX:
            image = Image.fromarray(rgb)
            image.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Image.Resampling.LANCZOS)
            rgb = np.asarray(image)
        return rgb

    with ThreadPoolExecutor() as pool:
        photos = [rgb for rgb in pool.map(load, paths) if rgb is not None]
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

    A sample is `rgb01 (3, S, S)`, `hole01 (1, S, S)`, `coords_yx (Q, 2)`, `cell (2,)`, `target01 (Q, 3)`.
    """

    def __init__(
        self,
        photos: list[np.ndarray],
        *,
        size_px: int,
        queries: int,
        hole_share: float,
        scale_share: float = 0.0,
        scale_max: float = 1.0,
        seed: int = 0,
    ):
        self.photos, self.size_px, self.queries = photos, size_px, queries
        self.hole_share, self.seed = hole_share, seed
        self.scale_share, self.scale_max = scale_share, scale_max

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng([self.seed, 2, index])
        epoch, place = divmod(index, len(self.photos))
        photo = self.photos[np.random.default_rng([self.seed, 3, epoch]).permutation(len(self.photos))[place]]
        scale = rng.uniform(1, self.scale_max) if rng.random() < self.scale_share else 1.0
        fine = _random_square(photo, rng, self.size_px, scale)
        fine_px = len(fine)
        coarse = fine if fine_px == self.size_px else _resized(fine, self.size_px)
        mask = irregular_mask(rng, (self.size_px, self.size_px), BINS[rng.integers(len(BINS))])
        fine_mask = mask
        if fine_px != self.size_px:
            nearest = ((2 * np.arange(fine_px) + 1) * self.size_px) // (2 * fine_px)
            fine_mask = mask[nearest][:, nearest]
        chosen = self._choose(rng, fine_mask)
        rows, columns = np.divmod(chosen, fine_px)
        coords = np.stack([(2 * rows + 1) / fine_px - 1, (2 * columns + 1) / fine_px - 1], axis=1)
        return {
            "rgb01": torch.from_numpy(np.ascontiguousarray(coarse.transpose(2, 0, 1))).float() / 255,
            "hole01": torch.from_numpy(mask[None]).float(),
            "coords_yx": torch.from_numpy(coords).float(),
            "cell": torch.full((2,), 2 / fine_px),
            "target01": torch.from_numpy(fine.reshape(-1, 3)[chosen]).float() / 255,
        }

    def _choose(self, rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
        flat = mask.ravel()
        hole, known = np.flatnonzero(flat), np.flatnonzero(~flat)
        inside = round(self.queries * self.hole_share)
        return np.concatenate([rng.choice(hole, inside), rng.choice(known, self.queries - inside)])


class _From(Sampler):
    """Sample numbers `start`, `start + 1`, ... without end."""

    def __init__(self, start: int):
        self.start = start

    def __iter__(self) -> Iterator[int]:
        index = self.start
        while True:
            yield index
            index += 1


def batches(samples: FillSamples, batch: int, start: int, workers: int) -> Iterator[dict[str, torch.Tensor]]:
    """Endless batches of samples from number `start` on, stacked along a first axis."""
    return iter(
        DataLoader(
            samples,
            batch_size=batch,
            sampler=_From(start),
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
            prefetch_factor=4 if workers else None,
            worker_init_fn=_leave_signals_to_the_trainer,
        )
    )


def _leave_signals_to_the_trainer(_: int) -> None:
    # Ctrl+C and a service's SIGTERM reach the whole process group; workers end when the trainer has saved.
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_IGN)


def _random_square(photo: np.ndarray, rng: np.random.Generator, size_px: int, scale: float) -> np.ndarray:
    """A random square part, flipped at random, resized to `size_px` times what it can give of `scale`."""
    short = min(photo.shape[:2])
    # Slight enlargement is allowed, so that photos smaller than the training size take part.
    side = int(rng.integers(min(short, round(0.8 * size_px)), short + 1))
    top, left = (int(rng.integers(n - side + 1)) for n in photo.shape[:2])
    part = photo[top : top + side, left : left + side]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    return _resized(part, max(size_px, min(round(size_px * scale), side)))


def _resized(square: np.ndarray, side_px: int) -> np.ndarray:
    if len(square) == side_px:
        return np.ascontiguousarray(square)
    image = Image.fromarray(np.ascontiguousarray(square))
    return np.asarray(image.resize((side_px, side_px), Image.Resampling.LANCZOS))
