"""Pictures into files: what each format can hold, and what is written of a photo's profile and EXIF."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from sair_core.errors import ConfigError, PhotoTooLargeError
from sair_core.photos.formats import (
    GPS_TAGS,
    WRITABLE_FORMATS,
    drop_tags,
    flatten_on_white,
    format_size,
    read_exif,
    to_8_bit,
    to_photo_mode,
)

JPEG_EXIF_BYTES = 65_533


def encode_image(image: Image.Image, format: str, quality: int = 95, *, keep_gps: bool = False) -> bytes:
    """Return the bytes of the file that `write_image` writes."""
    buffer = io.BytesIO()
    write_image(image, buffer, format, quality, keep_gps=keep_gps)
    return buffer.getvalue()


def write_image(
    image: Image.Image, file: BinaryIO, format: str, quality: int = 95, *, keep_gps: bool = False
) -> None:
    """Write the image with its ICC profile and EXIF, but without the place where it was taken (GPS).

    Args:
        image: any Pillow image. Modes that a Photo does not have are converted as load_photo does.
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
    if not 1 <= quality <= 100:
        raise ConfigError(f"Quality {quality} is out of range: choose 1 to 100.")
    longest = WRITABLE_FORMATS[format].max_side_px
    if max(image.size) > longest:
        raise PhotoTooLargeError(
            f"{format} holds at most {longest} pixels a side, the picture is"
            f" {format_size(image.size[::-1])}: save it as PNG."
        )
    _, exif = read_exif(image)
    if exif and not keep_gps:
        exif = drop_tags(exif, GPS_TAGS)
    image, icc_profile = to_photo_mode(image)
    if format not in ("PNG", "TIFF") and image.mode == "I;16":
        image = Image.fromarray(to_8_bit(np.asarray(image)))
    if format in ("JPEG", "BMP") and image.mode in ("RGBA", "LA"):
        image = flatten_on_white(image)
    options = _options(format, quality, compressed=not exif)
    if icc_profile:
        options["icc_profile"] = icc_profile
    if exif and (format != "JPEG" or len(exif) <= JPEG_EXIF_BYTES):
        options["exif"] = exif
    image.save(file, format=format, **options)


def _options(format: str, quality: int, *, compressed: bool) -> dict[str, Any]:
    """Pillow's options for a format. compressed: of a TIFF, where it is asked for."""
    if format == "PNG":
        return {"compress_level": 3}  # three times as fast as the default, files hardly larger
    if format == "JPEG":
        # Full colour resolution where quality is asked for: halved chroma shows on red edges.
        return {"quality": quality, "subsampling": 0 if quality >= 90 else 2}
    if format == "WEBP" and quality == 100:
        # Lossless reads quality as effort; exact keeps the colours under full transparency.
        return {"lossless": True, "quality": 40, "method": 2, "exact": True}
    if format == "WEBP":
        return {"quality": quality}
    if format == "TIFF" and compressed:  # Pillow cannot write EXIF of several parts into a compressed one
        return {"compression": "tiff_adobe_deflate"}
    return {}
