"""A flat folder of photos becomes training samples: a small photo with a hole, and pixels to predict.

What a sample is, is drawn on the CPU; its pixels are cut and resampled there or on the accelerator.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from sair_core.photos.folders import VOID
from sair_core.photos.masks import BINS, irregular_mask
from sair_core.training.data.photos import TrainPhoto

FINER_PARTS = (2, 4)  # pictures a side in the place of one, where finer pixels are asked for
Pixels = tuple[Tensor, Tensor | None]  # rgb uint8 (H, W, 3) and ids uint8 (H, W) of a photo, on some device


@dataclass(frozen=True, eq=False)
class Plan:
    """What a picture is cut from, and what is asked of it.

    place: of the photo. top, left, side: of a square in it, px; mirrored: left and right exchanged. The
    square is brought to `fine_px`, and the picture is a reduction of that. mask: bool `(S, S)`, the hole.
    chosen: places `(Q,)` of the queried pixels among the `fine_px ** 2`.
    """

    place: int
    top: int
    left: int
    side: int
    mirrored: bool
    fine_px: int
    mask: np.ndarray
    chosen: np.ndarray

    @property
    def fine_mask(self) -> np.ndarray:
        """bool `(fine_px, fine_px)`: the mask's cells that the fine pixels lie in."""
        at = _nearest(len(self.mask), self.fine_px)
        return self.mask if self.fine_px == len(self.mask) else self.mask[at][:, at]


class FillSamples(Dataset):
    """Plans by number: those of sample `i` depend on `(seed, i)` alone, so a run can be continued anywhere.

    In most batches a sample is one picture and its target is as fine as it. In a share of them it is k
    pictures of a part of `size_px`, asked for up to `scale_max` times finer pixels; half of those have no
    hole.
    """

    def __init__(
        self,
        photos: Sequence[TrainPhoto],
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

    def __getitem__(self, index: int) -> list[Plan]:
        rng = np.random.default_rng([self.seed, 2, index])
        # One batch has pictures of one size.
        of_batch = np.random.default_rng([self.seed, 4, index // self.batch])
        finer = of_batch.random() < self.scale_share
        parts = int(of_batch.choice(FINER_PARTS)) if finer else 1
        return [self._plan(rng, index * parts**2 + i, self.size_px // parts, finer) for i in range(parts**2)]

    def _plan(self, rng: np.random.Generator, place: int, size_px: int, finer: bool) -> Plan:
        place = self._place(place)
        height, width = self.photos[place].rgb.shape[:2]
        scale = rng.uniform(1, self.scale_max) if finer else 1.0
        # Slight enlargement is allowed, so that photos smaller than the training size take part.
        short = min(height, width)
        side = int(rng.integers(min(short, round(0.8 * round(size_px * scale))), short + 1))
        top, left = (int(rng.integers(n - side + 1)) for n in (height, width))
        mirrored = bool(rng.random() < 0.5)
        # The target is as fine as was asked, or as the photo is.
        fine_px = max(size_px, min(round(size_px * scale), side))
        mask = np.zeros((size_px, size_px), bool)
        if not finer or rng.random() < 0.5:
            mask = irregular_mask(rng, (size_px, size_px), BINS[rng.integers(len(BINS))])
        plan = Plan(place, top, left, side, mirrored, fine_px, mask, np.empty(0, np.int64))
        chosen = self._choose(rng, plan.fine_mask, round(self.queries * (size_px / self.size_px) ** 2))
        return replace(plan, chosen=chosen)

    def _place(self, place: int) -> int:
        """All photos in a new order each epoch."""
        epoch, place = divmod(place, len(self.photos))
        return int(np.random.default_rng([self.seed, 3, epoch]).permutation(len(self.photos))[place])

    def _choose(self, rng: np.random.Generator, mask: np.ndarray, queries: int) -> np.ndarray:
        flat = mask.ravel()
        hole, known = np.flatnonzero(flat), np.flatnonzero(~flat)
        inside = round(queries * self.hole_share) if len(hole) else 0
        return np.concatenate([rng.choice(hole, inside), rng.choice(known, queries - inside)])


def render(plan: Plan, rgb: Tensor, ids: Tensor | None) -> dict[str, Tensor]:
    """A picture and what is asked of it, on the device of the photo's pixels (see `Pixels`).

    `rgb01 (3, S, S)`, `hole01 (1, S, S)`, and of the queried pixels `coords_yx (Q, 2)`, `cell (2,)`,
    `target01 (Q, 3)`, `ids (Q,)`: the classes, 255 where nobody knows.
    """
    device, size_px, fine_px = rgb.device, len(plan.mask), plan.fine_px
    fine = _resized(_cut(plan, rgb).permute(2, 0, 1)[None].float(), fine_px)
    coarse = _resized(fine, size_px)
    chosen = torch.from_numpy(plan.chosen).to(device)
    rows, columns = chosen // fine_px, chosen % fine_px
    classes = torch.full_like(chosen, VOID)
    if ids is not None:
        at = torch.from_numpy(_nearest(plan.side, fine_px)).to(device)
        classes = _cut(plan, ids)[at[rows], at[columns]].long()
    return {
        "rgb01": coarse[0] / 255,
        "hole01": torch.from_numpy(plan.mask[None]).to(device).float(),
        "coords_yx": (2 * torch.stack([rows, columns], dim=1) + 1) / fine_px - 1,
        "cell": torch.full((2,), 2 / fine_px, device=device),
        "target01": fine[0].flatten(1)[:, chosen].T / 255,
        "ids": classes,
    }


def rendered(plans: Sequence[Plan], pixels: Callable[[int], Pixels]) -> dict[str, Tensor]:
    """The pictures of plans, stacked. pixels: a photo's, by its place."""
    pictures = [render(plan, *pixels(plan.place)) for plan in plans]
    return {name: torch.stack([one[name] for one in pictures]) for name in pictures[0]}


def as_pixels(photo: TrainPhoto, device: torch.device | str = "cpu") -> Pixels:
    """A photo's pixels on a device."""
    arrays = (photo.rgb, photo.ids)
    return tuple(None if a is None else torch.from_numpy(np.array(a)).to(device) for a in arrays)


class _Shares(Sampler):
    """Sample numbers from `start` on without end; of each `batch * count` in a row, share number `share`."""

    def __init__(self, start: int, batch: int, share: int, count: int):
        self.start, self.batch, self.share, self.count = start, batch, share, count

    def __iter__(self) -> Iterator[int]:
        first = self.start + self.share * self.batch
        while True:
            yield from range(first, first + self.batch)
            first += self.batch * self.count


def batches(
    samples: FillSamples,
    batch: int,
    start: int,
    workers: int,
    share: tuple[int, int] = (0, 1),
    resident: Sequence[Pixels] | None = None,
) -> Generator[tuple[range, dict[str, Tensor]], None, None]:
    """Endless batches: the numbers of their samples in all processes, and this process's pictures.

    They begin with the first whole batch from number `start` on: batches are made of the same samples
    wherever a run is continued. share: `(i, n)` = this is process i of n, each with its own `batch` of every
    `n * batch` samples. resident: the photos' pixels on an accelerator, where the pictures are then made;
    without, workers make them on the CPU.
    """
    collate = _Strung(None if resident is not None else samples.photos)
    for numbers, made in numbered(samples, batch, start, workers, share, collate):
        yield numbers, made if resident is None else rendered(made, resident.__getitem__)


def numbered(
    samples: Dataset,
    batch: int,
    start: int,
    workers: int,
    share: tuple[int, int],
    collate: Callable[[list], Any],
) -> Generator[tuple[range, Any], None, None]:
    """What `collate` makes of each batch's samples, with their numbers; as `batches`."""
    together = batch * share[1]
    first = -(-start // together) * together
    loader = DataLoader(
        samples,
        batch_size=batch,
        sampler=_Shares(first, batch, *share),
        num_workers=workers,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
        prefetch_factor=4 if workers else None,
        worker_init_fn=_leave_signals_to_the_trainer,
    )
    others = set(multiprocessing.active_children())
    made_batches = iter(loader)
    own = set(multiprocessing.active_children()) - others
    try:
        for made in made_batches:
            yield range(first, first + together), made
            first += together
    finally:
        del made_batches  # asks the workers to end
        for worker in own:
            worker.kill()  # one that did not hear in time: to the polite signal it is deaf


class _Strung:
    """Samples' plans strung together, and with photos their pictures made of them."""

    def __init__(self, photos: Sequence[TrainPhoto] | None):
        self.photos = photos

    def __call__(self, samples: list[list[Plan]]) -> list[Plan] | dict[str, Tensor]:
        plans = [plan for sample in samples for plan in sample]
        return plans if self.photos is None else rendered(plans, lambda place: as_pixels(self.photos[place]))


def _leave_signals_to_the_trainer(_: int) -> None:
    # Ctrl+C and a service's SIGTERM reach the whole process group; workers end when the trainer has saved.
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_IGN)


def _cut(plan: Plan, pixels: Tensor) -> Tensor:
    """The plan's square of `(H, W, ...)`."""
    square = pixels[plan.top : plan.top + plan.side, plan.left : plan.left + plan.side]
    return square.flip(1) if plan.mirrored else square


def _nearest(cells: int, pixels: int) -> np.ndarray:
    """The cell at the centre of each of `pixels` pixels, `(pixels,)`."""
    return ((2 * np.arange(pixels) + 1) * cells) // (2 * pixels)


def _resized(picture: Tensor, side_px: int) -> Tensor:
    """`(1, C, n, n)` in [0, 255] at another size, as whole numbers: what a file of that size would hold."""
    if picture.shape[-1] == side_px:
        return picture
    options = {"mode": "bicubic", "antialias": True, "align_corners": False}
    return F.interpolate(picture, (side_px, side_px), **options).clamp(0, 255).round()
