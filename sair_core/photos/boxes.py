"""AVIF, HEIF and JPEG 2000 files as containers: boxes within boxes.

After ISO/IEC 14496-12 (the boxes and the items of `meta`) and 15444-1 (those of JPEG 2000).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from sair_core.photos.attachments import Attachments, is_exif

JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
JP2_PICTURE = (b"jP  ", b"ftyp", b"jp2c")
JP2_HEADER = (b"ihdr", b"bpcc", b"pclr", b"cmap", b"cdef")
ENUMERATED = 1  # the kind of colour specification that is a number, and no profile
ATTACHED_ITEMS = (b"Exif", b"mime")
NO_ITEM = b"free"  # a type of item that no decoder looks for
FULL = 4  # bytes of version and flags, with which some boxes begin
IN_FILE = 0  # the construction method of an item whose place is one in the file
MAX_BOXES = 4096


@dataclass(frozen=True)
class Box:
    """A box. kind: its four letters. start: of its header; body, end: of what it holds."""

    kind: bytes
    start: int
    body: int
    end: int


def read_avif(view: memoryview) -> Attachments:
    """Return the EXIF block of an AVIF or HEIF file; the rest is read by its decoder without harm."""
    for kind, item, _ in _items(view):
        if kind == b"Exif":
            payload = _item_payload(view, item)
            header = int.from_bytes(payload[:4], "big")  # how far the block begins behind this number
            if is_exif(payload[4 + header :]):
                return Attachments(exif=payload[4 + header :])
    return Attachments()


def strip_avif(view: memoryview) -> bytes:
    """Return the file with EXIF and XMP as items of no known type; where all else stands does not change."""
    data = bytearray(view)
    for kind, _, place in _items(view):
        if kind in ATTACHED_ITEMS:
            data[place : place + 4] = NO_ITEM
    return bytes(data)


def strip_jp2(view: memoryview) -> bytes:
    """Return a JPEG 2000 file with its picture alone; a colour profile counts as attached to it."""
    parts: list[bytes | memoryview] = []
    for box in _boxes(view, 0, len(view)):
        if box.kind in JP2_PICTURE:
            parts.append(view[box.start : box.end])
        elif box.kind == b"jp2h":
            inner = [
                view[part.start : part.end]
                for part in _boxes(view, box.body, box.end)
                if part.kind in JP2_HEADER
                or (part.kind == b"colr" and bytes(view[part.body : part.body + 1]) == bytes([ENUMERATED]))
            ]
            parts += [struct.pack(">I4s", 8 + sum(map(len, inner)), b"jp2h"), *inner]
    return b"".join(parts)


def _boxes(view: memoryview, at: int, end: int) -> Iterator[Box]:
    """Yield the sound boxes that stand one behind the other."""
    for _ in range(MAX_BOXES):
        if at + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", view, at)
        head = 8
        if size == 1 and at + 16 <= end:
            (size,), head = struct.unpack_from(">Q", view, at + 8), 16
        elif size == 0:  # to the end
            size = end - at
        if size < head or at + size > end:
            return
        yield Box(kind, at, at + head, at + size)
        at += size


def _find(view: memoryview, kind: bytes, at: int, end: int) -> Box | None:
    return next((box for box in _boxes(view, at, end) if box.kind == kind), None)


def _items(view: memoryview) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each item that `meta` names, its number, and where in the file its type stands."""
    meta = _find(view, b"meta", 0, len(view))
    info = None if meta is None else _find(view, b"iinf", meta.body + FULL, meta.end)
    if info is None or info.end - info.body < FULL + 4:
        return
    count_bytes = 2 if view[info.body] == 0 else 4
    for entry in _boxes(view, info.body + FULL + count_bytes, info.end):
        number_bytes = 2 if bytes(view[entry.body : entry.body + 1]) == b"\2" else 4
        at = entry.body + FULL
        place = at + number_bytes + 2  # behind the number and how it is protected
        if entry.kind == b"infe" and place + 4 <= entry.end:
            yield (
                bytes(view[place : place + 4]),
                int.from_bytes(view[at : at + number_bytes], "big"),
                place,
            )


def _item_payload(view: memoryview, wanted: int) -> memoryview:
    """Return the bytes of an item that lies in the file in one piece; none where it does not."""
    meta = _find(view, b"meta", 0, len(view))
    place = None if meta is None else _find(view, b"iloc", meta.body + FULL, meta.end)
    if place is None:
        return view[:0]
    fields = _Fields(view[place.body : place.end])
    version = fields.read(1)
    fields.read(3)
    sizes = fields.read(2)
    offset_bytes, length_bytes, base_bytes = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_bytes = sizes & 15 if version else 0
    for _ in range(min(fields.read(2 if version < 2 else 4), MAX_BOXES)):
        item = fields.read(2 if version < 2 else 4)
        method = fields.read(2) & 15 if version else IN_FILE
        fields.read(2)
        base, extents = fields.read(base_bytes), fields.read(2)
        spans = []
        for _ in range(extents if not fields.ended else 0):
            fields.read(index_bytes)
            spans.append((fields.read(offset_bytes), fields.read(length_bytes)))
        if item == wanted and method == IN_FILE and len(spans) == 1:
            start = base + spans[0][0]
            return view[start : start + spans[0][1]]
    return view[:0]


class _Fields:
    """Whole numbers of a box, one after the other; 0 behind its end."""

    def __init__(self, data: memoryview):
        self.data, self.at = data, 0

    @property
    def ended(self) -> bool:
        return self.at >= len(self.data)

    def read(self, size: int) -> int:
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "big")
