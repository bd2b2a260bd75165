"""JPEG, PNG, WebP and TIFF files as containers: the picture's own parts, and what is attached to it.

Decoders read attachments on their way to the picture and give up where one is malformed. So attachments are
read here, each by itself and within bounds, and `strip_attachments` gives a decoder the picture alone.
"""

from __future__ import annotations

import dataclasses
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from sair_core.photos.tiff import (
    EXIF_POINTER,
    EXIF_PREFIX,
    GPS_POINTER,
    LONG,
    Buffer,
    Directory,
    Tag,
    TiffBlock,
    write_directory,
)

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
# How the colours are coded: the segments, their names and the least that they hold.
JPEG_PICTURE_APPS = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}
JPEG_ICC, JPEG_XMP = b"ICC_PROFILE\0", b"http://ns.adobe.com/xap/1.0/\0"
PNG_XMP, PNG_RAW_EXIF = b"XML:com.adobe.xmp", b"Raw profile type exif"
WEBP_PICTURE = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")
WEBP_FLAGS = 0x2C  # of VP8X: a colour profile, EXIF, XMP
# Of TIFF: what says how the pixels are stored.
TIFF_PICTURE = frozenset(
    {254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 280, 281, 284, 292, 293, 317}
)
TIFF_PICTURE |= {
    320,
    322,
    323,
    324,
    325,
    332,
    338,
    339,
    347,
    512,
    513,
    514,
    *range(519, 522),
    *range(529, 533),
}
TIFF_XMP, TIFF_ICC = 700, 34675
MAX_INFLATED_BYTES = 16 * 2**20
MAX_TEXT_BYTES = 2**20  # of XMP that is looked through
EXIF_HEADER = re.compile(rb"II\*\0\x08\0\0\0|MM\0\*\0\0\0\x08")
XMP_ORIENTATION = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\b""")


@dataclass(frozen=True)
class Attachments:
    """What goes with a picture in its file, as it stands there. dpi: (x, y)."""

    exif: Buffer | None = None
    xmp: Buffer | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    gamma: float | None = None
    chromaticity: tuple[float, ...] | None = None
    srgb: int | None = None
    cicp: bytes | None = None


def read_attachments(data: Buffer, format: str | None) -> Attachments | None:
    """Return what a file has attached to its picture; None for formats without a reader here."""
    reader = {"JPEG": _from_jpeg, "PNG": _from_png, "WEBP": _from_webp, "TIFF": _from_tiff}
    return reader[format](memoryview(data)) if format in reader else None


def strip_attachments(data: Buffer) -> bytes | None:
    """Return the file with its picture alone, as it is stored; None for other kinds of files."""
    view, start = memoryview(data), bytes(data[:12])
    if start[:8] == PNG_SIGNATURE:
        parts = [view[start:end] for name, start, end in _png_chunks(view) if name in PNG_PICTURE]
        return b"".join([PNG_SIGNATURE, *parts])
    if start[:2] == b"\xff\xd8":
        return _strip_jpeg(view)
    if start[:4] == b"RIFF" and start[8:] == b"WEBP":
        return _strip_webp(view)
    if start[4:8] == b"ftyp":
        return _empty_exif(view)
    block = TiffBlock.open(view)
    return None if block is None or block.big else _strip_tiff(block, block.directory(block.first))


def find_xmp_orientation(xmp: Buffer | str) -> int | None:
    """Return tiff:Orientation of an XMP packet, 1 to 8; None where it says none."""
    packet = xmp.encode("utf-8", "replace") if isinstance(xmp, str) else bytes(xmp[:MAX_TEXT_BYTES])
    found = XMP_ORIENTATION.search(packet)
    return int(found[1]) if found else None


# JPEG ----------------------------------------------------------------------------------------------------


def _jpeg_segments(view: memoryview) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start (of 0xFF) and end of each segment before the coded pixels."""
    at = 2
    while at + 4 <= len(view) and view[at] == 0xFF:
        marker = view[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
            continue
        end = at + 2 + int.from_bytes(view[at + 2 : at + 4], "big")
        if marker == 0xDA or end > len(view):
            return
        yield marker, at, end
        at = end


def _from_jpeg(view: memoryview) -> Attachments:
    exif = xmp = None
    pieces: dict[int, bytes] = {}
    dpi = None
    for marker, start, end in _jpeg_segments(view):
        payload = view[start + 4 : end]
        name = bytes(payload[: len(JPEG_XMP)])
        if marker == 0xE1 and name.startswith(EXIF_PREFIX) and exif is None:
            exif = payload
        elif marker == 0xE1 and name == JPEG_XMP and xmp is None:
            xmp = payload[len(JPEG_XMP) :]
        elif marker == 0xE2 and name.startswith(JPEG_ICC) and len(payload) > 14:
            pieces.setdefault(payload[12], bytes(payload[14:]))
        elif marker == 0xE0 and name.startswith(b"JFIF\0") and len(payload) >= 12 and payload[7] in (1, 2):
            x, y = struct.unpack_from(">HH", payload, 8)
            dpi = (x, y) if payload[7] == 1 else (x * 2.54, y * 2.54)
    whole = list(range(1, len(pieces) + 1)) == sorted(pieces)
    return Attachments(
        exif, xmp, b"".join(pieces[i] for i in sorted(pieces)) if pieces and whole else None, dpi
    )


def _strip_jpeg(view: memoryview) -> bytes:
    parts, at = [view[:2]], 2
    for marker, start, end in _jpeg_segments(view):
        at = end
        name, least = JPEG_PICTURE_APPS.get(marker, (b"", 0))
        sound = name and end - start - 4 >= least and bytes(view[start + 4 : end]).startswith(name)
        if sound or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            parts.append(view[start:end])
    return b"".join([*parts, view[at:]])


# PNG -----------------------------------------------------------------------------------------------------


def _png_chunks(view: memoryview) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each chunk, and where it starts and ends with its length and checksum."""
    at = 8
    while at + 12 <= len(view):
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        name = bytes(view[at + 4 : at + 8])
        if end > len(view):
            if name in PNG_PICTURE:  # cut off: for the decoder to say so
                yield name, at, len(view)
            return
        yield name, at, end
        at = end


def _from_png(view: memoryview) -> Attachments:
    found: dict[str, object] = {}
    for name, start, end in _png_chunks(view):
        if name == b"IDAT":
            continue
        payload = view[start + 8 : end - 4]
        if name == b"eXIf":
            found.setdefault("exif", payload)
        elif name == b"iCCP":
            found.setdefault("icc_profile", _after_name(bytes(payload), inflate=True))
        elif name == b"pHYs" and len(payload) >= 9 and payload[8] == 1:
            found.setdefault(
                "dpi", tuple(0.0254 * per_metre for per_metre in struct.unpack_from(">II", payload))
            )
        elif name == b"gAMA" and len(payload) >= 4:
            found.setdefault("gamma", struct.unpack_from(">I", payload)[0] / 1e5)
        elif name == b"cHRM" and len(payload) >= 32:
            found.setdefault("chromaticity", tuple(v / 1e5 for v in struct.unpack_from(">8I", payload)))
        elif name == b"sRGB" and len(payload) >= 1:
            found.setdefault("srgb", payload[0])
        elif name == b"cICP" and len(payload) == 4:
            found.setdefault("cicp", bytes(payload))
        elif name in (b"iTXt", b"zTXt", b"tEXt"):
            _add_text(found, name, bytes(payload))
    return dataclasses.replace(Attachments(), **found)  # type: ignore[arg-type]  # each checked where it is read


def _add_text(found: dict[str, object], name: bytes, payload: bytes) -> None:
    """Take XMP, and EXIF as ImageMagick writes it (a name, its length, hexadecimal digits), from a text."""
    key = payload.partition(b"\0")[0]
    if key == PNG_XMP and name == b"iTXt":
        packed, rest = payload[len(key) + 1 : len(key) + 2] == b"\1", payload[len(key) + 3 :]
        text = rest.split(b"\0", 2)[-1]
        found.setdefault("xmp", _inflate(text) if packed else text)
    elif key == PNG_RAW_EXIF and name in (b"zTXt", b"tEXt"):
        text = _after_name(payload, inflate=name == b"zTXt") or b""
        try:
            found.setdefault("exif", bytes.fromhex(b"".join(text.split()[2:]).decode("ascii")))
        except ValueError:
            return


def _after_name(payload: bytes, *, inflate: bool) -> bytes | None:
    """Return what follows a name and its end, and the number of a compression where it is compressed."""
    _, _, rest = payload.partition(b"\0")
    return _inflate(rest[1:]) if inflate else rest


def _inflate(packed: bytes) -> bytes | None:
    """Decompress so much that no file can fill the memory; None where there is more, or damage."""
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(packed, MAX_INFLATED_BYTES)
    except zlib.error:
        return None
    return text if stream.eof else None


# WebP ----------------------------------------------------------------------------------------------------


def _webp_chunks(view: memoryview) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    while at + 8 <= len(view):
        size = int.from_bytes(view[at + 4 : at + 8], "little")
        end = min(at + 8 + size + size % 2, len(view))
        yield bytes(view[at : at + 4]), at, end
        at = end


def _from_webp(view: memoryview) -> Attachments:
    payloads: dict[bytes, memoryview] = {}
    for name, start, end in _webp_chunks(view):
        payloads.setdefault(name, view[start + 8 : end])
    profile = payloads.get(b"ICCP")
    return Attachments(
        payloads.get(b"EXIF"), payloads.get(b"XMP "), None if profile is None else bytes(profile)
    )


def _strip_webp(view: memoryview) -> bytes:
    parts = []
    for name, start, end in _webp_chunks(view):
        if name in WEBP_PICTURE:
            part = bytearray(view[start:end])
            if name == b"VP8X" and len(part) > 8:
                part[8] &= ~WEBP_FLAGS & 0xFF
            parts.append(part)
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


# AVIF and HEIF -------------------------------------------------------------------------------------------


def _empty_exif(view: memoryview) -> bytes:
    """Return the file with no tags in its EXIF block; its boxes, which say where all else stands, stay."""
    data = bytearray(view)
    for found in EXIF_HEADER.finditer(view):
        data[found.end() : found.end() + 2] = b"\0\0"  # the number of tags
    return bytes(data)


# TIFF ----------------------------------------------------------------------------------------------------


def _from_tiff(view: memoryview) -> Attachments:
    block = TiffBlock.open(view)
    if block is None:
        return Attachments()
    tags = block.directory(block.first).tags
    profile, xmp = tags.get(TIFF_ICC), tags.get(TIFF_XMP)
    return Attachments(
        view, None if xmp is None else xmp.data, None if profile is None else bytes(profile.data)
    )


def _strip_tiff(block: TiffBlock, page: Directory) -> bytes:
    """Return the file with a new directory behind it, the only one: the tags of a page's picture alone."""
    at = len(block.data) + len(block.data) % 2
    tags: dict[int, Tag] = {number: tag for number, tag in page.tags.items() if number in TIFF_PICTURE}
    head = bytes(block.data[:4]) + struct.pack(block.order + "I", at)
    body = bytes(block.data[8:]).ljust(at - 8, b"\0")
    return head + body + write_directory(tags, block.order, at)


def attach_to_png(data: bytes, attached: Attachments) -> bytes:
    """Return a PNG that has nothing attached with these attachments."""
    chunks = []
    if attached.icc_profile:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(attached.icc_profile)))
    elif attached.srgb is not None:
        chunks.append((b"sRGB", bytes([attached.srgb])))
    if attached.cicp:
        chunks.append((b"cICP", attached.cicp))
    if attached.gamma:
        chunks.append((b"gAMA", struct.pack(">I", round(attached.gamma * 1e5))))
    if attached.chromaticity:
        chunks.append((b"cHRM", struct.pack(">8I", *(round(v * 1e5) for v in attached.chromaticity))))
    if attached.dpi:
        chunks.append((b"pHYs", struct.pack(">IIB", *(round(v / 0.0254) for v in attached.dpi), 1)))
    if attached.exif:
        chunks.append((b"eXIf", bytes(attached.exif).removeprefix(EXIF_PREFIX)))
    end = 8 + 25  # of the header, before which nothing may stand
    return b"".join([data[:end], *(_png_chunk(name, payload) for name, payload in chunks), data[end:]])


def _png_chunk(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


def attach_to_tiff(data: bytes, exif: Buffer) -> bytes:
    """Return a TIFF file with the tags of an EXIF block, which has its byte order."""
    file, block = TiffBlock.open(data), TiffBlock.open(exif)
    assert file is not None and block is not None and file.order == block.order and not file.big
    at = len(data) + len(data) % 2
    body, pointers = b"", {}
    photo = block.directory(block.first)
    for number in (EXIF_POINTER, GPS_POINTER):
        below = block.directory(photo.integer(number)).tags
        if below:
            pointers[number] = Tag(LONG, struct.pack(file.order + "I", at + len(body)), file.order)
            body += write_directory(below, file.order, at + len(body))
    first = write_directory(
        {**photo.tags, **file.directory(file.first).tags, **pointers}, file.order, at + len(body)
    )
    head = data[:4] + struct.pack(file.order + "I", at + len(body))
    return b"".join([head, data[8:].ljust(at - 8, b"\0"), body, first])
