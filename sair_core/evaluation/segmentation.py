"""How well pixels are named: pixel accuracy and intersection over union."""

from __future__ import annotations

import numpy as np

from sair_core.photos.folders import VOID


def name_share(found: np.ndarray, number: int, classes: int) -> tuple[float, bool]:
    """Return the share of pixels that were named class `number`, in [0, 1], and whether no other class is as
    frequent. found: integer `(N,)`, N > 0."""
    counts = np.bincount(found, minlength=classes)
    return float(counts[number] / counts.sum()), bool(counts[number] > np.delete(counts, number).max())


class Confusion:
    """Counts of (true class, found class) over photos; void pixels are left out."""

    def __init__(self, classes: int):
        self.counts = np.zeros((classes, classes), np.int64)

    def add(self, found: np.ndarray, true: np.ndarray, where: np.ndarray | None = None) -> None:
        """found and true: integer `(H, W)`, 255 in `true` = void; where: bool `(H, W)`, what is scored."""
        scored = true != VOID if where is None else (true != VOID) & where
        classes = len(self.counts)
        pairs = true[scored].astype(np.int64) * classes + found[scored].astype(np.int64)
        self.counts += np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)

    def accuracy(self) -> float:
        """Share of the scored pixels that are named right; nan without any."""
        total = self.counts.sum()
        return float(np.trace(self.counts) / total) if total else float("nan")

    def ious(self) -> np.ndarray:
        """Intersection over union of each class, `(classes,)`; nan for classes that no true pixel has."""
        true = self.counts.sum(axis=1)
        union = true + self.counts.sum(axis=0) - np.diag(self.counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(true > 0, np.diag(self.counts) / union, np.nan)

    def mean_iou(self, classes: list[int] | None = None) -> float:
        """Mean over the classes present (among `classes`, when given); nan without any."""
        ious = self.ious() if classes is None else self.ious()[classes]
        return float(np.nanmean(ious)) if np.isfinite(ious).any() else float("nan")
