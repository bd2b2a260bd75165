"""From points to the object under them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from cachetools import LRUCache
from scipy import ndimage
from torch import Tensor

from sair_core.errors import PointError
from sair_core.holes import to_rgb01
from sair_core.photos.masks import grow
from sair_core.semantics.edges import refine_edges
from sair_core.semantics.points import Labels, Points, check_points
from sair_core.semantics.reader import SemanticReader

WORK_PX = 256  # long side at which an object is searched for
GUIDE_PX = 512  # long side of the colours that its border follows
MAX_READINGS = 8  # of photos, that are remembered


@dataclass(frozen=True, eq=False)
class PhotoReading:
    """What is kept of a photo for every click on it.

    vectors: unit vectors `(D, h, w)`. guide01: float32 `(h, w, 3)` in [0, 1], the photo at GUIDE_PX.
    """

    vectors: Tensor
    guide01: np.ndarray


class PointSelector:
    """Selects objects in photos by points inside and outside of them."""

    def __init__(self, reader: SemanticReader):
        """reader: what embeds photos."""
        self.reader = reader
        self._readings: LRUCache[bytes, PhotoReading] = LRUCache(MAX_READINGS)

    def close(self) -> None:
        """Free what is remembered of photos. The selector may be used again."""
        self._readings.clear()

    def select(
        self, rgb: np.ndarray, points_xy: Points, labels: Labels | None = None, *, grow_px: float = 0.0
    ) -> np.ndarray:
        """Return the mask, bool `(H, W)`, of the object that the points mark.

        rgb: uint8 `(H, W, 3)`. points_xy: `(N, 2)` in pixels, pixel i of an axis from i to i + 1. labels:
        `(N,)`, True = inside the object, False = outside; None: all inside. grow_px: what lies so near to the
        object is selected, too. The photo is read once, and remembered.

        Raises PointError for points outside the photo or none inside the object.
        """
        points, inside = check_points(points_xy, labels, rgb.shape[:2])
        if not grow_px >= 0:
            raise PointError(f"A selection grows by 0 px or more, not {grow_px:g}.")
        reading = self.read(rgb)
        share = self._share(reading, points / rgb.shape[1::-1], inside)
        return grow(refine_edges(share, reading.guide01, rgb), grow_px)

    def read(self, rgb: np.ndarray) -> PhotoReading:
        """Return what is needed of a photo, uint8 `(H, W, 3)`, for every click on it; remembered."""
        key = hashlib.blake2b(np.ascontiguousarray(rgb).data, key=repr(rgb.shape).encode()).digest()
        if key not in self._readings:
            size_px = reduced_size(rgb.shape[:2], GUIDE_PX)
            guide01 = F.interpolate(to_rgb01(rgb), size_px, mode="bilinear", antialias=True)
            self._readings[key] = PhotoReading(
                self.reader.read(rgb).vectors.cpu(), guide01[0].permute(1, 2, 0).numpy()
            )
        return self._readings[key]

    @torch.inference_mode()
    def _share(self, reading: PhotoReading, places: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return how much each place of the guide belongs to the object, float32 `(h, w)` in [0, 1]."""
        size_px = reading.guide01.shape[:2]
        cells = reading.vectors.shape[1:]
        at = (places * cells[::-1]).astype(int).T
        alike = torch.einsum("dn,dhw->nhw", reading.vectors[:, at[1], at[0]], reading.vectors)
        others = alike.mean(dim=(1, 2)).max()
        wanted = alike[inside].amax(dim=0)
        if not inside.all():
            others = torch.maximum(alike[~inside].amax(dim=0), others)
        score = 20 * (wanted - others - 0.5 * (1 - others))
        score = F.interpolate(score[None, None], size_px, mode="bilinear", align_corners=False)
        columns, rows = (places * size_px[::-1]).astype(int).T
        return keep_touched(score[0, 0].sigmoid().numpy(), rows, columns, inside)


def keep_touched(share: np.ndarray, rows: np.ndarray, columns: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return a map `(h, w)` with only those regions above a half that a point inside touches.

    The cells of the points themselves are what the points say.
    """
    share = share.copy()
    share[rows[inside], columns[inside]] = 1
    share[rows[~inside], columns[~inside]] = 0
    regions, _ = ndimage.label(share > 0.5)
    touched = np.isin(regions, regions[rows[inside], columns[inside]]) & (regions > 0)
    return np.where(touched | (regions == 0), share, 0)


def reduced_size(size_px: tuple[int, ...], long_px: int) -> tuple[int, int]:
    """Return `(height, width)` with a long side of at most `long_px`, in the photo's proportions."""
    scale = min(1.0, long_px / max(size_px))
    height, width = (max(1, round(n * scale)) for n in size_px)
    return height, width
