"""Clicks as people would make them: into the middle of the object, then into the middle of what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import ndimage

Select = Callable[[np.ndarray, np.ndarray], np.ndarray]  # points (N, 2), labels (N,) to a mask (H, W)


def innermost_point(region: np.ndarray) -> tuple[float, float]:
    """Return x and y, in px, of the middle of a mask's pixel that is furthest from the mask's border.

    The photo's edge counts as a border.
    """
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return float(column) + 0.5, float(row) + 0.5


def largest_region(mask: np.ndarray) -> np.ndarray | None:
    """Return the largest connected region of a mask; None where it has none."""
    regions, count = ndimage.label(mask)
    return regions == np.bincount(regions.ravel())[1:].argmax() + 1 if count else None


def wrong_region(found: np.ndarray, true: np.ndarray) -> np.ndarray | None:
    """Return the largest connected region that is missing or too much; None where nothing is wrong."""
    regions = [largest_region(wrong) for wrong in (true & ~found, found & ~true)]
    return max((r for r in regions if r is not None), key=np.count_nonzero, default=None)


def next_click(found: np.ndarray, true: np.ndarray) -> tuple[tuple[float, float], bool] | None:
    """Return the innermost point of the largest region that is wrong, and whether it is inside the object.

    None where nothing is wrong.
    """
    wrong = wrong_region(found, true)
    if wrong is None:
        return None
    x, y = innermost_point(wrong)
    return (x, y), bool(true[int(y), int(x)])


def simulate_clicks(true: np.ndarray, select: Select, count: int) -> Iterator[np.ndarray]:
    """Yield what is selected after each of `count` clicks on an object, bool `(H, W)`.

    Fewer where it is right before. As in the evaluations of interactive segmentation (Xu et al. 2016, Sofiiuk
    et al. 2022).
    """
    click: tuple[tuple[float, float], bool] | None = innermost_point(true), True
    points: list[tuple[float, float]] = []
    labels: list[bool] = []
    for _ in range(count):
        if click is None:
            return
        points.append(click[0])
        labels.append(click[1])
        found = select(np.array(points), np.array(labels))
        yield found
        click = next_click(found, true)


def select_after(true: np.ndarray, select: Select, counts: Sequence[int]) -> list[np.ndarray]:
    """Return what is selected after each of so many clicks on an object; once all is right it stays."""
    found = list(simulate_clicks(true, select, max(counts)))
    return [found[min(n, len(found)) - 1] for n in counts]


def iou(found: np.ndarray, true: np.ndarray) -> float:
    """Return the intersection over union of two masks, not both empty."""
    return float((found & true).sum() / (found | true).sum())
