"""What one visitor has open: the photo and the results made from it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sair_core.errors import PhotoError, SairError
from sair_core.photos.photo import Photo
from sair_core.semantics.map import SemanticMap

from .host.limits import hosted

if TYPE_CHECKING:
    from sair_core.zoom.cache import FeatureCache

ORIGINAL = "original"
MAX_RESULTS = 20
MAX_PIXELS, HOSTED_PIXELS = 240_000_000, 48_000_000  # of all results together: 0.7 and 0.14 GB as RGB
# Folders of files made for one visitor, by kind. The browser may still fetch from a view before the newest.
KEPT_FOLDERS = {"export": 1, "view": 4}
FEATURE_BYTES, HOSTED_FEATURE_BYTES = 512 * 2**20, 128 * 2**20  # what the model remembers for one visitor


class NoPhotoError(PhotoError):
    """Nothing is open, or the server no longer has it."""


class NoMapError(SairError):
    """No map was made of what is open."""


class Tries(NamedTuple):
    """Several fills of one hole to choose from. of: id of the photo that they fill; mask: bool `(H, W)`;
    photos: by seed."""

    of: str
    mask: np.ndarray
    photos: dict[int, Photo]


class MadeMap(NamedTuple):
    """A map, and what it was made with: enough to make it again at another scale.

    of: id of the photo it shows. hole: bool `(H, W)`, what was not looked into; completed by the model where
    `complete`. encoder: its name, as the service takes it.
    """

    of: str
    map: SemanticMap
    hole: np.ndarray | None
    complete: bool
    encoder: str


class Session:
    """A photo, its results (oldest first; photos too, so that each can be filled again), its newest map and
    its newest variations.

    It is shared by all that the visitor has under way at a time.
    """

    def __init__(self, photo: Photo, before: Session | None = None):
        """before: the visitor's session so far; its files go as newer ones are made."""
        self.photo = photo
        self.results: dict[str, Photo] = {}
        self.map: MadeMap | None = None
        self.tries: Tries | None = None
        self._count = 0
        self._features: FeatureCache | None = None
        self._signs: dict[str, threading.Event] = {}
        self._folders: dict[str, list[Path]] = {} if before is None else before._folders

    def add(self, result: Photo, *, keep: str = ORIGINAL) -> str:
        """Keep a result and let the oldest ones go where they are too many, but not `keep`: the id of the
        one that is edited. Returns its own id, "1", "2", ..."""
        self._count += 1
        self.results[str(self._count)] = result
        others = [id for id in self.results if id != keep]
        for old in others[: max(0, len(self.results) - self.room)]:
            del self.results[old]
        return str(self._count)

    @property
    def room(self) -> int:
        """How many pictures of this photo's size are kept of a kind."""
        height, width = self.photo.size_px
        pixels = HOSTED_PIXELS if hosted() else MAX_PIXELS
        return max(2, min(MAX_RESULTS, pixels // (height * width)))

    def get(self, id: str) -> Photo:
        """The photo ("original") or a result by id. Raises NoPhotoError when it is gone."""
        if id == ORIGINAL:
            return self.photo
        if id not in self.results:
            raise NoPhotoError(
                "This result is no longer kept. Choose a newer one, or the original, and go on."
            )
        return self.results[id]

    @property
    def features(self) -> FeatureCache:
        """What the model remembers of these photos, so that moving over them computes nothing twice."""
        if self._features is None:
            from sair_core.zoom.cache import FeatureCache  # brings torch, which the page does without

            self._features = FeatureCache(HOSTED_FEATURE_BYTES if hosted() else FEATURE_BYTES)
        return self._features

    def begin(self, kind: str) -> threading.Event:
        """A sign that new work of a kind ("view", "export") is to stop; older work of that kind stops now."""
        self.stop(kind)
        sign = self._signs[kind] = threading.Event()
        return sign

    def stop(self, *kinds: str) -> None:
        """Stop the work under way, of all kinds unless some are named."""
        for kind in kinds or list(self._signs):
            if kind in self._signs:
                self._signs[kind].set()

    def forget(self) -> None:
        """Let go what can be made again: map, variations, views, what the model remembers of the photos."""
        self.map = self.tries = self._features = None
        for folder in self._folders.pop("view", []):
            shutil.rmtree(folder, ignore_errors=True)

    def keep_folder(self, kind: str, folder: Path) -> None:
        """Remember where the newest file of a kind lies; what is older than KEPT_FOLDERS goes."""
        folders = self._folders.setdefault(kind, [])
        folders.append(folder)
        while len(folders) > KEPT_FOLDERS[kind]:
            shutil.rmtree(folders.pop(0), ignore_errors=True)
