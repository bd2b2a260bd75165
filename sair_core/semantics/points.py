"""Points inside and outside of an object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sair_core.errors import PointError

GROW_PX = 4  # of a selection that is to be filled: an object's soft rim has to go, too

Points = Sequence[Sequence[float]] | np.ndarray
Labels = Sequence[bool] | np.ndarray


def check_points(
    points_xy: Points, labels: Labels | None, size_px: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return points as float `(N, 2)` and labels as bool `(N,)`, all True where None are given.

    size_px: `(height, width)` of the photo. Raises PointError for what is no list of points with a label
    each, for points outside the photo, and where no point is inside the object.
    """
    try:
        points = np.asarray(points_xy, float)
        inside = np.ones(len(points), bool) if labels is None else np.asarray(labels)
    except (TypeError, ValueError) as error:
        raise PointError("Points must be pairs of numbers, x and y in pixels of the photo.") from error
    if points.ndim != 2 or points.shape[1] != 2 or inside.shape != points.shape[:1]:
        raise PointError(
            f"Give each point as x and y with one label, got points {points.shape}, labels {inside.shape}."
        )
    inside = inside.astype(bool)
    if not inside.any():
        raise PointError("No point is inside the object. Give at least one.")
    height, width = size_px
    within = (points >= 0).all(axis=1) & (points < (width, height)).all(axis=1)
    if not within.all():
        x, y = points[~within][0]
        raise PointError(
            f"The point ({x:g}, {y:g}) lies outside the photo of {width} x {height} px. Give one inside."
        )
    return points, inside
