"""PNG files as containers: their chunks, read each by itself, taken away, and written."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Iterator

from sair_core.photos.attachments import Attachments, is_exif
from sair_core.photos.tiff import EXIF_PREFIX

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
HEADER_END = 8 + 25  # before which nothing may stand
COLOUR_TYPE = 25
TRANSPARENT_COLOUR_BYTES = {0: 2, 2: 6}  # of tRNS, by colour type: one grey, one colour
XMP_NAME = b"XML:com.adobe.xmp"
RAW_EXIF_NAMES = (b"Raw profile type exif", b"Raw profile type APP1")  # as ImageMagick writes it
MAX_INFLATED_BYTES = 16 * 2**20


def read_png(view: memoryview) -> Attachments:
    """Return what is attached to a PNG."""
    found: dict[str, object] = {}
    for name, start, end in _chunks(view):
        if name == b"IDAT":
            continue
        payload = view[start + 8 : end - 4]
        if name == b"eXIf" and is_exif(payload):
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


def strip_png(view: memoryview) -> bytes:
    """Return a PNG with its picture alone."""
    parts = [view[start:end] for name, start, end in _chunks(view) if _is_picture(view, name, start, end)]
    return b"".join([PNG_SIGNATURE, *parts])


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
    made = (_to_chunk(name, payload) for name, payload in chunks)
    return b"".join([data[:HEADER_END], *made, data[HEADER_END:]])


def _chunks(view: memoryview) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each chunk, and where it starts and ends with its length and checksum."""
    at = 8
    while at + 12 <= len(view):
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        name = bytes(view[at + 4 : at + 8])
        if end > len(view):
            if name in PICTURE:  # cut off: for the decoder to say so
                yield name, at, len(view)
            return
        yield name, at, end
        at = end


def _is_picture(view: memoryview, name: bytes, start: int, end: int) -> bool:
    """Whether a chunk is needed to decode; a transparent colour of another size than the picture's is not."""
    wanted = TRANSPARENT_COLOUR_BYTES.get(int.from_bytes(view[COLOUR_TYPE : COLOUR_TYPE + 1], "big"))
    return name in PICTURE and (name != b"tRNS" or wanted in (None, end - start - 12))


def _add_text(found: dict[str, object], name: bytes, payload: bytes) -> None:
    """Take XMP, and EXIF as ImageMagick writes it (a name, its length, hexadecimal digits), from a text."""
    key = payload.partition(b"\0")[0]
    if key == XMP_NAME and name == b"iTXt":
        packed, rest = payload[len(key) + 1 : len(key) + 2] == b"\1", payload[len(key) + 3 :]
        text = rest.split(b"\0", 2)[-1]
        found.setdefault("xmp", _inflate(text) if packed else text)
    elif key in RAW_EXIF_NAMES and name in (b"zTXt", b"tEXt"):
        text = _after_name(payload, inflate=name == b"zTXt") or b""
        try:
            block = bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
        except ValueError:
            return
        if is_exif(block):
            found.setdefault("exif", block)


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


def _to_chunk(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))
