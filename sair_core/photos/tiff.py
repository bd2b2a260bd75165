"""Directories of tags, as TIFF files and EXIF blocks hold them, read as far as they are sound.

After TIFF 6.0, its BigTIFF form and Exif 2.32. A tag that is cut off, of an unknown type or at no place in
the file is left out; the others do not suffer from it.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

# Bytes of one value, by the type's number: BYTE ASCII SHORT LONG RATIONAL, their signed kinds, FLOAT DOUBLE
# IFD, LONG8 SLONG8 IFD8.
TYPE_BYTES = dict(enumerate([1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4], start=1)) | {16: 8, 17: 8, 18: 8}
INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
ASCII, SHORT, LONG, RATIONAL = 2, 3, 4, 5
UNUSED = 65000  # the first number that is nobody's
MAX_TAGS = 4096  # of a directory
MAX_VALUES = 64  # of a tag that are looked at
MAX_DIRECTORIES = 256  # of a chain, which may run in a circle
EXIF_PREFIX = b"Exif\0\0"
EXIF_POINTER, GPS_POINTER = 34665, 34853  # tags that say where further directories begin

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Tag:
    """A tag as it is stored. type: its TIFF type. data: its values, in the byte order of its file."""

    type: int
    data: Buffer
    order: str

    @property
    def count(self) -> int:
        """How many values it has."""
        return len(self.data) // TYPE_BYTES[self.type]

    @property
    def integers(self) -> tuple[int, ...]:
        """The first values, where they are whole numbers; else none."""
        code = INTEGERS.get(self.type)
        if code is None:
            return ()
        return struct.unpack_from(f"{self.order}{min(self.count, MAX_VALUES)}{code}", self.data)

    @property
    def rationals(self) -> tuple[float, ...]:
        """The first values, where they are fractions; those divided by zero are left out."""
        if self.type != RATIONAL:
            return ()
        parts = struct.unpack_from(f"{self.order}{2 * min(self.count, MAX_VALUES)}I", self.data)
        return tuple(above / below for above, below in zip(parts[::2], parts[1::2]) if below)


@dataclass(frozen=True)
class Directory:
    """The sound tags of a directory, by number; where it begins, and the next of the chain (0: nowhere)."""

    tags: Mapping[int, Tag]
    at: int = 0
    next: int = 0

    def integer(self, tag: int, default: int = 0) -> int:
        """Return the first value of a tag of whole numbers."""
        found = self.tags[tag].integers if tag in self.tags else ()
        return found[0] if found else default


@dataclass(frozen=True)
class TiffBlock:
    """A TIFF file or an EXIF block. order: "<" or ">"; big: in 64 bits; first: where its tags begin."""

    data: memoryview
    order: str
    big: bool
    first: int

    @classmethod
    def open(cls, data: Buffer) -> TiffBlock | None:
        """Return the block, None where the bytes are none; an EXIF block may have its prefix before it."""
        data = memoryview(data)
        if data[:6] == EXIF_PREFIX:
            data = data[6:]
        order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
        if order is None or len(data) < 8:
            return None
        version, first = struct.unpack_from(order + "HI", data, 2)
        if version != 43:
            return cls(data, order, False, first)
        if len(data) < 16:
            return None
        return cls(data, order, True, struct.unpack_from(order + "Q", data, 8)[0])

    def directories(self) -> Iterator[Directory]:
        """Yield the chain: the pages of a TIFF file; of an EXIF block the photo and its preview."""
        at, seen = self.first, set[int]()
        while at and at not in seen and len(seen) < MAX_DIRECTORIES:
            seen.add(at)
            directory = self.directory(at)
            yield directory
            at = directory.next

    def directory(self, at: int) -> Directory:
        """Return the directory at a place; an empty one where there is none."""
        places, end = self._entries(at)
        if not end:
            return Directory({})
        tags = {}
        for place in places:
            tag = self._tag(place)
            if tag is not None:
                tags[self._number("H", place)] = tag
        pointer = "Q" if self.big else "I"
        sound = end + struct.calcsize("=" + pointer) <= len(self.data)
        return Directory(tags, at, self._number(pointer, end) if sound else 0)

    def starting_at(self, page: Directory) -> bytes:
        """Return the file with this directory as its first."""
        place, pointer = (8, "Q") if self.big else (4, "I")
        start = struct.pack(self.order + pointer, page.at)
        return b"".join([self.data[:place], start, self.data[place + len(start) :]])

    def without(self, page: Directory, numbers: Container[int]) -> bytes:
        """Return the file without these tags of a directory: they get a number that nobody reads."""
        data = bytearray(self.data)
        for place in self._entries(page.at)[0]:
            if self._number("H", place) in numbers:
                struct.pack_into(self.order + "H", data, place, UNUSED)
        return bytes(data)

    def _entries(self, at: int) -> tuple[range, int]:
        """Return where the entries of a directory stand, and its end; none and 0 where there is none."""
        head, entry = ("Q", 20) if self.big else ("H", 12)
        start = at + struct.calcsize("=" + head)
        if at < 8 or start > len(self.data):
            return range(0), 0
        count = self._number(head, at)
        last = min(start + entry * min(count, MAX_TAGS), len(self.data) - entry + 1)
        return range(start, last, entry), start + entry * count

    def _number(self, code: str, at: int) -> int:
        return int(struct.unpack_from(self.order + code, self.data, at)[0])

    def _tag(self, place: int) -> Tag | None:
        inside, pointer = (8, "Q") if self.big else (4, "I")
        kind, count = self._number("H", place + 2), self._number(pointer, place + 4)
        size, at = TYPE_BYTES.get(kind, 0) * count, place + 4 + inside
        if size > inside:
            at = self._number(pointer, at)
        if not size or at + size > len(self.data):
            return None
        return Tag(kind, self.data[at : at + size], self.order)


def write_directory(tags: Mapping[int, Tag], order: str, at: int) -> bytes:
    """Return a directory, the last of its chain, with its values behind it, to stand at this place."""
    entries, values = b"", b""
    behind = at + 2 + 12 * len(tags) + 4
    for number, tag in sorted(tags.items()):
        value = bytes(tag.data)
        if len(value) > 4:
            place = struct.pack(order + "I", behind + len(values))
            values += value + b"\0" * (len(value) % 2)
            value = place
        entries += struct.pack(order + "HHI", number, tag.type, tag.count) + value.ljust(4, b"\0")
    return struct.pack(order + "H", len(tags)) + entries + b"\0\0\0\0" + values
