"""What a file says beside its picture, as it stands there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sair_core.photos.tiff import Buffer, TiffBlock

MAX_TEXT_BYTES = 2**20  # of XMP that is looked through
XMP_ORIENTATION = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\b""")


@dataclass(frozen=True)
class Attachments:
    """What goes with a picture in its file. dpi: (x, y)."""

    exif: Buffer | None = None
    xmp: Buffer | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    gamma: float | None = None
    chromaticity: tuple[float, ...] | None = None
    srgb: int | None = None
    cicp: bytes | None = None


def is_exif(block: Buffer) -> bool:
    """Whether a block begins as EXIF does: what merely has its name must not hide the next one."""
    return TiffBlock.open(block) is not None


def find_xmp_orientation(xmp: Buffer | str) -> int | None:
    """Return tiff:Orientation of an XMP packet, 1 to 8; None where it says none."""
    packet = xmp.encode("utf-8", "replace") if isinstance(xmp, str) else bytes(xmp[:MAX_TEXT_BYTES])
    found = XMP_ORIENTATION.search(packet)
    return int(found[1]) if found else None
