"""What a model makes of a hole, kept for the next fill of it."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable

import numpy as np
from cachetools import LRUCache

from sair_core.photos.photo import Photo

MAX_BYTES = 32 * 2**20


class GuideCache:
    """Fills by a model of one photo's holes, by hole and detail; those of the photo before are dropped.

    Another seed, another source or other options of the texture then need no model.
    """

    def __init__(self, max_bytes: int = MAX_BYTES):
        """max_bytes: of all fills together; one that is larger by itself is not kept."""
        self._photo: weakref.ref[Photo] | None = None
        self._fills: LRUCache[bytes, np.ndarray] = LRUCache(max_bytes, lambda fill01: fill01.nbytes)

    def get(
        self, photo: Photo, hole: np.ndarray, detail_px: int | None, make: Callable[[], np.ndarray]
    ) -> np.ndarray:
        """Return the fill of a hole, bool `(H, W)`; `make` makes it where it is not kept.

        detail_px: the thickness to which thicker holes are reduced.
        """
        if self._photo is None or self._photo() is not photo:
            self.clear()
            self._photo = weakref.ref(photo)
        digest = hashlib.blake2b(repr(detail_px).encode(), digest_size=16)
        digest.update(np.packbits(hole).data)
        key = digest.digest()
        if key in self._fills:
            return self._fills[key]
        fill01 = make()
        if fill01.nbytes <= self._fills.maxsize:
            self._fills[key] = fill01
        return fill01

    def clear(self) -> None:
        """Drop all fills."""
        self._photo = None
        self._fills.clear()
