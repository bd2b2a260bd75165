"""Colours under transparency: what is hidden must not show where colours are mixed with those beside them."""

from __future__ import annotations

from itertools import product

import numpy as np

SOLID = 1 / 8  # of full opacity
REACH_PX = 3  # of the kernels that interpolate
CORNERS = tuple((slice(y, None, 2), slice(x, None, 2)) for y in (0, 1) for x in (0, 1))  # of blocks of 2 x 2


def extend_colours(pixels: np.ndarray) -> np.ndarray:
    """Return the colours of pixels with alpha, the visible ones extended to where little or nothing shows.

    Below an alpha of SOLID a colour counts the less the less of it shows (programs keep few bits of it there,
    or leave anything), and what shows within REACH_PX of it the more. Where nothing shows (alpha 0), the
    colours around go on by pull-push (Gortler et al. 1996, "The Lumigraph"): averages of ever larger blocks,
    weighted by alpha.

    pixels: uint8 or uint16 `(H, W, 2 or 4)`, alpha last. Returns the same type, `(H, W)` or `(H, W, 3)`.
    """
    colours, alpha = pixels[..., :-1], pixels[..., -1]
    colours = _mix_faint(np.ascontiguousarray(colours[..., 0] if colours.shape[2] == 1 else colours), alpha)
    if alpha.any():
        _fill_empty(colours, alpha)
    return colours


def _mix_faint(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return colours, those of low alpha mixed with the average of their surroundings, weighted by alpha."""
    solid = SOLID * np.iinfo(alpha.dtype).max
    ys, xs = np.nonzero((alpha > 0) & (alpha < solid))
    if not ys.size:
        return colours
    bands = np.atleast_3d(colours)
    total = np.zeros((ys.size, 1), np.float32)
    average = np.zeros((ys.size, bands.shape[2]), np.float32)
    for dy, dx in product(range(-REACH_PX, REACH_PX + 1), repeat=2):
        at = (ys + dy).clip(0, alpha.shape[0] - 1), (xs + dx).clip(0, alpha.shape[1] - 1)
        weight = alpha[at].astype(np.float32)[:, None]
        total += weight
        average += weight * bands[at]
    own = alpha[ys, xs][:, None] / np.float32(solid)
    mixed = bands.copy()
    mixed[ys, xs] = np.rint(own * bands[ys, xs] + (1 - own) * average / total)
    return mixed.reshape(colours.shape)


def _fill_empty(colours: np.ndarray, weight: np.ndarray) -> None:
    """Give the pixels of no weight the colours of the next level, which has half the size, in place."""
    empty = weight == 0
    if not empty.any():
        return
    coarse, coarse_weight = _halve(colours, weight)
    _fill_empty(coarse, coarse_weight)
    for corner in CORNERS:
        fine, wanted = colours[corner], empty[corner]
        values = coarse[: wanted.shape[0], : wanted.shape[1]][wanted]
        fine[wanted] = values if colours.dtype == np.float32 else np.rint(values)


def _halve(colours: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the averages of blocks of 2 x 2 pixels, float32, and their weights."""
    height, width = ((side + 1) // 2 for side in weight.shape)
    total = np.zeros((height, width), np.float32)
    average = np.zeros((height, width, *colours.shape[2:]), np.float32)
    for corner in CORNERS:
        part = weight[corner].astype(np.float32)
        rows, columns = part.shape
        total[:rows, :columns] += part
        average[:rows, :columns] += colours[corner] * part.reshape(part.shape + (1,) * (colours.ndim - 2))
    average /= np.maximum(total, 1e-6).reshape(total.shape + (1,) * (colours.ndim - 2))
    return average, total
