"""Crop after crop, fill after fill: what a model says of every hole pixel, without seams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from sair_core.coords import pixel_coords
from sair_core.devices import autocast
from sair_core.filling.adapters import Filler, Guide
from sair_core.filling.plan import Crop
from sair_core.filling.seams import remove_seam
from sair_core.holes import reduce_known

Pixels = tuple[np.ndarray, np.ndarray, np.ndarray]  # rows (N,), columns (N,), colours (fills, N, 3)


def fill_crops(
    filler: Filler,
    rgb: np.ndarray,
    hole: np.ndarray,
    crops: Sequence[tuple[Crop, np.ndarray]],
    seeds: Sequence[int],
    guide: Guide | None = None,
    *,
    device: torch.device,
    bf16: bool,
    remove_seams: bool = True,
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Fill the crops of a photo once for every seed.

    rgb: uint8 `(H, W, 3)`; hole: bool `(H, W)`; crops: of `plan_crops`. Yields the place of a seed among the
    seeds, places `(N,)` in the flattened photo, and colours float32 `(N, 3)` in [0, 1] for these. What an
    earlier crop filled is known to the later ones, so a hole cut in two has no seam either. remove_seams:
    False leaves the model's own colours as they are.
    """
    done: list[Pixels] = []
    for crop, part in crops:
        known01 = rgb[crop.slices].astype(np.float32) / 255
        open_hole = hole[crop.slices].copy()
        earlier = [found for one in done if (found := _inside(crop, one))[0].size]
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
                encoded = _encode(filler, reduced(known01, open_hole, crop, device), guide, bf16)
            filled01 = _decode(filler, encoded, wanted, seed, device, bf16)
            if remove_seams:
                filled01 = remove_seam(filled01, known01, open_hole)
            values[i] = filled01[rows, columns].clip(0, 1)
            yield i, (rows + crop.top) * hole.shape[1] + columns + crop.left, values[i]
        if len(crops) > 1:
            done.append((rows + crop.top, columns + crop.left, values))


def reduced(known01: np.ndarray, hole: np.ndarray, crop: Crop, device: torch.device) -> tuple[Tensor, Tensor]:
    """A crop's colours and its hole at the working size: `(1, 3, h, w)` and `(1, 1, h, w)`."""
    rgb01 = torch.from_numpy(known01).to(device).permute(2, 0, 1)[None]
    hole01 = torch.from_numpy(hole).to(device)[None, None].float()
    return reduce_known(rgb01, hole01, (crop.work_height, crop.work_width))


@torch.inference_mode()
def _encode(filler: Filler, tensors: tuple[Tensor, Tensor], guide: Guide | None, bf16: bool) -> Any:
    with autocast(tensors[0].device, bf16):
        return filler.encode(*tensors, guide)


@torch.inference_mode()
def _decode(
    filler: Filler, encoded: Any, wanted: np.ndarray, seed: int, device: torch.device, bf16: bool
) -> np.ndarray:
    """The model's colours, float32 `(H, W, 3)`, at `wanted` (bool `(H, W)`); 0 elsewhere."""
    rows, columns = torch.from_numpy(wanted).nonzero(as_tuple=True)
    coords_yx = pixel_coords(rows, columns, wanted.shape).to(device)
    with autocast(device, bf16):
        values = filler.decode(encoded, coords_yx, wanted.shape, seed)
    out = np.zeros((*wanted.shape, 3), np.float32)
    out[wanted] = values.cpu().numpy()
    return out


def _inside(crop: Crop, pixels: Pixels) -> Pixels:
    """Those of the photo's pixels that lie in the crop, counted from its corner."""
    rows, columns, values = pixels
    rows, columns = rows - crop.top, columns - crop.left
    inside = (rows >= 0) & (rows < crop.height) & (columns >= 0) & (columns < crop.width)
    return rows[inside], columns[inside], values[:, inside]
