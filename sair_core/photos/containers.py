"""Files of photos as containers: the picture's own parts, and what is attached to it.

Decoders read attachments on their way to the picture and give up where one is malformed. So attachments are
read here, each by itself and within bounds, and `strip_attachments` gives a decoder the picture alone.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from sair_core.photos.attachments import Attachments, is_exif
from sair_core.photos.boxes import JP2_SIGNATURE, read_avif, strip_avif, strip_jp2
from sair_core.photos.png import PNG_SIGNATURE, read_png, strip_png
from sair_core.photos.tiff import (
    EXIF_POINTER,
    GPS_POINTER,
    LONG,
    Buffer,
    Directory,
    Tag,
    TiffBlock,
    write_directory,
)

# How the colours are coded: the segments, their names and the least that they hold.
JPEG_PICTURE_APPS = {0xE0: (b"JFIF\0", 14), 0xEE: (b"Adobe", 12)}
JPEG_EXIF = (b"Exif\0\0", b"Exif\0\xff")
JPEG_ICC, JPEG_XMP = b"ICC_PROFILE\0", b"http://ns.adobe.com/xap/1.0/\0"
WEBP_PICTURE = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")
WEBP_FLAGS = 0x2C  # of VP8X: a colour profile, EXIF, XMP
GIF_CONTROL, GIF_CONTROL_BYTES = 0xF9, 4  # the extension that says which colour is transparent
GIF_DISPOSAL = 0x1C  # bits of it: what is done with the picture before the next one
# Of TIFF: what says how the pixels are stored.
TIFF_PICTURE = frozenset(
    [254, *range(256, 260), 262, 266, 273, *range(277, 282), 284, 292, 293, 317, 320, *range(322, 326), 332]
    + [338, 339, 347, *range(512, 515), *range(519, 522), *range(529, 533)]
)
TIFF_XMP, TIFF_ICC = 700, 34675


def read_attachments(data: Buffer, format: str | None) -> Attachments | None:
    """Return what a file has attached to its picture; None for formats without a reader here."""
    reader = READERS.get(format or "")
    return None if reader is None else reader(memoryview(data))


def strip_attachments(data: Buffer) -> bytes | None:
    """Return the file with its picture alone, as it is stored; None for other kinds of files."""
    view, start = memoryview(data), bytes(data[:12])
    if start[:8] == PNG_SIGNATURE:
        return strip_png(view)
    if start[:2] == b"\xff\xd8":
        return _strip_jpeg(view)
    if start[:4] == b"RIFF" and start[8:] == b"WEBP":
        return _strip_webp(view)
    if start[:3] == b"GIF":
        return _strip_gif(view)
    if start == JP2_SIGNATURE:
        return strip_jp2(view)
    if start[4:8] == b"ftyp":
        return strip_avif(view)
    block = TiffBlock.open(view)
    return None if block is None or block.big else _strip_tiff(block, block.directory(block.first))


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
        if marker == 0xE1 and name.startswith(JPEG_EXIF) and exif is None and is_exif(payload[6:]):
            exif = payload[6:]
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


# GIF -----------------------------------------------------------------------------------------------------


def _strip_gif(view: memoryview) -> bytes:
    """Return the file without the extensions before its first picture, but for what is transparent in it."""
    colours = view[10] if len(view) > 10 else 0
    at = 13 + (3 * 2 ** (1 + (colours & 7)) if colours & 0x80 else 0)
    parts: list[Buffer] = [view[:at]]
    while at + 2 < len(view) and view[at] == 0x21:
        start, size = at, view[at + 2]
        at += 2
        while at < len(view) and view[at]:  # blocks, each with its size before it, to one of size 0
            at += 1 + view[at]
        at += 1
        if view[start + 1] == GIF_CONTROL and size == GIF_CONTROL_BYTES and at - start == 8:
            control = bytearray(view[start:at])
            control[3] &= ~GIF_DISPOSAL & 0xFF
            parts.append(control)
    return b"".join([*parts, view[at:]])


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


READERS: dict[str, Callable[[memoryview], Attachments]] = {
    "JPEG": _from_jpeg,
    "PNG": read_png,
    "WEBP": _from_webp,
    "TIFF": _from_tiff,
    "AVIF": read_avif,
    "HEIF": read_avif,
}
