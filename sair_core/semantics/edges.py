"""From a coarse map to a mask whose border follows the photo's edges."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

RADIUS_CELLS = 4  # of the windows in which share and colours are related linearly
EPSILON = 1e-4  # how much colours must vary within a window to count, as a variance in [0, 1]
BAND_CELLS = 4  # to both sides of the coarse border, that are decided pixel by pixel
PIXELS_AT_ONCE = 2**18


def refine_edges(share: np.ndarray, guide01: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """Return the mask, bool `(H, W)`, of a coarse map of an object, its border moved to the photo's edges.

    share: float `(h, w)` in [0, 1], above a half = the object. guide01: the photo at that size, float
    `(h, w, 3)` in [0, 1]; rgb: uint8 `(H, W, 3)`. The fast guided filter (He and Sun 2015): its linear
    coefficients are computed on the coarse grid and applied to the photo's own pixels, here near the border
    only; further away the coarse map holds.
    """
    coarse = share > 0.5
    if coarse.all() or not coarse.any():
        return np.full(rgb.shape[:2], coarse.flat[0])
    nearest = tuple(
        np.minimum((np.arange(n) + 0.5) * cells / n, cells - 1).astype(int)
        for n, cells in zip(rgb.shape[:2], share.shape)
    )
    inside = ndimage.distance_transform_cdt(np.pad(coarse, 1, mode="edge"), "chessboard")[1:-1, 1:-1]
    outside = ndimage.distance_transform_cdt(np.pad(~coarse, 1, mode="edge"), "chessboard")[1:-1, 1:-1]
    band = np.maximum(inside, outside) <= BAND_CELLS
    mask = coarse[np.ix_(*nearest)]
    planes = guided_coefficients(share, guide01)
    rows, columns = np.nonzero(band[np.ix_(*nearest)])
    for start in range(0, len(rows), PIXELS_AT_ONCE):
        ys, xs = rows[start : start + PIXELS_AT_ONCE], columns[start : start + PIXELS_AT_ONCE]
        a_r, a_g, a_b, offset = _sample(planes, ys, xs, rgb.shape[:2])
        r, g, b = rgb[ys, xs].T.astype(np.float32) / 255
        mask[ys, xs] = a_r * r + a_g * g + a_b * b + offset > 0.5
    return mask


def guided_coefficients(share: np.ndarray, guide01: np.ndarray) -> np.ndarray:
    """Return `(4, h, w)`, a and b of the guided filter: share = a . colour + b in the windows around.

    He, Sun and Tang 2013, equations 14 to 16 for a colour guide. share: `(h, w)`; guide01: `(h, w, 3)`.
    """
    guide = guide01.astype(np.float64)
    share = share.astype(np.float64)
    mean_guide = np.stack([_box(guide[..., c]) for c in range(3)], axis=-1)
    mean_share = _box(share)
    covariance = np.stack([_box(guide[..., c] * share) for c in range(3)], axis=-1)
    covariance -= mean_guide * mean_share[..., None]
    variance = np.empty((*share.shape, 3, 3))
    for i in range(3):
        for j in range(i, 3):
            product = _box(guide[..., i] * guide[..., j]) - mean_guide[..., i] * mean_guide[..., j]
            variance[..., i, j] = variance[..., j, i] = product
    slope = np.linalg.solve(variance + EPSILON * np.eye(3), covariance[..., None])[..., 0]
    offset = mean_share - (slope * mean_guide).sum(axis=-1)
    return np.stack([*(_box(slope[..., c]) for c in range(3)), _box(offset)]).astype(np.float32)


def _box(plane: np.ndarray) -> np.ndarray:
    return ndimage.uniform_filter(plane, 2 * RADIUS_CELLS + 1, mode="nearest")


def _sample(
    planes: np.ndarray, rows: np.ndarray, columns: np.ndarray, size_px: tuple[int, ...]
) -> np.ndarray:
    """Return `(C, N)`, planes `(C, h, w)` at pixels of a photo of `size_px`, linear between cell centres."""
    (top, bottom, down), (left, right, across) = (
        _between(places, n, cells) for places, n, cells in zip((rows, columns), size_px, planes.shape[1:])
    )
    above = planes[:, top, left] * (1 - across) + planes[:, top, right] * across
    below = planes[:, bottom, left] * (1 - across) + planes[:, bottom, right] * across
    return above * (1 - down) + below * down


def _between(places: np.ndarray, pixels: int, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the cells before and after each pixel along an axis, and how near it is to the latter."""
    position = ((places + 0.5) * cells / pixels - 0.5).clip(0, cells - 1)
    before = position.astype(int)
    return before, np.minimum(before + 1, cells - 1), (position - before).astype(np.float32)
