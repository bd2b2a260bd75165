"""Which of a TIFF file's pictures is the photo."""

from __future__ import annotations

from dataclasses import dataclass

from sair_core.errors import PhotoError
from sair_core.photos.tiff import EXIF_PREFIX, Directory, TiffBlock

SUBFILE_TYPE, WIDTH, HEIGHT, PHOTOMETRIC, SUB_DIRECTORIES = 254, 256, 257, 262, 330
TURNING = {274, 700}  # the orientation, and XMP, which may hold it
REDUCED, MASK = 1, 4  # bits of the subfile type: a smaller copy, a mask of another page
SENSOR = {32803, 34892}  # photometric interpretations: mosaic and linear data of a sensor
DNG_VERSION = 50706
MAX_SUB_DIRECTORIES = 16


@dataclass(frozen=True)
class Page:
    """The photo of a TIFF file. data: a file whose first directory it is. several: there are more pages."""

    directory: Directory
    data: bytes
    several: bool

    def as_stored(self) -> bytes:
        """Return the file without what says how to turn it."""
        tags, block = self.directory.tags, TiffBlock.open(self.data)
        if block is None or not TURNING.intersection(tags):
            return self.data
        return block.without(self.directory, TURNING)

    @property
    def size_px(self) -> tuple[int, int]:
        """(height, width), 0 where the file does not say."""
        return self.directory.integer(HEIGHT), self.directory.integer(WIDTH)


def find_main_page(data: bytes) -> Page | None:
    """Return the photo of a TIFF file: its first page that is no preview and no mask; None for other files.

    Raises PhotoError for a raw file of a camera, of which only a preview could be shown.
    """
    block = TiffBlock.open(data)
    if block is None or data[:6] == EXIF_PREFIX:
        return None
    chain = list(block.directories())
    if _is_raw(block, chain):
        raise PhotoError(
            "This is a camera's raw file, of which only the preview could be opened: develop it first, and "
            "save it as TIFF, PNG or JPEG."
        )
    pages = [page for page in chain if page.integer(SUBFILE_TYPE) & (REDUCED | MASK) == 0]
    page = (pages or chain or [Directory({})])[0]
    is_first = not chain or page is chain[0]
    return Page(page, data if is_first else block.starting_at(page), len(pages) > 1)


def _is_raw(block: TiffBlock, chain: list[Directory]) -> bool:
    if not chain:
        return False
    first = chain[0]
    sub = first.tags.get(SUB_DIRECTORIES)
    below = [block.directory(at) for at in sub.integers[:MAX_SUB_DIRECTORIES]] if sub else []
    if DNG_VERSION in first.tags or bytes(block.data[8:10]) == b"CR":
        return True
    if any(page.integer(PHOTOMETRIC) in SENSOR for page in [*chain, *below]):
        return True
    # A small copy first, and the photo itself where only its maker's programs look for it.
    only_previews = all(page.integer(SUBFILE_TYPE) & REDUCED for page in chain)
    return only_previews and any(not page.integer(SUBFILE_TYPE) & REDUCED for page in below)
