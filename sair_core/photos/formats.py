"""What kinds of files there are, and what Pillow's many image modes become in a photo."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageCms

from sair_core.errors import PhotoError


@dataclass(frozen=True)
class FileFormat:
    """A kind of file that photos are written as.

    name: Pillow's. suffixes: in lower case, the usual one first. max_side_px: what its header can hold.
    """

    name: str
    suffixes: tuple[str, ...]
    max_side_px: int = 2**31 - 1


WRITABLE_FORMATS = {
    format.name: format
    for format in (
        FileFormat("PNG", (".png",)),
        FileFormat("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), max_side_px=65_500),
        FileFormat("WEBP", (".webp",), max_side_px=16_383),
        FileFormat("TIFF", (".tif", ".tiff")),
        FileFormat("BMP", (".bmp", ".dib")),
    )
}
FORMAT_BY_SUFFIX = {suffix: format for format in WRITABLE_FORMATS.values() for suffix in format.suffixes}
# What counts as a photo in a folder: what can be written again as what it is.
PHOTO_SUFFIXES = frozenset(FORMAT_BY_SUFFIX)
JPEG_SUFFIXES = frozenset(WRITABLE_FORMATS["JPEG"].suffixes)
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # by channels of 8 bits
OVERSHOOT = 1e-3  # of colours in [0, 1], by rounding errors
# Readers that decode pixels only, and none before they are asked to. Pillow knows others that start programs
# (EPS), decode before their size can be checked (ICO) or hold no photos.
READABLE_FORMATS = (
    "PNG",
    "JPEG",
    "MPO",
    "WEBP",
    "TIFF",
    "BMP",
    "DIB",
    "GIF",
    "AVIF",
    "HEIF",
    "JPEG2000",
    "PPM",
    "QOI",
    "TGA",
)
# Files that people take for photos, by their first bytes.
_KNOWN = {
    b"\xff\x0a": "a JPEG XL photo",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL photo",
    b"II\xbc\x01": "a JPEG XR photo",
    b"8BPS": "a Photoshop document",
    b"gimp xcf": "a GIMP document",
    b"v/1\x01": "an OpenEXR picture",
    b"#?RADIANCE": "a Radiance picture",
    b"\x00\x00\x01\x00": "an icon",
    b"PK\x03\x04": "an archive or a document",
}


def format_size(size_px: tuple[int, ...]) -> str:
    """Write `(height, width)` as width x height, as people do."""
    return " x ".join(str(side) for side in reversed(size_px[:2])) + " px"


@cache
def list_readable_formats() -> tuple[str, ...]:
    """Return READABLE_FORMATS as far as this Pillow, and pillow-heif if it is installed, can read them."""
    Image.init()
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        pass
    else:
        register_heif_opener()
    return tuple(name for name in READABLE_FORMATS if name in Image.OPEN)


@cache
def list_readable_suffixes() -> frozenset[str]:
    """Return the suffixes, in lower case, of all formats that can be read here."""
    readable = list_readable_formats()
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in readable)


def explain_unreadable(start: bytes) -> str:
    """Say what an unknown file is, judged by its first bytes, and what to do with it."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml", b"<!doctype svg", b"<!--")):
        return "This is a drawing (SVG or XML), not a photo: export it as PNG first."
    if text.startswith(b"%pdf"):
        return "This is a PDF document, not a photo: export the page as PNG or JPEG first."
    if start[4:8] == b"ftyp":
        if start[8:11] in (b"hei", b"hev", b"mif", b"msf"):
            return "This is a HEIC photo: save it as JPEG or PNG, or install pillow-heif to read it directly."
        if start[8:11] not in (b"avi", b"crx"):  # AVIF, Canon's raw files
            return "This is a video, not a photo: save one of its pictures as PNG or JPEG first."
    for signature, name in _KNOWN.items():
        if start.startswith(signature):
            return f"This is {name}, which cannot be read here: save it as PNG or JPEG first."
    return "This file is no readable photo, or its start is damaged: save it as PNG or JPEG and try again."


def to_photo_mode(image: Image.Image, icc_profile: bytes | None = None) -> tuple[Image.Image, bytes | None]:
    """Return the image as "RGB", "RGBA", "L", "LA" or "I;16", and the ICC profile that still describes it.

    icc_profile: of the image; what Pillow has read unless given.
    """
    icc_profile = icc_profile or image.info.get("icc_profile") or None
    if image.mode.startswith("I"):
        return _to_16_bit_grey(image), icc_profile
    if image.mode == "F":
        raise PhotoError("A photo of floating-point values cannot be used: save it with 8 or 16 bits.")
    if image.mode in ("CMYK", "LAB"):
        return _to_srgb(image, icc_profile), None
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        mode = "LA" if grey else "RGBA"
    else:
        mode = "L" if grey else "RGB"
    return (image if image.mode == mode else image.convert(mode)), icc_profile


def to_photo_depth(numbers: np.ndarray) -> np.ndarray:
    """Return uint8 or uint16 of the numbers that a file holds: 16 bits of floats, and of 16 bits held in 32.

    Raises PhotoError for floats beyond [0, 1], larger numbers and signed ones.
    """
    kind, size = numbers.dtype.kind, numbers.dtype.itemsize
    if kind == "f":
        return floats_to(np.uint16, numbers)
    if numbers.dtype == np.uint8:
        return numbers
    if (kind == "i" and size < 4) or numbers.min() < 0 or numbers.max() > 65535:
        raise PhotoError("A photo of signed or 32-bit values cannot be used: save it with 8 or 16 bits.")
    return numbers.astype(np.uint16)


def floats_to(type: type[np.uint8] | type[np.uint16], colours: np.ndarray) -> np.ndarray:
    """Convert floats in [0, 1], clipped where rounding overshoots, to whole numbers. Raises PhotoError."""
    colours = colours.astype(np.promote_types(colours.dtype, np.float32), copy=False)  # 16 bits overflow
    if not (colours.min() >= -OVERSHOOT and colours.max() <= 1 + OVERSHOOT):  # NaN fails both, too
        raise PhotoError(
            "A photo of floats must lie in [0, 1], without NaN: divide 8-bit values by 255, or save it with "
            "8 or 16 bits."
        )
    return np.rint(np.clip(colours, 0, 1) * np.iinfo(type).max).astype(type)


def _to_16_bit_grey(image: Image.Image) -> Image.Image:
    """Convert every flavour of 16-bit grey (byte orders, 16 bits held in 32) to "I;16"."""
    return Image.fromarray(to_photo_depth(np.asarray(image)))


def _to_srgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    """Convert print colours (CMYK) or Lab to RGB, through the photo's own profile where that can be used."""
    if icc_profile or image.mode == "LAB":
        try:
            source = io.BytesIO(icc_profile) if icc_profile else ImageCms.createProfile("LAB")
            srgb = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except Exception:  # a profile that cannot be used, for one reason of many: the colours go without
            srgb = None
        if srgb is not None:
            return srgb
    return image.convert("RGB")


def flatten_on_white(image: Image.Image) -> Image.Image:
    """Replace transparency by white."""
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert(image.mode.removesuffix("A"))


def to_8_bit(pixels: np.ndarray) -> np.ndarray:
    """Reduce uint16 to uint8, rounded (65535 = 255 x 257); uint8 as it is."""
    return pixels if pixels.dtype == np.uint8 else ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
