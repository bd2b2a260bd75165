"""What one visitor has open: the photo, the results made from it, the newest map and variations."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sair_core.errors import PhotoError, SairError
from sair_core.photos.photo import Photo
from sair_core.semantics.map import SemanticMap

from .host.limits import limits

if TYPE_CHECKING:
    from sair_core.zoom.cache import FeatureCache

ORIGINAL = "original"
MAX_RESULTS = 20
# Folders of files made for one visitor, by kind. The browser may still fetch from a view before the newest.
MAX_FOLDERS = {"export": 1, "view": 4}


class NoPhotoError(PhotoError):
    """Nothing is open, or the server no longer has it."""


class LostPhotoError(NoPhotoError):
    """The page has a photo open that the server no longer has: it was started anew, or made room."""


class NoMapError(SairError):
    """No map was made of what is open."""


class Variations(NamedTuple):
    """Several fills of one hole to choose from.

    of: id of the photo that they fill. mask: bool `(H, W)`, what they filled. photos: the fills by seed.
    """

    of: str
    mask: np.ndarray
    photos: dict[int, Photo]


class MapRecord(NamedTuple):
    """A map, and what it was made with: enough to make it again at another scale.

    of: id of the photo that it shows. hole: bool `(H, W)`, what was not looked into; completed by the model
    where `complete`. encoder: its name, as the service takes it.
    """

    of: str
    map: SemanticMap
    hole: np.ndarray | None
    complete: bool
    encoder: str


class Session:
    """A photo, its results (oldest first; photos too, so that each can be filled again), its newest map and
    its newest variations.

    All that the visitor has under way at a time shares it.
    """

    def __init__(self, photo: Photo, before: Session | None = None):
        """before: the visitor's session so far; its files are deleted as newer ones are made."""
        self.photo = photo
        self.results: dict[str, Photo] = {}
        self.map: MapRecord | None = None
        self.variations: Variations | None = None
        self._count = 0
        self._features: FeatureCache | None = None
        self._running: dict[str, threading.Event] = {}
        self._folders: dict[str, list[Path]] = {} if before is None else before._folders

    @property
    def capacity(self) -> int:
        """How many results, or variations, of this photo's size are kept."""
        height, width = self.photo.size_px
        return max(2, min(MAX_RESULTS, limits().result_pixels // (height * width)))

    @property
    def features(self) -> FeatureCache:
        """What the model remembers of these photos, so that moving over them computes nothing twice."""
        if self._features is None:
            from sair_core.zoom.cache import FeatureCache  # brings torch, which building the page does not

            self._features = FeatureCache(limits().feature_bytes)
        return self._features

    def add(self, result: Photo, *, keep: str = ORIGINAL) -> str:
        """Keep a result and return its id, "1", "2", ... Beyond `capacity` the oldest ones are dropped, but
        never `keep`: the id of the one that is edited."""
        self._count += 1
        self.results[str(self._count)] = result
        others = [id for id in self.results if id != keep]
        for old in others[: max(0, len(self.results) - self.capacity)]:
            del self.results[old]
        return str(self._count)

    def get(self, id: str) -> Photo:
        """Return the photo ("original") or a result. Raises NoPhotoError when it is no longer kept."""
        if id == ORIGINAL:
            return self.photo
        if id not in self.results:
            raise NoPhotoError(
                "This result is no longer kept. Choose a newer one, or the original, and go on."
            )
        return self.results[id]

    def get_map(self, of: str | None = None) -> MapRecord:
        """Return the newest map. Raises NoMapError where there is none, or with `of` none of that photo."""
        if self.map is None or of not in (None, self.map.of):
            raise NoMapError("There is no map of this photo yet. Type labels and press Show map.")
        return self.map

    def begin(self, kind: str) -> threading.Event:
        """Begin work of a kind ("view", "export") and stop the work of that kind before it. Return the event
        that is set when the new work is to stop, too."""
        self.stop(kind)
        stopped = self._running[kind] = threading.Event()
        return stopped

    def stop(self, *kinds: str) -> None:
        """Stop the work under way, of all kinds unless some are named."""
        for kind in kinds or list(self._running):
            if kind in self._running:
                self._running[kind].set()

    def forget(self) -> None:
        """Drop what can be made again: map, variations, views, what the model remembers of the photos."""
        self.map = self.variations = self._features = None
        for folder in self._folders.pop("view", []):
            shutil.rmtree(folder, ignore_errors=True)

    def keep_folder(self, kind: str, folder: Path) -> None:
        """Keep the folder of the newest file of a kind, and delete those beyond MAX_FOLDERS."""
        folders = self._folders.setdefault(kind, [])
        folders.append(folder)
        while len(folders) > MAX_FOLDERS[kind]:
            shutil.rmtree(folders.pop(0), ignore_errors=True)
