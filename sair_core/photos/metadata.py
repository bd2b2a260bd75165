"""What goes with a photo from file to file: an allow-list.

Of all that a file says beside its pixels only what is named here is read and written: how its colours and its
size are meant, and who made it, when, and with which camera. Previews, layers, edit histories, captions,
makers' notes and whatever else a program keeps may show or name what has been taken out of the photo.
Nothing here raises: what is damaged, over-long or of the wrong type counts as absent.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from PIL import ExifTags, Image

from sair_core.photos.attachments import Attachments, find_xmp_orientation
from sair_core.photos.containers import read_attachments
from sair_core.photos.tiff import (
    ASCII,
    EXIF_POINTER,
    EXIF_PREFIX,
    GPS_POINTER,
    LONG,
    RATIONAL,
    SHORT,
    Buffer,
    Tag,
    TiffBlock,
    write_directory,
)

ORIENTATION = int(ExifTags.Base.Orientation)
MAX_TEXT_BYTES = 4000
MAX_NUMBERS = 8
MAX_PROFILE_BYTES = 16 * 2**20
BYTE, SRATIONAL = 1, 10
RESOLUTION = X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
# A property of the picture says how these are turned, and neither EXIF nor XMP.
TURNED_BY_PROPERTY = ("AVIF", "HEIF")
UNITS_PER_INCH = {2: 1.0, 3: 2.54}


def _tags(
    names: str, kind: type[ExifTags.Base] | type[ExifTags.GPS], *types: int
) -> dict[int, tuple[int, ...]]:
    return {int(getattr(kind, name)): types for name in names.split()}


# By directory: the tags that are kept, and the types they may have.
PHOTO_TAGS = _tags("Make Model Artist Copyright DateTime", ExifTags.Base, ASCII)
CAMERA_TAGS = {
    **_tags("DateTimeOriginal DateTimeDigitized OffsetTimeOriginal OffsetTimeDigitized OffsetTime"
            " SubsecTimeOriginal LensMake LensModel CameraOwnerName", ExifTags.Base, ASCII),
    **_tags("ExposureTime FNumber FocalLength LensSpecification", ExifTags.Base, RATIONAL),
    **_tags("ExposureBiasValue", ExifTags.Base, SRATIONAL),
    **_tags("ISOSpeedRatings ExposureProgram MeteringMode Flash FocalLengthIn35mmFilm WhiteBalance"
            " ColorSpace", ExifTags.Base, SHORT),
}  # fmt: skip
GPS_TAGS = {
    **_tags(
        "GPSLatitudeRef GPSLongitudeRef GPSMapDatum GPSDateStamp GPSImgDirectionRef", ExifTags.GPS, ASCII
    ),
    **_tags("GPSVersionID GPSAltitudeRef", ExifTags.GPS, BYTE),
    **_tags("GPSLatitude GPSLongitude GPSAltitude GPSTimeStamp GPSImgDirection", ExifTags.GPS, RATIONAL),
}


@dataclass(frozen=True)
class Metadata:
    """What is kept of a file beside its pixels.

    icc_profile: of the pixels as they are. exif: a block of the allowed tags alone, the place (GPS) among
    them. dpi: (x, y). gamma, chromaticity, srgb, cicp: PNG's other ways to say what the colours mean.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    gamma: float | None = None
    chromaticity: tuple[float, ...] | None = None
    srgb: int | None = None
    cicp: bytes | None = None

    def to_info(self) -> dict[str, Any]:
        """Return it as the `info` of a Pillow image, under Pillow's names where it has one."""
        facts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in facts.items() if value is not None}

    def without_gps(self) -> Metadata:
        """Return it without the place where the photo was taken."""
        return dataclasses.replace(self, exif=None if self.exif is None else drop_gps(self.exif))

    def texts(self) -> list[tuple[int, bytes]]:
        """Return the texts among the EXIF tags of the photo itself: number and text."""
        block = None if self.exif is None else TiffBlock.open(self.exif)
        tags = {} if block is None else block.directory(block.first).tags
        return [(number, bytes(tag.data).rstrip(b"\0")) for number, tag in tags.items() if tag.type == ASCII]

    def to_attachments(self) -> Attachments:
        """Return it as what a file has attached."""
        return Attachments(**{field.name: getattr(self, field.name) for field in dataclasses.fields(self)})

    def recoloured(self) -> Metadata:
        """Return what still holds where the colours are converted to sRGB."""
        return Metadata(exif=self.exif, dpi=self.dpi)


def read_metadata(
    info: Mapping[Any, Any],
    format: str | None,
    data: Buffer | None = None,
    *,
    made: Image.Image | None = None,
) -> tuple[int, Metadata]:
    """Return the orientation (1 to 8, 1 = upright) and what is kept beside the pixels.

    info: what Pillow has read, or `Metadata.to_info` said. data: the file. made: an image in memory instead.
    """
    attached = None if data is None else read_attachments(data, format)
    turned = _exif_of(info)
    if attached is None:
        attached = Attachments()
    elif format not in TURNED_BY_PROPERTY:
        info = {}  # what Pillow has read of the same file, or made up where that failed
    block = attached.exif or _exif_of(info) or (None if made is None else _exif_made(made))
    exif = None if block is None else TiffBlock.open(block)
    xmp = attached.xmp or info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    if format in TURNED_BY_PROPERTY:
        orientation = _property_orientation(turned)
    else:
        orientation = _orientation(exif) or find_xmp_orientation(xmp) or 1
    profile = attached.icc_profile or info.get("icc_profile")
    dpi = _dpi(attached.dpi or info.get("dpi")) or _exif_dpi(exif)
    metadata = Metadata(
        icc_profile=profile if isinstance(profile, bytes) and 0 < len(profile) <= MAX_PROFILE_BYTES else None,
        exif=None if exif is None else keep_allowed(exif),
        dpi=dpi[::-1] if dpi and orientation >= 5 else dpi,  # of the photo as it is turned
        gamma=_number(attached.gamma or info.get("gamma")),
        chromaticity=_chromaticity(attached.chromaticity or info.get("chromaticity")),
        srgb=attached.srgb if attached.srgb is not None else _intent(info.get("srgb")),
        cicp=attached.cicp or _cicp(info.get("cicp")),
    )
    return orientation, metadata


def keep_allowed(exif: TiffBlock) -> bytes | None:
    """Return an EXIF block of the allowed tags alone, in the same byte order; None when none is left."""
    photo = exif.directory(exif.first)
    camera, place = (exif.directory(photo.integer(pointer)) for pointer in (EXIF_POINTER, GPS_POINTER))
    parts = {
        0: _allowed(photo.tags, PHOTO_TAGS),
        EXIF_POINTER: _allowed(camera.tags, CAMERA_TAGS),
        GPS_POINTER: _allowed(place.tags, GPS_TAGS),
    }
    return _write_exif(parts, exif.order)


def exif_with_dpi(metadata: Metadata) -> bytes | None:
    """Return the EXIF block with the resolution in it, for a file that has no other place for that."""
    if metadata.dpi is None:
        return metadata.exif
    block = TiffBlock.open(metadata.exif or EXIF_PREFIX + b"II*\0\0\0\0\0")
    assert block is not None, "it was written here"
    photo = block.directory(block.first)
    parts = {at: dict(block.directory(photo.integer(at)).tags) for at in (EXIF_POINTER, GPS_POINTER)}
    own = {number: tag for number, tag in photo.tags.items() if number not in parts}
    for number, value in zip((X_RESOLUTION, Y_RESOLUTION), metadata.dpi):
        fraction = struct.pack(block.order + "II", round(value * 1000), 1000)
        own[number] = Tag(RATIONAL, fraction, block.order)
    own[RESOLUTION_UNIT] = Tag(SHORT, struct.pack(block.order + "H", 2), block.order)
    return _write_exif({0: own, **parts}, block.order)


def tiff_order(exif: bytes | None) -> Literal["<", ">"]:
    """Return the byte order of an EXIF block, "<" or ">"; "<" where there is none."""
    block = None if exif is None else TiffBlock.open(exif)
    return ">" if block is not None and block.order == ">" else "<"


def drop_gps(exif: bytes) -> bytes | None:
    """Return an EXIF block without the place where the photo was taken; None when nothing is left."""
    block = TiffBlock.open(exif)
    if block is None:
        return None
    photo = block.directory(block.first)
    camera = block.directory(photo.integer(EXIF_POINTER))
    own = {number: tag for number, tag in photo.tags.items() if number not in (EXIF_POINTER, GPS_POINTER)}
    return _write_exif({0: own, EXIF_POINTER: dict(camera.tags)}, block.order)


def _write_exif(parts: Mapping[int, dict[int, Tag]], order: str) -> bytes | None:
    """Write the directory of the photo (0) and those it points to."""
    pointers = [pointer for pointer in parts if pointer and parts[pointer]]
    if not parts[0] and not pointers:
        return None
    at, first = 8, dict(parts[0])

    def pointing(places: Iterable[int]) -> dict[int, Tag]:
        return first | {
            pointer: Tag(LONG, struct.pack(order + "I", place), order)
            for pointer, place in zip(pointers, places)
        }

    at += len(write_directory(pointing([0] * len(pointers)), order, 8))
    bodies, places = b"", []
    for pointer in pointers:
        places.append(at + len(bodies))
        bodies += write_directory(parts[pointer], order, places[-1])
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    return EXIF_PREFIX + head + write_directory(pointing(places), order, 8) + bodies


def _allowed(tags: Mapping[int, Tag], allowed: Mapping[int, tuple[int, ...]]) -> dict[int, Tag]:
    return {
        number: tag for number, tag in tags.items() if tag.type in allowed.get(number, ()) and _is_short(tag)
    }


def _is_short(tag: Tag) -> bool:
    return len(tag.data) <= MAX_TEXT_BYTES if tag.type == ASCII else tag.count <= MAX_NUMBERS


def _exif_of(info: Mapping[Any, Any]) -> bytes | None:
    block = info.get("exif")
    return block if isinstance(block, bytes) else None


def _exif_made(image: Image.Image) -> bytes | None:
    """Return the EXIF block of an image in memory whose tags came otherwise than as one."""
    made = Image.Exif()
    try:
        exif = image.getexif()
        for number in (ORIENTATION, *RESOLUTION, *PHOTO_TAGS):
            if number in exif:
                made[number] = exif[number]
        return made.tobytes() if len(made) else None
    except Exception:  # whatever an odd tag brings up in Pillow's conversions, the photo goes without
        return None


def _orientation(exif: TiffBlock | None) -> int | None:
    value = 0 if exif is None else exif.directory(exif.first).integer(ORIENTATION)
    return value if 1 <= value <= 8 else None


def _property_orientation(exif: Buffer | None) -> int:
    """Return the orientation that Pillow has put into the EXIF block of an AVIF file where the file's own
    property said another; read as Pillow does, which leaves the block alone where it reads the same there."""
    tags = Image.Exif()
    try:
        tags.load(bytes(exif or b""))
        value = tags.get(ORIENTATION, 1)
    except Exception:  # of an odd block whatever it brings up
        return 1
    return value if value in range(1, 9) else 1


def _exif_dpi(exif: TiffBlock | None) -> tuple[float, float] | None:
    if exif is None:
        return None
    photo = exif.directory(exif.first)
    x, y = (photo.tags[tag].rationals if tag in photo.tags else () for tag in (X_RESOLUTION, Y_RESOLUTION))
    per_inch = UNITS_PER_INCH.get(photo.integer(RESOLUTION_UNIT, 2))
    return _dpi((x[0] * per_inch, y[0] * per_inch)) if x and y and per_inch else None


def _dpi(value: Any) -> tuple[float, float] | None:
    pair = _numbers(value, 2)
    return (pair[0], pair[1]) if pair and all(1 <= v <= 65_535 for v in pair) else None


def _number(value: Any) -> float | None:
    found = _numbers((value,), 1)
    return found[0] if found and 0 < found[0] < 100 else None


def _chromaticity(value: Any) -> tuple[float, ...] | None:
    found = _numbers(value, 8)
    return found if found and all(0 <= v < 20_000 for v in found) else None


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(map(float, value))
    except (TypeError, ValueError, ArithmeticError):
        return None
    return numbers if len(numbers) == count else None


def _intent(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= 3 else None


def _cicp(value: Any) -> bytes | None:
    return value if isinstance(value, bytes) and len(value) == 4 else None
