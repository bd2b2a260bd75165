"""Fidelity of a filled picture to the true one, and its sharpness, on 8-bit pictures.

PSNR, L1 and SSIM compare whole pictures: the SAIR paper, and most inpainting papers, measure the composited
result, so pixels outside the hole count (and are equal in both). The others look into the hole.
"""

from __future__ import annotations

import math

import numpy as np

from sair_core.errors import PhotoError


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, infinite for identical pictures.

    a, b: uint8 (H, W) or (H, W, C) of one shape. Raises PhotoError for other types or different shapes.
    """
    return _decibels(_difference(a, b))


def l1(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference with pixel values scaled to [0, 1].

    a, b: uint8 (H, W) or (H, W, C) of one shape. Raises PhotoError for other types or different shapes.
    """
    return float(np.mean(np.abs(_difference(a, b)))) / 255


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity, Gaussian window of Wang et al. (sigma 1.5), mean over channels; at most 1.

    a, b: uint8 (H, W) or (H, W, C) of one shape, sides of at least 11 px (the window).
    Raises PhotoError for other types, different shapes or smaller pictures.
    """
    return _structural_similarity(a, b)[0]


def gradient(picture: np.ndarray, mask: np.ndarray) -> float:
    """Mean length of the brightness gradient inside the hole, in [0, 1] per pixel: more is sharper.

    From hole pixel to hole pixel only, so that an edge where the fill meets the photo does not count.
    picture: uint8 (H, W) or (H, W, C); mask: bool (H, W), True = hole. 0 where the hole has no inside.
    """
    inside = mask[:-1, :-1] & mask[1:, :-1] & mask[:-1, 1:]
    if not inside.any():
        return 0.0
    grey01 = picture.reshape(*picture.shape[:2], -1).mean(axis=2) / 255
    down, right = np.diff(grey01, axis=0)[:, :-1], np.diff(grey01, axis=1)[:-1]
    return float(np.hypot(down, right)[inside].mean())


def psnr_inside(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> float:
    """As `psnr`, of the hole's pixels alone; mask: bool (H, W), True = hole, not empty."""
    return _decibels(_difference(a, b)[mask])


def ssim_inside(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> float:
    """The mean of SSIM's map over the hole's pixels; mask: bool (H, W), True = hole, not empty."""
    return float(_structural_similarity(a, b)[1][mask].mean())


def l1_inside(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> float:
    """As `l1`, of the hole's pixels alone; mask: bool (H, W), True = hole, not empty."""
    return float(np.mean(np.abs(_difference(a, b)[mask]))) / 255


def _decibels(difference: np.ndarray) -> float:
    mean_square = float(np.mean(np.square(difference)))
    return math.inf if mean_square == 0 else 10 * math.log10(255.0**2 / mean_square)


def _structural_similarity(a: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray]:
    """SSIM without the half windows at the edge, and its map, of the pictures' shape."""
    _check(a, b)
    if min(a.shape[:2]) < 11:
        raise PhotoError(f"SSIM needs pictures of at least 11 x 11 px, got {a.shape[0]} x {a.shape[1]}.")
    from skimage.metrics import structural_similarity

    value, places = structural_similarity(
        a,
        b,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=-1 if a.ndim == 3 else None,
        data_range=255,
        full=True,
    )
    return float(value), places


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    _check(a, b)
    return a.astype(np.float64) - b.astype(np.float64)


def _check(a: np.ndarray, b: np.ndarray) -> None:
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise PhotoError(f"Pictures are compared as uint8, got {a.dtype} and {b.dtype}: convert them first.")
    if a.shape != b.shape:
        raise PhotoError(
            f"Pictures of different shapes cannot be compared: give one shape, not {a.shape} and {b.shape}."
        )
    if a.size == 0:
        raise PhotoError("Pictures without pixels cannot be compared: leave them out.")
