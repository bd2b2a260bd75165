"""A photo, or a part of it, written at any size: piece by piece, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from sair_core.errors import ConfigError, PhotoError, PhotoTooLargeError
from sair_core.files import replacing
from sair_core.photos.formats import FORMAT_BY_SUFFIX, MODES, WRITABLE_FORMATS
from sair_core.photos.photo import LUMA, Photo
from sair_core.photos.write import write_image
from sair_core.progress import Cancelled, Progress, raise_if_cancelled
from sair_core.window import Window, resample
from sair_core.zoom.function import PhotoFunction
from sair_core.zoom.tiles import Span, cut

BLOCK_PX = 512  # side of what is computed at once
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
MAX_WHOLE_MEGAPIXELS = 100  # of the formats that are put together in memory
GREY_MODES = ("L", "LA", "I;16")


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

    The suffix says the format. Grey stays grey, alpha and the ICC profile are kept; 8 bits a channel. A TIFF
    goes straight to disk, in tiles.
    Raises ConfigError (suffix), PhotoTooLargeError, CancelledError.
    """
    path = Path(path)
    found = FORMAT_BY_SUFFIX.get(path.suffix.lower())
    if found is None or found.name not in FORMATS:
        suffixes = (suffix for format in FORMATS for suffix in WRITABLE_FORMATS[format].suffixes)
        raise ConfigError(f"{path.name!r} must end in one of {', '.join(suffixes)}.")
    format = found.name
    height, width = window.size_px
    if format != "TIFF" and height * width > MAX_WHOLE_MEGAPIXELS * 1e6:
        raise PhotoTooLargeError(
            f"{width} x {height} px is {height * width / 1e6:.0f} megapixels, more than the "
            f"{MAX_WHOLE_MEGAPIXELS} that {format} is written with. Save as .tif, which goes straight to "
            "disk, or choose a smaller scale."
        )
    pieces = _Pieces(function, window, progress, cancelled, by_rows=format == "TIFF")
    try:
        with replacing(path) as temporary:
            if format == "TIFF":
                _write_tiff(temporary, pieces)
            else:
                image = pieces.image()
                progress(1.0, "Writing the file")
                with open(temporary, "wb") as file:
                    write_image(image, file, format, quality)
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
    ):
        """by_rows: on one grid, row by row; else tile by tile, so that few tiles are needed at once."""
        self.function, self.window = function, window
        self.progress, self.cancelled = progress, cancelled
        self.photo: Photo = function.photo
        self.grey = self.photo.mode in GREY_MODES
        self.alpha = self.photo.alpha
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
        """Place and pixels, uint8 `(h, w, bands)`."""
        for i, block in enumerate(self.blocks):
            part = self.window.part(*block)
            pixels = self.function.render(part, cancelled=self.cancelled)
            if self.grey:
                pixels = np.rint(pixels @ LUMA).astype(np.uint8)[..., None]
            if self.alpha is not None:
                pixels = np.dstack([pixels, resample(self.alpha, part, "bicubic")])
            yield block, pixels
            self.progress((i + 1) / len(self.blocks), f"Rendering {(i + 1) / len(self.blocks):.0%}")

    def image(self) -> Image.Image:
        height, width = self.window.size_px
        image = Image.new(MODES[self.bands], (width, height))
        for (rows, columns), piece in self:
            pixels = piece.squeeze(2) if self.bands == 1 else piece
            image.paste(Image.fromarray(pixels), (columns.start, rows.start))
        if self.photo.icc_profile:
            image.info["icc_profile"] = self.photo.icc_profile
        return image


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
        dtype=np.uint8,
        tile=(BLOCK_PX, BLOCK_PX),
        photometric="minisblack" if pieces.grey else "rgb",
        planarconfig="contig" if bands > 1 else None,
        extrasamples=["unassalpha"] if pieces.alpha is not None else None,
        compression="zlib",
        compressionargs={"level": 3},
        iccprofile=pieces.photo.icc_profile,
        bigtiff=pieces.window.size_px[0] * pieces.window.size_px[1] * bands > 2**31,
        software="SAIR Studio",
        metadata=None,
    )
