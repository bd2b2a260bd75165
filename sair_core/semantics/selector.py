"""From points to the object under them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from cachetools import LRUCache
from scipy import ndimage
from torch import Tensor

from sair_core.errors import PointError
from sair_core.holes import to_rgb01
from sair_core.models.load import find_folder
from sair_core.models.selection import Meaning, SelectionNet, click_maps
from sair_core.photos.masks import grow
from sair_core.semantics.edges import refine_edges
from sair_core.semantics.points import Labels, Points, check_points
from sair_core.semantics.reader import SemanticReader
from sair_core.semantics.words import COCO_THINGS, vocabulary
from sair_core.stages import stage
from sair_core.weights.bundled import BUNDLED_SELECTION

GUIDE_PX = 512  # long side of the colours that its border follows
FOCUS = 1.5  # side of the part around an object that is looked at again, in units of the object's
FOCUS_SHARE = 0.7  # of the photo: no larger part is looked at again
FOCUS_STEP_PX = 4  # of the guide, between the places whose meaning is sampled there
MAX_READINGS = 8  # of photos, that are remembered


@dataclass(frozen=True, eq=False)
class PhotoReading:
    """What is kept of a photo for every click on it.

    guide01: float32 `(1, 3, h, w)` in [0, 1], the photo at GUIDE_PX.
    """

    meaning: Meaning
    guide01: Tensor


class PointSelector:
    """Selects objects in photos by points inside and outside of them."""

    def __init__(self, reader: SemanticReader, model: SelectionNet):
        """reader: what embeds photos; model: what knows objects."""
        self.reader, self.model = reader, model.eval()
        self._readings: LRUCache[bytes, PhotoReading] = LRUCache(MAX_READINGS)

    @classmethod
    def from_pretrained(cls, reader: SemanticReader, model: str | Path = BUNDLED_SELECTION) -> PointSelector:
        """Build a selector with a model by bundled name, folder or hub id.

        Raises ModelNotFoundError, CheckpointError.
        """
        return cls(reader, SelectionNet.from_pretrained(find_folder(model) or model))

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
            raise PointError(f"A selection must grow by 0 px or more, not {grow_px:g}.")
        reading = self.read(rgb)
        share = self._share(reading, points / rgb.shape[1::-1], inside)
        guide01 = reading.guide01[0].permute(1, 2, 0).numpy()
        with stage("edges"):
            mask = refine_edges(share, guide01, rgb)
        columns, rows = points.astype(int).T
        mask[rows, columns] = inside
        return grow(mask, grow_px)

    def read(self, rgb: np.ndarray) -> PhotoReading:
        """Return what is needed of a photo, uint8 `(H, W, 3)`, for every click on it; remembered."""
        key = hashlib.blake2b(np.ascontiguousarray(rgb).data, key=repr(rgb.shape).encode()).digest()
        if key not in self._readings:
            scale = min(1.0, GUIDE_PX / max(rgb.shape[:2]))
            size_px = tuple(max(1, round(n * scale)) for n in rgb.shape[:2])
            guide01 = F.interpolate(to_rgb01(rgb), size_px, mode="bilinear", antialias=True)
            self._readings[key] = PhotoReading(read_meaning(self.reader, rgb), guide01)
        return self._readings[key]

    @torch.inference_mode()
    def _share(self, reading: PhotoReading, places_xy: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return how much each place of the guide belongs to the object, float32 `(h, w)` in [0, 1].

        The object is searched for in the whole photo first, then once more in the part around it that was
        found, where it is larger.
        """
        size = np.array(reading.guide01.shape[2:])
        columns, rows = (places_xy * size[::-1]).astype(int).T
        share = keep_touched(self._search(reading, places_xy, inside), rows, columns, inside)
        found = np.argwhere(share > 0.5)
        first, last = found.min(axis=0), found.max(axis=0) + 1
        side = FOCUS * (last - first).max()
        first = np.floor(np.minimum((first + last - side) / 2, first)).clip(0).astype(int)
        last = np.minimum(np.ceil(first + side), size).astype(int)
        if (last - first).prod() > FOCUS_SHARE * size.prod():
            return share
        part = slice(first[0], last[0]), slice(first[1], last[1])
        within = (rows >= first[0]) & (rows < last[0]) & (columns >= first[1]) & (columns < last[1])
        places = (places_xy[within] * size[::-1] - first[::-1]) / (last - first)[::-1]
        larger = np.zeros_like(share)
        larger[part] = self._search(_part_of(reading, *part), places, inside[within])
        return keep_touched(larger, rows, columns, inside)

    @stage("search")
    def _search(self, reading: PhotoReading, places_xy: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return what the model says of every place of the guide, float32 `(h, w)` in [0, 1]."""
        size_px = reading.guide01.shape[2:]
        rgb01 = F.interpolate(reading.guide01, self.model.work_size(size_px), mode="bilinear", antialias=True)
        places = torch.from_numpy(places_xy).float().clamp(0, 1 - 1e-6)
        maps = click_maps(rgb01[0], reading.meaning, places, torch.from_numpy(inside))
        logits = F.interpolate(self.model(maps[None]), size_px, mode="bilinear", align_corners=False)
        return logits[0, 0].sigmoid().numpy()


def read_meaning(reader: SemanticReader, rgb: np.ndarray) -> Meaning:
    """Return what a reader makes of a photo, uint8 `(H, W, 3)`, on the CPU."""
    words = list(dict.fromkeys(vocabulary("coco")))
    vectors = reader.read(rgb).vectors.cpu()
    logits = torch.einsum("dhw,kd->khw", vectors, reader.text.embed(words).cpu())
    return Meaning(vectors, (reader.encoder.logit_scale.exp().cpu() * logits).softmax(dim=0), COCO_THINGS)


def _part_of(reading: PhotoReading, rows: slice, columns: slice) -> PhotoReading:
    """Return the reading of a part of the photo, given in px of the guide."""
    height, width = reading.guide01.shape[2:]
    y = (torch.arange(rows.start, rows.stop, FOCUS_STEP_PX) + FOCUS_STEP_PX / 2) / height
    x = (torch.arange(columns.start, columns.stop, FOCUS_STEP_PX) + FOCUS_STEP_PX / 2) / width
    meaning = reading.meaning.sample(torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1))
    return PhotoReading(meaning, reading.guide01[:, :, rows, columns])


def keep_touched(share: np.ndarray, rows: np.ndarray, columns: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return a map `(h, w)` with only those regions above a half that a point inside touches.

    The cells of the points themselves are what the points say.
    """
    share = share.copy()
    share[rows[~inside], columns[~inside]] = 0
    share[rows[inside], columns[inside]] = 1  # last: something is always touched
    regions, _ = ndimage.label(share > 0.5)
    touched = np.isin(regions, regions[rows[inside], columns[inside]]) & (regions > 0)
    return np.where(touched | (regions == 0), share, 0)
