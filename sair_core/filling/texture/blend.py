"""Invisible joints and borders: copied differences of colour, integrated.

Perez, Gangnet and Blake, "Poisson Image Editing", SIGGRAPH 2003.
"""

from __future__ import annotations

import numpy as np

from sair_core.filling.seams import solve_poisson
from sair_core.stages import stage

NEIGHBOURS_YX = ((0, 1), (0, -1), (1, 0), (-1, 0))


@stage("blend")
def blend(
    copied_yx: np.ndarray, hole: np.ndarray, colours: np.ndarray, known: np.ndarray, screening: float
) -> np.ndarray:
    """Correct copied colours so that they meet each other and the photo.

    Where two neighbours were copied from different places, their difference becomes the larger of what it is
    in either place: the mean of two would be flatter than both. screening pulls the correction to 0: it fades
    instead of spreading.

    copied_yx: `(N, 2)`, where each pixel of the hole (bool `(h, w)`, in the order of np.nonzero) was copied
    from. colours: float32 `(h, w, C)`, used where `known`. Returns float32 `(N, C)`, not clipped.
    """
    y, x = np.nonzero(hole)
    row_of = np.full(hole.shape, -1, np.int32)
    row_of[hole] = np.arange(y.size, dtype=np.int32)
    pixels = colours.copy()
    pixels[hole] = copied = colours[copied_yx[:, 0], copied_yx[:, 1]]
    misfit = np.zeros_like(copied)
    for step in NEIGHBOURS_YX:
        beside, inside = _moved(np.stack([y, x], axis=1), step, known)
        row = np.where(inside, row_of[tuple(beside.T)], -1)
        here, here_seen = _difference(copied_yx, step, colours, known)
        back = (-step[0], -step[1])
        there, there_seen = _difference(copied_yx[row], back, colours, known)
        there_seen &= row >= 0
        larger = _strength(here, here_seen) >= _strength(there, there_seen)
        expected = np.where(larger[:, None], here, -there)
        joined = inside & (here_seen | there_seen) & ((row >= 0) | known[tuple(beside.T)])
        misfit -= (expected - (pixels[tuple(beside.T)] - copied)) * joined[:, None]
    return copied + solve_poisson(misfit, hole, screening)


def _moved(yx: np.ndarray, step: tuple[int, int], within: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places `(N, 2)` one step on, kept inside the picture, and whether they were."""
    moved = yx + np.asarray(step, yx.dtype)
    kept = moved.clip(0, np.asarray(within.shape) - 1)
    return kept, (moved == kept).all(axis=1)


def _difference(
    yx: np.ndarray, step: tuple[int, int], colours: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How the photo's colours change in one step from places `(N, 2)`: `(N, C)`, and where that is known."""
    moved, inside = _moved(yx, step, known)
    seen = inside & known[tuple(moved.T)]
    return (colours[tuple(moved.T)] - colours[tuple(yx.T)]) * seen[:, None], seen


def _strength(difference: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """`(N,)`, below 0 where the difference is not known."""
    return np.where(seen, np.abs(difference).sum(axis=1), -1)
