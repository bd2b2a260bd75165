"""Sound pictures with odd things attached, at random and yet the same each time.

Only what a picture can do without is odd: EXIF and TIFF tags of any type, count and place, XMP, colour
profiles, PNG chunks, segments of JPEG files. So each file must open, turned as its orientation says, which is
well formed.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

SIZE_PX = (24, 40)
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
ORIENTATION = 274
STORAGE = set(range(254, 340)) - {282, 283, 296, 305, 306}  # how a TIFF file holds its pixels
NUMBERS = sorted({int(tag) for tag in ExifTags.Base} - {ORIENTATION} - STORAGE)
POINTERS = (0x8769, 0x8825, 0xA005, 330)
TIFF_NUMBERS = (270, 282, 283, 296, 305, 306, 315, 700, 33432, 33723, 34377, 34675, 37724, 50341)
PNG_CHUNKS = b"iCCP zTXt iTXt tEXt gAMA cHRM pHYs sRGB cICP sBIT bKGD tIME eXIf acTL fcTL sPLT hIST".split()
SEGMENTS = {
    0xE0: b"JFIF\0",
    0xE1: b"http://ns.adobe.com/xap/1.0/\0",
    0xE2: b"ICC_PROFILE\0",
    0xED: b"Photoshop 3.0\0",
    0xEE: b"Ducky",
    0xFE: b"a comment",
}
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


@dataclass(frozen=True)
class Case:
    """A file; orientation: that a strict reader finds in it."""

    format: str
    data: bytes
    orientation: int


def attached(seed: int, index: int) -> Case:
    """Return file `index` of a seed. The formats take turns."""
    rng = np.random.default_rng([seed, index, 1])
    format = FORMATS[index % len(FORMATS)]
    orientation = int(rng.integers(1, 9))
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SIZE_PX, 3), np.uint8))
    if format == "AVIF":
        # It is turned by a property of its own, as decoders do by themselves.
        return Case(format, _avif(image, orientation, rng), orientation)
    buffer = io.BytesIO()
    image.save(buffer, format)
    return Case(format, attach(format, buffer.getvalue(), orientation, rng, SIZE_PX), orientation)


def attach(
    format: str, data: bytes, orientation: int, rng: np.random.Generator, size_px: tuple[int, int]
) -> bytes:
    """Return a JPEG, PNG, WebP (without transparency) or TIFF file with odd things attached, and with an
    orientation. size_px: (height, width) of what is stored."""
    if format == "WEBP":
        return _webp(data, orientation, rng, size_px)
    return {"JPEG": _jpeg, "PNG": _png, "TIFF": _tiff}[format](data, orientation, rng)


def _noise(rng: np.random.Generator, most: int = 60) -> bytes:
    return rng.bytes(int(rng.integers(0, most)))


def _entry(number: int, order: str, rng: np.random.Generator, length: int) -> bytes:
    """Return an odd entry of a directory: any type, count and value, or a place in or beyond the block."""
    kind = int(rng.integers(0, 20))
    count = int(rng.choice([0, 1, 2, 5, 60, 2**16, 2**31, 2**32 - 1]))
    place = int(rng.choice([0, 4, 8, int(rng.integers(0, length)), length - 1, length + 9, 2**32 - 1]))
    value = struct.pack(order + "I", place) if rng.random() < 0.6 else rng.bytes(4)
    return struct.pack(order + "HHI", number, kind, count) + value


def _directory(orientation: int | None, order: str, rng: np.random.Generator) -> bytes:
    numbers = {int(n) for n in rng.choice([*NUMBERS, *POINTERS], int(rng.integers(0, 12)))}
    entries = {number: _entry(number, order, rng, 300) for number in numbers}
    if orientation is not None:
        entries[ORIENTATION] = struct.pack(order + "HHIHH", ORIENTATION, 3, 1, orientation, 0)
    body = b"".join(entries[number] for number in sorted(entries))
    following = struct.pack(order + "I", int(rng.choice([0, 8, 100, 2**32 - 1])))
    return struct.pack(order + "H", len(entries)) + body + following + _noise(rng, 200)


def _exif(orientation: int | None, rng: np.random.Generator) -> bytes:
    order = str(rng.choice(["<", ">"]))
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    return head + _directory(orientation, order, rng)


def _jpeg(data: bytes, orientation: int, rng: np.random.Generator) -> bytes:
    in_xmp = rng.random() < 0.2
    parts = [(0xE1, b"Exif\0\0" + _exif(None if in_xmp else orientation, rng))]
    if in_xmp:
        parts.append((0xE1, SEGMENTS[0xE1] + XMP % orientation))
    for marker in rng.choice(list(SEGMENTS), int(rng.integers(0, 4))).tolist():
        parts.append((marker, SEGMENTS[marker] * int(marker != 0xE1) + _noise(rng)))
    made = b"".join(b"\xff" + bytes([m]) + struct.pack(">H", len(p) + 2) + p for m, p in parts)
    return data[:2] + made + data[2:]


def _png(data: bytes, orientation: int, rng: np.random.Generator) -> bytes:
    if rng.random() < 0.2:
        text = XMP % orientation
        chunks = [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + text)]
        names = [name for name in PNG_CHUNKS if name != b"eXIf"]
    else:
        chunks, names = [(b"eXIf", _exif(orientation, rng))], PNG_CHUNKS
    for place in rng.integers(0, len(names), int(rng.integers(0, 5))).tolist():
        payload = _noise(rng)
        if names[place] in (b"iCCP", b"zTXt") and rng.random() < 0.5:
            payload = b"name\0\0" + zlib.compress(bytes(int(rng.integers(1, 3_000_000))))
        chunks.append((names[place], payload))
    made = b"".join(
        struct.pack(">I", len(p)) + n + p + struct.pack(">I", zlib.crc32(n + p)) for n, p in chunks
    )
    return data[:33] + made + data[33:]


def _webp(data: bytes, orientation: int, rng: np.random.Generator, size_px: tuple[int, int]) -> bytes:
    size = b"".join(struct.pack("<I", side - 1)[:3] for side in size_px[::-1])
    chunks = [(b"VP8X", bytes([0x2C, 0, 0, 0]) + size), (b"ICCP", _noise(rng, 400))]
    in_xmp = rng.random() < 0.2
    packet = XMP % orientation if in_xmp else _noise(rng)
    behind = [(b"EXIF", _exif(None if in_xmp else orientation, rng)), (b"XMP ", packet)]
    made = [struct.pack("<4sI", n, len(p)) + p + b"\0" * (len(p) % 2) for n, p in [*chunks, *behind]]
    body = b"WEBP" + b"".join(made[:2]) + data[12:] + b"".join(made[2:])
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _avif(image: Image.Image, orientation: int, rng: np.random.Generator) -> bytes:
    """EXIF and XMP of an AVIF file may say another orientation, which does not count."""
    odd = _exif(int(rng.integers(1, 9)), rng)
    sound = Image.Exif()
    sound[ORIENTATION] = orientation
    sound[ExifTags.Base.ImageDescription] = "." * len(odd)  # the room for what takes its place
    xmp = XMP % int(rng.integers(1, 9)) if rng.random() < 0.3 else _noise(rng)
    buffer = io.BytesIO()
    image.save(buffer, "AVIF", exif=sound, xmp=xmp, icc_profile=_noise(rng, 400), speed=10)
    data = buffer.getvalue()
    at = data.index(b"MM\0*")
    return data[:at] + odd + data[at + len(odd) :]


def _tiff(data: bytes, orientation: int, rng: np.random.Generator) -> bytes:
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    entries = {}
    for place in range(first + 2, first + 2 + 12 * count, 12):
        entries[struct.unpack_from("<H", data, place)[0]] = data[place : place + 12]
    for number in rng.choice([*TIFF_NUMBERS, *POINTERS[:2]], int(rng.integers(0, 8))).tolist():
        entries[number] = _entry(number, "<", rng, len(data))
    if rng.random() < 0.8:
        entries[ORIENTATION] = struct.pack("<HHIHH", ORIENTATION, 3, 1, orientation, 0)
    else:
        packet = XMP % orientation
        entries[700] = struct.pack("<HHII", 700, 1, len(packet), len(data))
        data += packet
    at = len(data) + len(data) % 2
    body = b"".join(entries[number] for number in sorted(entries))
    directory = struct.pack("<H", len(entries)) + body + bytes(4)
    return data[:4] + struct.pack("<I", at) + data[8:].ljust(at - 8, b"\0") + directory
