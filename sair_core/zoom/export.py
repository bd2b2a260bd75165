"""A photo, or a part of it, written at any size: piece by piece, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from sair_core.errors import ConfigError, PhotoError, PhotoTooLargeError
from sair_core.files import replacing
from sair_core.photos.formats import FORMAT_BY_SUFFIX, WRITABLE_FORMATS
from sair_core.photos.photo import LUMA, Photo
from sair_core.photos.write import check_quality, write_pixels
from sair_core.progress import Cancelled, Progress, raise_if_cancelled
from sair_core.window import Window, resample
from sair_core.zoom.function import PhotoFunction
from sair_core.zoom.tiles import Span, cut

BLOCK_PX = 512  # side of what is computed at once
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
MAX_WHOLE_MEGAPIXELS = 100  # of the formats that are put together in memory
GREY_MODES = ("L", "LA", "I;16")


def read_format(path: Path, quality: int) -> str:
    """Return the format of FORMATS that a suffix says.

    Raises ConfigError for another suffix, and for a quality outside 1 to 100.
    """
    found = FORMAT_BY_SUFFIX.get(path.suffix.lower())
    if found is None or found.name not in FORMATS:
        suffixes = (suffix for format in FORMATS for suffix in WRITABLE_FORMATS[format].suffixes)
        raise ConfigError(f"{path.name!r} must end in one of {', '.join(suffixes)}.")
    check_quality(quality)
    return found.name


def export(
    function: PhotoFunction,
    path: str | Path,
    window: Window,
    *,
    quality: int,
    progress: Progress,
    cancelled: Cancelled,
) -> None:
    """Write a window that lies in the photo. The file is there whole, or not at all.

    The suffix says the format. Grey stays grey; alpha, and in PNG and TIFF 16 bits a channel, are kept, and
    what `photos.metadata` allows but the place. A TIFF goes straight to disk, in tiles.
    Raises what `read_format` raises, PhotoTooLargeError, CancelledError.
    """
    path = Path(path)
    format = read_format(path, quality)
    height, width = window.size_px
    if format != "TIFF" and height * width > MAX_WHOLE_MEGAPIXELS * 1e6:
        raise PhotoTooLargeError(
            f"{width} x {height} px is {height * width / 1e6:.0f} megapixels, more than the "
            f"{MAX_WHOLE_MEGAPIXELS} that {format} is written with. Save as .tif, which goes straight to "
            "disk, or choose a smaller scale."
        )
    pieces = _Pieces(
        function,
        window,
        progress,
        cancelled,
        by_rows=format == "TIFF",
        deep=function.photo.bits == 16 and format in ("PNG", "TIFF"),
    )
    try:
        with replacing(path) as temporary:
            if format == "TIFF":
                _write_tiff(temporary, pieces)
            else:
                pixels = pieces.put_together()
                progress(1.0, "Writing the file")
                with open(temporary, "wb") as file:
                    write_pixels(pixels, pieces.metadata, file, format, quality)
            raise_if_cancelled(cancelled)
    except OSError as error:
        raise PhotoError(
            f"{path} cannot be written ({error}). Choose another folder, or make room on the disk."
        ) from error


class _Pieces:
    """The pixels to write, in the photo's own kind: blocks of BLOCK_PX."""

    def __init__(
        self,
        function: PhotoFunction,
        window: Window,
        progress: Progress,
        cancelled: Cancelled,
        *,
        by_rows: bool,
        deep: bool,
    ):
        """by_rows: on one grid, row by row; else tile by tile, so that few tiles are needed at once.

        deep: with 16 bits a channel.
        """
        self.function, self.window, self.deep = function, window, deep
        self.dtype = np.dtype(np.uint16 if deep else np.uint8)
        self.progress, self.cancelled = progress, cancelled
        self.photo: Photo = function.photo
        self.grey = self.photo.mode in GREY_MODES
        self.alpha = self.photo.alpha
        if self.alpha is not None and deep:
            self.alpha = self.photo.pixels[..., -1]
        self.metadata = self.photo.metadata.without_gps()
        self.bands = (1 if self.grey else 3) + (self.alpha is not None)
        rows, columns = (
            [slice(0, window.size_px[axis])] if by_rows else _cut_at_tiles(spans, window.centres(axis))
            for axis, spans in enumerate((function.rows, function.columns))
        )
        self.blocks = [
            block
            for band in rows
            for other in columns
            for block in product(cut(band, BLOCK_PX), cut(other, BLOCK_PX))
        ]

    def __iter__(self) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
        """Place and pixels, `(h, w, bands)` of `dtype`."""
        for i, block in enumerate(self.blocks):
            part = self.window.part(*block)
            pixels = self.function.render(part, cancelled=self.cancelled, deep=self.deep)
            if self.grey:
                pixels = np.rint(pixels @ LUMA).astype(self.dtype)[..., None]
            if self.alpha is not None:
                pixels = np.dstack([pixels, resample(self.alpha, part, "bicubic")])
            yield block, pixels
            self.progress((i + 1) / len(self.blocks), f"Rendering {(i + 1) / len(self.blocks):.0%}")

    def put_together(self) -> np.ndarray:
        """Return all pixels, `(H, W, bands)`, or `(H, W)` of one band."""
        out = np.empty((*self.window.size_px, self.bands), self.dtype)
        for block, piece in self:
            out[block] = piece
        return out[..., 0] if self.bands == 1 else out


def _cut_at_tiles(spans: Sequence[Span], centres: np.ndarray) -> list[slice]:
    """Cut output pixels at these centres (photo px) along an axis where a tile begins."""
    borders = [span.low for span in spans if span.fade_in]
    cuts = sorted({0, *np.searchsorted(centres, borders).tolist(), len(centres)})
    return [slice(*pair) for pair in zip(cuts, cuts[1:])]


def _write_tiff(path: Path, pieces: _Pieces) -> None:
    import tifffile  # comes with scikit-image; only needed here

    def tiles() -> Iterator[np.ndarray]:
        for _, pixels in pieces:
            height, width, _ = pixels.shape
            padded = np.pad(pixels, ((0, BLOCK_PX - height), (0, BLOCK_PX - width), (0, 0)))
            yield padded if bands > 1 else padded[..., 0]

    bands = pieces.bands
    tifffile.imwrite(
        path,
        tiles(),
        shape=(*pieces.window.size_px, *((bands,) if bands > 1 else ())),
        dtype=pieces.dtype,
        tile=(BLOCK_PX, BLOCK_PX),
        photometric="minisblack" if pieces.grey else "rgb",
        planarconfig="contig" if bands > 1 else None,
        extrasamples=["unassalpha"] if pieces.alpha is not None else None,
        compression="zlib",
        compressionargs={"level": 3},
        iccprofile=pieces.metadata.icc_profile,
        resolution=pieces.metadata.dpi,
        resolutionunit="inch" if pieces.metadata.dpi else None,
        extratags=[(number, "s", 0, text, True) for number, text in pieces.metadata.texts()],
        bigtiff=pieces.window.size_px[0] * pieces.window.size_px[1] * bands * pieces.dtype.itemsize > 2**31,
        software="SAIR Studio",
        metadata=None,
    )
