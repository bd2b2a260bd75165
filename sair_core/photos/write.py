"""Pictures into files: what each format can hold, and what is written beside the pixels."""

from __future__ import annotations

import dataclasses
import io
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from sair_core.errors import ConfigError, PhotoTooLargeError
from sair_core.photos.containers import attach_to_tiff
from sair_core.photos.deep import encode_png
from sair_core.photos.formats import WRITABLE_FORMATS, flatten_on_white, format_size, to_8_bit, to_photo_mode
from sair_core.photos.metadata import Metadata, exif_with_dpi, read_metadata, tiff_order
from sair_core.photos.photo import Photo
from sair_core.photos.png import attach_to_png

JPEG_EXIF_BYTES = 65_533
PNG_LEVEL = 3  # three times as fast as the default, files hardly larger
TIFF_LEVEL = 3


def encode_image(
    image: Photo | Image.Image, format: str, quality: int = 95, *, keep_gps: bool = False
) -> bytes:
    """Return the bytes of the file that `write_image` writes."""
    buffer = io.BytesIO()
    write_image(image, buffer, format, quality, keep_gps=keep_gps)
    return buffer.getvalue()


def write_image(
    image: Photo | Image.Image, file: BinaryIO, format: str, quality: int = 95, *, keep_gps: bool = False
) -> None:
    """Write a picture with its metadata (`photos.metadata`), but without the place where it was taken (GPS).

    Args:
        image: a Photo, or a Pillow image; modes that a Photo has not are converted as load_photo does.
        file: open for writing bytes.
        format: "PNG" or "TIFF" (exact, 16 bits kept), "JPEG" or "BMP" (transparency is flattened on white),
            or "WEBP".
        quality: 1 to 100, of JPEG and WebP. WebP at 100 is lossless.
        keep_gps: write the place, too.

    Raises:
        ConfigError: an unknown format or quality.
        PhotoTooLargeError: the image is longer than the format allows.
    """
    format = {"JPG": "JPEG"}.get(format.upper(), format.upper())
    if format not in WRITABLE_FORMATS:
        raise ConfigError(f"Format {format!r} cannot be written: choose PNG, JPEG, WEBP, TIFF or BMP.")
    metadata, pixels = _take_apart(image)
    write_pixels(pixels, metadata if keep_gps else metadata.without_gps(), file, format, quality)


def check_quality(quality: int) -> None:
    """Raise ConfigError unless it is from 1 to 100."""
    if not 1 <= quality <= 100:
        raise ConfigError(f"Quality {quality} is out of range: choose 1 to 100.")


def write_pixels(
    pixels: np.ndarray | Image.Image, metadata: Metadata, file: BinaryIO, format: str, quality: int
) -> None:
    """Write pixels in a mode of photos, uint8 or uint16 where they are an array, with all of the metadata.

    format: of WRITABLE_FORMATS. Raises ConfigError for a quality out of range, PhotoTooLargeError.
    """
    check_quality(quality)
    size_px = pixels.shape[:2] if isinstance(pixels, np.ndarray) else pixels.size[::-1]
    longest = WRITABLE_FORMATS[format].max_side_px
    if max(size_px) > longest:
        raise PhotoTooLargeError(
            f"{format} holds at most {longest} pixels a side, the picture is"
            f" {format_size(size_px)}: save it as PNG."
        )
    if format == "PNG":
        if isinstance(pixels, np.ndarray) and pixels.ndim == 3 and pixels.dtype == np.uint16:
            data = encode_png(pixels)
        else:
            data = _encode(_to_image(pixels), "PNG", compress_level=PNG_LEVEL)
        file.write(attach_to_png(data, metadata.to_attachments()))
    elif format == "TIFF":
        file.write(_encode_tiff(np.asarray(pixels), metadata))
    else:
        image = _to_image(to_8_bit(pixels) if isinstance(pixels, np.ndarray) else pixels)
        _write_lossy(image, file, format, quality, metadata)


def _take_apart(image: Photo | Image.Image) -> tuple[Metadata, np.ndarray | Image.Image]:
    """Return what is kept of a picture beside its pixels, and the pixels in a mode of photos."""
    if isinstance(image, Photo):
        return image.metadata, image.pixels
    _, metadata = read_metadata(image.info, image.format, made=image)
    plain, icc_profile = to_photo_mode(image, metadata.icc_profile)
    metadata = dataclasses.replace(metadata, icc_profile=icc_profile)
    return metadata, np.asarray(plain) if plain.mode == "I;16" else plain


def _to_image(pixels: np.ndarray | Image.Image) -> Image.Image:
    return Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels


def _encode(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, icc_profile=None, **options)  # None: not what the image has in its info either
    return buffer.getvalue()


def _write_lossy(image: Image.Image, file: BinaryIO, format: str, quality: int, metadata: Metadata) -> None:
    """Write JPEG, WebP or BMP."""
    if format in ("JPEG", "BMP") and image.mode in ("RGBA", "LA"):
        image = flatten_on_white(image)
    exif = exif_with_dpi(metadata) if format == "WEBP" else metadata.exif
    # WebP writes grey as colours, which a profile of grey does not describe.
    profile = None if format == "WEBP" and _is_of_grey(metadata.icc_profile) else metadata.icc_profile
    options: dict[str, Any] = {
        "icc_profile": profile,
        "comment": b"",
        "dpi": metadata.dpi or (0, 0),
    }
    if exif and (format != "JPEG" or len(exif) <= JPEG_EXIF_BYTES):
        options["exif"] = exif
    if format == "JPEG":
        # Full colour resolution where quality is asked for: halved chroma shows on red edges.
        options |= {"quality": quality, "subsampling": 0 if quality >= 90 else 2}
    elif format == "WEBP" and quality == 100:
        # Lossless reads quality as effort; exact keeps the colours under full transparency.
        options |= {"lossless": True, "quality": 40, "method": 2, "exact": True}
    elif format == "WEBP":
        options["quality"] = quality
    image.save(file, format=format, **options)


def _is_of_grey(icc_profile: bytes | None) -> bool:
    return icc_profile is not None and icc_profile[16:20] == b"GRAY"  # the header's colour space


def _encode_tiff(pixels: np.ndarray, metadata: Metadata) -> bytes:
    import tifffile  # only needed here

    bands = pixels.shape[2] if pixels.ndim == 3 else 1
    order = tiff_order(metadata.exif)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        pixels,
        byteorder=order,
        photometric="rgb" if bands > 2 else "minisblack",
        planarconfig="contig" if bands > 1 else None,
        extrasamples=["unassalpha"] if bands in (2, 4) else None,
        compression="zlib",
        compressionargs={"level": TIFF_LEVEL},
        iccprofile=metadata.icc_profile,
        resolution=metadata.dpi,
        resolutionunit="inch" if metadata.dpi else None,
        software="SAIR Studio",
        metadata=None,
    )
    data = buffer.getvalue()
    return attach_to_tiff(data, metadata.exif) if metadata.exif else data
