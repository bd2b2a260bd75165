"""Picture files, damaged at random and yet the same each time."""

from __future__ import annotations

import io
import zlib
from functools import cache

import numpy as np
from PIL import ExifTags, Image

SIZE_PX = (96, 128)
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")


@cache
def sources() -> tuple[tuple[str, bytes], ...]:
    """Good files to be damaged: `(format, bytes)`, several of each format."""
    rng = np.random.default_rng(0)
    rgb = np.linspace(0, 255, SIZE_PX[1])[None, :, None] * np.ones((SIZE_PX[0], 1, 3))
    rgb = (rgb + rng.integers(-20, 20, rgb.shape)).clip(0, 255).astype(np.uint8)
    photo = Image.fromarray(rgb)
    alpha = photo.convert("RGBA")
    alpha.putalpha(photo.convert("L"))
    deep = Image.fromarray(rgb[..., 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.ImageDescription] = "words " * 200
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    turned = [photo.rotate(angle) for angle in (90, 180)]
    moving = {"save_all": True, "append_images": turned}
    files = [
        ("JPEG", photo, {"exif": exif}),
        ("JPEG", photo, {"progressive": True, "icc_profile": b"profile" * 90}),
        ("JPEG", photo.convert("CMYK"), {}),
        ("PNG", photo, {"exif": exif, "icc_profile": b"profile" * 90}),
        ("PNG", alpha, {}),
        ("PNG", deep, {}),
        ("PNG", photo.convert("P"), {"transparency": 3}),
        ("PNG", photo, moving),
        ("WEBP", photo, {"exif": exif}),
        ("WEBP", alpha, {"lossless": True}),
        ("WEBP", photo, moving),
        ("TIFF", photo, {"exif": exif.tobytes()}),
        ("TIFF", photo, {"compression": "tiff_lzw"}),
        ("TIFF", photo.convert("1"), {"compression": "group4"}),
        ("TIFF", Image.fromarray(rgb[..., 0].astype(np.float32)), {}),
        ("TIFF", photo, {**moving, "compression": "jpeg"}),
        ("GIF", photo, {}),
        ("GIF", photo, moving),
        ("BMP", photo, {}),
        ("BMP", photo.convert("P"), {}),
    ]
    return tuple((format, _saved(image, format, options)) for format, image, options in files)


def _saved(image: Image.Image, format: str, options: dict) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def mutated(seed: int, index: int) -> tuple[str, bytes]:
    """File `index` of a seed: its format and its bytes. The formats take turns."""
    rng = np.random.default_rng([seed, index])
    format = FORMATS[index % len(FORMATS)]
    choices = [data for name, data in sources() if name == format]
    data = bytearray(choices[rng.integers(len(choices))])
    for _ in range(rng.integers(1, 3)):
        MUTATIONS[rng.integers(len(MUTATIONS))](data, rng)
    if format == "PNG" and rng.random() < 0.7:
        _reseal(data)
    return format, bytes(data)


def _reseal(data: bytearray) -> None:
    """Make the checksums of a PNG's chunks right again: else hardly anything behind them is reached."""
    at = 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            return
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4


def _place(data: bytearray, rng: np.random.Generator) -> int:
    """Somewhere in the file, often near its start, where sizes and types stand."""
    first = 0 if rng.random() < 0.05 else 8  # a file that nothing recognises tests little
    last = min(len(data), 96 if rng.random() < 0.3 else len(data))
    return int(rng.integers(first, last)) if first < last else 0


def _flip(data: bytearray, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(1, 6)):
        if data:
            data[_place(data, rng)] ^= 1 << int(rng.integers(8))


def _extreme(data: bytearray, rng: np.random.Generator) -> None:
    at, value = (
        _place(data, rng),
        (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"),
    )
    data[at : at + 4] = value[rng.integers(4)]


def _noise(data: bytearray, rng: np.random.Generator) -> None:
    at = _place(data, rng)
    data[at : at + 32] = rng.bytes(int(rng.integers(1, 33)))


def _cut(data: bytearray, rng: np.random.Generator) -> None:
    del data[_place(data, rng) :]


def _drop(data: bytearray, rng: np.random.Generator) -> None:
    at = _place(data, rng)
    del data[at : at + int(rng.integers(1, 200))]


def _double(data: bytearray, rng: np.random.Generator) -> None:
    at, source = _place(data, rng), _place(data, rng)
    data[at:at] = data[source : source + int(rng.integers(1, 500))]


def _splice(data: bytearray, rng: np.random.Generator) -> None:
    other = sources()[rng.integers(len(sources()))][1]
    at = _place(data, rng)
    data[at:] = other[int(rng.integers(len(other))) :]


MUTATIONS = (_flip, _extreme, _noise, _cut, _drop, _double, _splice)
