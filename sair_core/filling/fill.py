"""Crop after crop, fill after fill: what a model says of every hole pixel, without seams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from sair_core.coords import pixel_coords
from sair_core.devices import autocast, upload
from sair_core.errors import EmptyMaskError, FullMaskError
from sair_core.filling.adapters import Filler, Guide
from sair_core.filling.plan import Crop, plan_crops
from sair_core.filling.seams import remove_seam
from sair_core.holes import reduce_known, to_hole01
from sair_core.photos.masks import MaskSource
from sair_core.photos.photo import Photo, PhotoSource, as_photo
from sair_core.progress import Cancelled, Progress, never_cancelled, no_progress, raise_if_cancelled
from sair_core.stages import stage

MAX_HOLE_WORK_PX = 192  # training showed holes up to about this thick; thicker ones are worked on reduced

Pixels = tuple[np.ndarray, np.ndarray, np.ndarray]  # rows (N,), columns (N,), colours (fills, N, 3)


def open_hole(photo: PhotoSource, mask: MaskSource) -> tuple[Photo, np.ndarray]:
    """Open a photo and a mask of it, bool `(H, W)`, that leaves something to fill and to fill it from.

    Raises PhotoError kinds, MaskError, MaskSizeError, EmptyMaskError and FullMaskError.
    """
    photo = as_photo(photo)
    hole = photo.read_mask(mask)
    if not hole.any():
        raise EmptyMaskError("The mask is empty. Paint over what should go, then fill.")
    if hole.all():
        raise FullMaskError("The mask covers the whole photo. Leave some of it to fill from.")
    return photo, hole


def is_reduced(hole: np.ndarray) -> bool:
    """Whether a hole, bool `(H, W)`, is so thick that a model sees a part of it smaller than it is."""
    crops = plan_crops(hole, max_hole_work_px=MAX_HOLE_WORK_PX)
    return any(crop.work_height < crop.height or crop.work_width < crop.width for crop, _ in crops)


def fill_hole(
    filler: Filler,
    photo: Photo,
    hole: np.ndarray,
    seeds: Sequence[int],
    guide: Guide | None = None,
    *,
    device: torch.device,
    bf16: bool,
    remove_seams: bool = True,
    max_hole_work_px: int | None = None,
    progress: Progress = no_progress,
    cancelled: Cancelled = never_cancelled,
) -> np.ndarray:
    """Let a model fill the hole of a photo once for every seed.

    hole: bool `(H, W)` with known pixels beside it. remove_seams: False leaves the model's own colours as
    they are. max_hole_work_px: thickness to which thicker holes are reduced for it; None: MAX_HOLE_WORK_PX.
    progress: reports after every crop of every fill. Raises CancelledError, asked as often.
    Returns float32 `(seeds, N, 3)` in [0, 1], the colours of the hole's N pixels in the order of np.nonzero.
    """
    with stage("plan"):
        crops = plan_crops(hole, max_hole_work_px=max_hole_work_px or MAX_HOLE_WORK_PX)
    fills01 = np.empty((len(seeds), np.count_nonzero(hole), 3), np.float32)
    places = np.flatnonzero(hole)
    steps = len(crops) * len(seeds)
    filled = _fill_crops(filler, photo.rgb, hole, crops, seeds, guide, device, bf16, remove_seams)
    raise_if_cancelled(cancelled)
    for i, (which, at, rgb01) in enumerate(filled):
        fills01[which, np.searchsorted(places, at)] = rgb01
        progress((i + 1) / (steps + 1), f"Filling {i + 1} of {steps}" if steps > 1 else "Filling")
        raise_if_cancelled(cancelled)
    return fills01


def _fill_crops(
    filler: Filler,
    rgb: np.ndarray,
    hole: np.ndarray,
    crops: Sequence[tuple[Crop, np.ndarray]],
    seeds: Sequence[int],
    guide: Guide | None,
    device: torch.device,
    bf16: bool,
    remove_seams: bool,
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Fill the crops of a photo, one after the other, for every seed.

    Yields the place of a seed among the seeds, places `(N,)` in the flattened photo, and colours float32
    `(N, 3)` in [0, 1] for these. What an earlier crop filled is known to the later ones, so a hole cut in two
    has no seam either.
    """
    done: list[Pixels] = []
    for crop, part in crops:
        known01 = rgb[crop.slices].astype(np.float32) / 255
        open_hole = hole[crop.slices].copy()
        earlier = [found for one in done if (found := _select_inside(crop, one))[0].size]
        for rows, columns, _ in earlier:
            open_hole[rows, columns] = False
        # The seam is removed over all of the hole that this crop sees, though only its part is kept:
        # where another crop's part begins there is no known colour to meet.
        wanted = part | (ndimage.binary_dilation(open_hole) & ~open_hole)
        rows, columns = np.nonzero(part)
        values = np.empty((len(seeds), rows.size, 3), np.float32)
        for i, seed in enumerate(seeds):
            for y, x, filled in earlier:
                known01[y, x] = filled[i]
            if i == 0 or earlier:  # otherwise all seeds see the same
                rgb01 = upload(torch.from_numpy(known01), device).permute(2, 0, 1)[None]
                reduced = reduce_known(rgb01, to_hole01(open_hole, device), crop.work_px)
                encoded = _encode(filler, reduced, guide, bf16)
            filled01 = _decode(filler, encoded, wanted, seed, device, bf16)
            if remove_seams:
                with stage("seam"):
                    filled01 = remove_seam(filled01, known01, open_hole)
            values[i] = filled01[rows, columns].clip(0, 1)
            yield i, crop.places(part, hole.shape[1]), values[i]
        if len(crops) > 1:
            done.append((rows + crop.top, columns + crop.left, values))


@stage("encode")
@torch.inference_mode()
def _encode(filler: Filler, tensors: tuple[Tensor, Tensor], guide: Guide | None, bf16: bool) -> Any:
    with autocast(tensors[0].device, bf16):
        return filler.encode(*tensors, guide)


@stage("decode")
@torch.inference_mode()
def _decode(
    filler: Filler, encoded: Any, wanted: np.ndarray, seed: int, device: torch.device, bf16: bool
) -> np.ndarray:
    """Return the model's colours, float32 `(H, W, 3)`, at `wanted` (bool `(H, W)`); 0 elsewhere."""
    rows, columns = torch.from_numpy(wanted).nonzero(as_tuple=True)
    coords_yx = upload(pixel_coords(rows, columns, wanted.shape), device)
    with autocast(device, bf16):
        values = filler.decode(encoded, coords_yx, wanted.shape, seed)
    out = np.zeros((*wanted.shape, 3), np.float32)
    out[wanted] = values.cpu().numpy()
    return out


def _select_inside(crop: Crop, pixels: Pixels) -> Pixels:
    """Return those of the photo's pixels that lie in the crop, counted from its corner."""
    rows, columns, values = pixels
    rows, columns = rows - crop.top, columns - crop.left
    inside = (rows >= 0) & (rows < crop.height) & (columns >= 0) & (columns < crop.width)
    return rows[inside], columns[inside], values[:, inside]
