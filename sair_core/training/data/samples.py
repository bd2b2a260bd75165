"""Training samples from photos: a small picture with a hole, and pixels to predict.

A sample is drawn on the CPU as a `SampleSpec`; its pixels are cut and resampled there or on the accelerator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sair_core.devices import upload
from sair_core.evaluation.objects import ellipse_mask
from sair_core.photos.degrade import Degradation, Drawn, degrade, resize
from sair_core.photos.folders import VOID
from sair_core.photos.masks import BINS, irregular_mask
from sair_core.seeds import Stream, stream_generator
from sair_core.training.data.masks import MaskFolder
from sair_core.training.data.photos import TrainPhoto

FINER_PARTS = (2, 4)  # pictures a side in the place of one, where finer pixels are asked for
Pixels = tuple[Tensor, Tensor | None]  # rgb uint8 (H, W, 3) and ids uint8 (H, W) of a photo, on some device


@dataclass(frozen=True, eq=False)
class SampleSpec:
    """What one training picture is cut from, and which pixels the model is asked for.

    photo: its index. top, left, side: of a square in it, px; mirrored: left and right exchanged. The square
    is resized to `fine_px`, and the picture is a reduction of that. mask: bool `(S, S)`, the hole. queries:
    indices `(Q,)` of the queried pixels among the `fine_px ** 2`. degraded: what happens to the picture on
    the way there, noise drawn by `noise_seed`; its targets stay as they are. None where nothing ever does.
    """

    photo: int
    top: int
    left: int
    side: int
    mirrored: bool
    fine_px: int
    mask: np.ndarray
    queries: np.ndarray
    degraded: tuple[Drawn, ...] | None = None
    noise_seed: int = 0

    @property
    def fine_mask(self) -> np.ndarray:
        """bool `(fine_px, fine_px)`: the mask at the finer resolution, by nearest neighbour."""
        at = _nearest_cells(len(self.mask), self.fine_px)
        return self.mask if self.fine_px == len(self.mask) else self.mask[at][:, at]


class PictureSamples(Dataset[list[SampleSpec]]):
    """Samples by number, each the specs of one or more pictures of `photos`."""

    photos: Sequence[TrainPhoto]


class FillSamples(PictureSamples):
    """Samples by number: sample `i` depends on `(seed, i)` alone, so a run can be continued anywhere.

    In most batches a sample is one picture whose target is as fine as it. In `scale_share` of them it is
    k * k pictures of side `size_px / k` whose targets are up to `scale_max` times finer; half of those have
    no hole. hole_share: share of the `queries` of a picture that lie in its hole; None draws them evenly.
    object_share: share of the batches whose holes are one to three ellipses, as large as objects; others have
    those of `masks`, or without them irregular ones. degradations: each picture meets one of them, drawn; by
    a scale its target becomes so many times finer, or as fine as the photo is. enlarge_max: how many times a
    crop may be enlarged; a photo that is smaller than a picture always is.
    """

    def __init__(
        self,
        photos: Sequence[TrainPhoto],
        *,
        size_px: int,
        queries: int,
        hole_share: float | None,
        batch: int = 1,
        scale_share: float = 0.0,
        scale_max: float = 1.0,
        object_share: float = 0.0,
        masks: MaskFolder | None = None,
        degradations: Sequence[Degradation] = (),
        enlarge_max: float = 1.25,
        seed: int = 0,
    ):
        self.photos, self.size_px, self.queries = photos, size_px, queries
        self.hole_share, self.seed = hole_share, seed
        self.batch, self.scale_share, self.scale_max = batch, scale_share, scale_max
        self.object_share, self.masks = object_share, masks
        self.degradations, self.enlarge_max = degradations, enlarge_max

    def __getitem__(self, index: int) -> list[SampleSpec]:
        rng = stream_generator(self.seed, Stream.SAMPLE, index)
        # One batch has pictures of one size.
        of_batch = stream_generator(self.seed, Stream.BATCH, index // self.batch)
        finer = of_batch.random() < self.scale_share
        parts = int(of_batch.choice(FINER_PARTS)) if finer else 1
        objects = of_batch.random() < self.object_share
        return [
            self._draw(rng, index * parts**2 + i, self.size_px // parts, finer, objects)
            for i in range(parts**2)
        ]

    def _draw(
        self, rng: np.random.Generator, number: int, size_px: int, finer: bool, objects: bool
    ) -> SampleSpec:
        photo = self._photo_index(number)
        height, width = self.photos[photo].rgb.shape[:2]
        scale = rng.uniform(1, self.scale_max) if finer else 1.0
        degraded, noise_seed = self._draw_degradation(rng)
        scale *= dict(degraded or ()).get("scale", 1.0)
        short = min(height, width)
        side = int(rng.integers(min(short, round(round(size_px * scale) / self.enlarge_max)), short + 1))
        top, left = (int(rng.integers(n - side + 1)) for n in (height, width))
        mirrored = bool(rng.random() < 0.5)
        # The target is as fine as was asked, or as the photo is.
        fine_px = max(size_px, min(round(size_px * scale), side))
        mask = np.zeros((size_px, size_px), bool)
        if not finer or rng.random() < 0.5:
            mask = self._draw_mask(rng, size_px, objects)
        if degraded is not None:
            reached = {"scale": fine_px / size_px}
            degraded = tuple((kind, reached.get(kind, strength)) for kind, strength in degraded)
        none = np.empty(0, np.int64)
        spec = SampleSpec(photo, top, left, side, mirrored, fine_px, mask, none, degraded, noise_seed)
        count = round(self.queries * (size_px / self.size_px) ** 2)
        return replace(spec, queries=self._draw_queries(rng, spec.fine_mask, count))

    def _draw_degradation(self, rng: np.random.Generator) -> tuple[tuple[Drawn, ...] | None, int]:
        """Draw the steps of a degradation, and the seed of its noise."""
        if not self.degradations:
            return None, 0
        chosen = self.degradations[int(rng.integers(len(self.degradations)))]
        return chosen.draw(rng), int(rng.integers(2**32))

    def _draw_mask(self, rng: np.random.Generator, size_px: int, objects: bool) -> np.ndarray:
        if objects:
            return ellipse_mask(rng, (size_px, size_px))
        if self.masks is not None:
            return self.masks.draw(rng, size_px)
        return irregular_mask(rng, (size_px, size_px), BINS[rng.integers(len(BINS))])

    def _photo_index(self, number: int) -> int:
        """Return the photo of a picture: each one once an epoch, in a new order."""
        epoch, place = divmod(number, len(self.photos))
        order = stream_generator(self.seed, Stream.PHOTO_ORDER, epoch).permutation(len(self.photos))
        return int(order[place])

    def _draw_queries(self, rng: np.random.Generator, mask: np.ndarray, queries: int) -> np.ndarray:
        flat = mask.ravel()
        if self.hole_share is None:
            return rng.choice(flat.size, queries)
        hole, known = np.flatnonzero(flat), np.flatnonzero(~flat)
        inside = round(queries * self.hole_share) if len(hole) else 0
        return np.concatenate([rng.choice(hole, inside), rng.choice(known, queries - inside)])


def render(spec: SampleSpec, rgb: Tensor, ids: Tensor | None) -> dict[str, Tensor]:
    """Return a picture and its targets, on the device of the photo's pixels (see `Pixels`).

    `rgb01 (3, S, S)`, `hole01 (1, S, S)`, and of the queried pixels `coords_yx (Q, 2)`, `cell (2,)`,
    `target01 (Q, 3)` and `ids (Q,)`: the classes, 255 where they are unknown. Of a spec that is degraded also
    `true01 (3, S, S)`, the picture as it was before.
    """
    device, size_px, fine_px = rgb.device, len(spec.mask), spec.fine_px
    fine = resize(_cut(spec, rgb).permute(2, 0, 1)[None].float(), (fine_px, fine_px))
    true = coarse = resize(fine, (size_px, size_px))
    if spec.degraded is not None:
        degraded = degrade(fine, spec.degraded, np.random.default_rng(spec.noise_seed))
        coarse = resize(degraded, (size_px, size_px))
    queries = upload(torch.from_numpy(spec.queries), device)
    rows, columns = queries // fine_px, queries % fine_px
    classes = torch.full_like(queries, VOID)
    if ids is not None:
        at = upload(torch.from_numpy(_nearest_cells(spec.side, fine_px)), device)
        classes = _cut(spec, ids)[at[rows], at[columns]].long()
    picture = {
        "rgb01": coarse[0] / 255,
        "hole01": upload(torch.from_numpy(spec.mask[None]), device).float(),
        "coords_yx": (2 * torch.stack([rows, columns], dim=1) + 1) / fine_px - 1,
        "cell": torch.full((2,), 2 / fine_px, device=device),
        "target01": fine[0].flatten(1)[:, queries].T / 255,
        "ids": classes,
    }
    return picture if spec.degraded is None else {**picture, "true01": true[0] / 255}


def render_batch(specs: Sequence[SampleSpec], pixels: Callable[[int], Pixels]) -> dict[str, Tensor]:
    """Return the pictures and targets of specs, stacked. pixels: gives those of a photo by its index."""
    pictures = [render(spec, *pixels(spec.photo)) for spec in specs]
    return {name: torch.stack([one[name] for one in pictures]) for name in pictures[0]}


def to_pixels(photo: TrainPhoto, device: torch.device | str = "cpu") -> Pixels:
    """Return a photo's pixels and classes as tensors on a device."""
    rgb = torch.from_numpy(np.array(photo.rgb)).to(device)
    return rgb, None if photo.ids is None else torch.from_numpy(np.array(photo.ids)).to(device)


def _cut(spec: SampleSpec, pixels: Tensor) -> Tensor:
    """Return the square of a spec from `(H, W, ...)`."""
    square = pixels[spec.top : spec.top + spec.side, spec.left : spec.left + spec.side]
    return square.flip(1) if spec.mirrored else square


def _nearest_cells(cells: int, pixels: int) -> np.ndarray:
    """Return the cell at the centre of each of `pixels` pixels, `(pixels,)`."""
    return ((2 * np.arange(pixels) + 1) * cells) // (2 * pixels)
