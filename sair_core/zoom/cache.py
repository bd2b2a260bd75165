"""What a model has computed of photos, tile by tile, kept for the windows that are asked for next."""

from __future__ import annotations

import hashlib
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from cachetools import LRUCache
from torch import Tensor

from sair_core.config import require
from sair_core.models.sair import SairFeatures
from sair_core.photos.photo import Photo
from sair_core.zoom.tiles import Region

MAX_BYTES = 512 * 2**20


@dataclass(frozen=True, eq=False)
class Tile:
    """What is kept of a tile: enough to answer for any coordinate in it.

    features: of the encoded region, a batch of one. missing: float16 `(3, h, w)` on the CPU, what the
    function lacks at each pixel that the tile answers for and a few around; edges repeated outside the photo.
    """

    features: SairFeatures
    missing: Tensor

    @property
    def size_bytes(self) -> int:
        """What it takes in memory."""
        tensors = (self.features.projected, self.features.start01, self.missing)
        return sum(t.numel() * t.element_size() for t in tensors if t is not None)


class FeatureCache:
    """Tiles by the content of their pixels, the least recently used dropped beyond `max_bytes`.

    Keep one for each visitor. Photos that share pixels, such as one and its filled result, share tiles. Safe
    to use from several threads.
    """

    def __init__(self, max_bytes: int = MAX_BYTES):
        """max_bytes: of all tiles together. A tile that is larger by itself counts as so many, and is kept
        alone. Raises ConfigError below 1."""
        require(max_bytes >= 1, f"A feature cache needs 1 byte or more, got {max_bytes}.")
        self._tiles: LRUCache[bytes, Tile] = LRUCache(max_bytes, lambda tile: min(tile.size_bytes, max_bytes))
        self._keys: weakref.WeakKeyDictionary[Photo, dict[Region, bytes]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def max_bytes(self) -> int:
        """The limit."""
        return int(self._tiles.maxsize)

    @property
    def size_bytes(self) -> int:
        """What all tiles take in memory, at most `max_bytes`."""
        return int(self._tiles.currsize)

    def __len__(self) -> int:
        return len(self._tiles)

    def tile(self, photo: Photo, region: Region, model: bytes, make: Callable[[], Tile]) -> Tile:
        """Return the tile of this region of the photo; `make` makes it where it is not kept."""
        key = self._key(photo, region, model)
        with self._lock:
            if key in self._tiles:
                return self._tiles[key]
        tile = make()
        with self._lock:
            self._tiles[key] = tile
        return tile

    def clear(self) -> None:
        """Drop all tiles."""
        with self._lock:
            self._tiles.clear()
            self._keys.clear()

    def _key(self, photo: Photo, region: Region, model: bytes) -> bytes:
        with self._lock:
            keys = self._keys.setdefault(photo, {})
        if region not in keys:
            colours = photo.colours[region.rows.encoded, region.columns.encoded]
            facts = (colours.shape, colours.dtype.str, region.shape)
            digest = hashlib.blake2b(repr(facts).encode(), digest_size=16)
            digest.update(np.ascontiguousarray(colours).data)
            keys[region] = digest.digest()
        return model + keys[region]


def model_key() -> bytes:
    """Return a name in the cache for what one pipeline computes, that no other one has."""
    return os.urandom(8)
