"""What one visitor has open: the photo and the results made from it."""

from __future__ import annotations

from sair_core.errors import PhotoError, SairError
from sair_core.images import Photo
from sair_core.semantic_map import SemanticMap

ORIGINAL = "original"
MAX_RESULTS = 20
MAX_PIXELS = 240_000_000  # of all results together: about 0.7 GB as RGB


class NoPhotoError(PhotoError):
    """Nothing is open, or the server no longer has it."""


class NoMapError(SairError):
    """No map was made of what is open."""


class Session:
    """A photo, its results (oldest first; photos too, so that each can be filled again), its newest map."""

    def __init__(self, photo: Photo):
        self.photo = photo
        self.results: dict[str, Photo] = {}
        self.map: tuple[str, SemanticMap] | None = None  # the newest, and the id of the photo it shows
        self._count = 0

    def add(self, result: Photo) -> str:
        """Keep a result and let the oldest ones go where they are too many. Returns its id, "1", "2", ..."""
        self._count += 1
        self.results[str(self._count)] = result
        height, width = self.photo.size_px
        room = max(2, min(MAX_RESULTS, MAX_PIXELS // (height * width)))
        for old in list(self.results)[:-room]:
            del self.results[old]
        return str(self._count)

    def get(self, id: str) -> Photo:
        """The photo ("original") or a result by id. Raises NoPhotoError when it is gone."""
        if id == ORIGINAL:
            return self.photo
        if id not in self.results:
            raise NoPhotoError(
                "This result is no longer kept. Choose a newer one, or the original, and go on."
            )
        return self.results[id]
