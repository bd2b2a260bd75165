"""The one way in for every picture file: photos, masks and label maps.

A file is decoded once, from its picture's own parts alone where what is attached to them is in the way, and
stays in the kind of pixels that it has; what a photo, a mask or a label map makes of them is their matter.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from sair_core.errors import PhotoError, PhotoTooLargeError, SairError
from sair_core.photos.containers import strip_attachments
from sair_core.photos.deep import decode_png, decode_tiff, is_beyond_pillow, is_readable, png_is_deep
from sair_core.photos.formats import explain_unreadable, list_readable_formats
from sair_core.photos.metadata import Metadata, read_metadata
from sair_core.photos.pages import Page, find_main_page

T = TypeVar("T")
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture as it is stored.

    pixels: a Pillow image of any mode; where Pillow has none, numbers, `(H, W)` or `(H, W, 2 to 4)`.
    orientation: 1 to 8, how to turn it upright. format: as Pillow names it, None for what came from memory.
    first_of_several: the file is an animation or has pages, and this is the first.
    """

    pixels: Image.Image | np.ndarray = field(repr=False)
    orientation: int
    metadata: Metadata = field(repr=False)
    format: str | None
    first_of_several: bool = False


SizeCheck = Callable[[int, int], None]
PictureSource = Image.Image | str | os.PathLike[str] | bytes | bytearray | memoryview


def read_picture(source: PictureSource, check: SizeCheck) -> Picture:
    """Decode a picture from a file, its bytes or a Pillow image (of an animation, the frame it stands at).

    check: called with width and height before any pixel is decoded; raises where that is too much.
    Raises PhotoError where the file is missing, empty, damaged or no picture.
    """
    if isinstance(source, Image.Image):
        check(*source.size)
        return _from_image(source)
    data = _read_file(Path(source)) if isinstance(source, (str, os.PathLike)) else bytes(source)
    if not data:
        raise PhotoError("The file is empty: choose another one, or copy it again.")
    pixels, info, format, several = _decode(data, check)
    orientation, metadata = read_metadata(info, format, data)
    return Picture(pixels, orientation, metadata, format, several)


def read_orientation(path: Path) -> int:
    """Return the orientation of a JPEG file, 1 to 8, without decoding it. Raises PhotoError."""
    orientation, _ = read_metadata({}, "JPEG", _read_file(path))
    return orientation


def turn_upright(pixels: Image.Image | np.ndarray, orientation: int) -> Image.Image | np.ndarray:
    """Turn a picture as its orientation says."""
    if orientation not in UPRIGHT:
        return pixels
    if isinstance(pixels, Image.Image):
        return pixels.transpose(UPRIGHT[orientation])
    turned = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    flip_rows, flip_columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(turned[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1])


def check_size(width: int, height: int, max_megapixels: float) -> None:
    """Raise PhotoError where there is nothing, PhotoTooLargeError where there is too much."""
    if width < 1 or height < 1:
        raise PhotoError("The photo has no pixels: choose another one.")
    if width * height > max_megapixels * 1e6:
        raise PhotoTooLargeError(
            f"The photo is {width} x {height} px ({width * height / 1e6:.1f} megapixels), the limit is"
            f" {max_megapixels:g} megapixels: make it smaller, or raise the limit."
        )


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise PhotoError(f"There is no file {path}: check the path.") from None
    except IsADirectoryError:
        raise PhotoError(f"{path} is a folder: choose a photo in it.") from None
    except (OSError, ValueError) as error:
        raise PhotoError(f"{path} cannot be opened ({error}): check its name and its permissions.") from error


def _from_image(image: Image.Image) -> Picture:
    _load(image)
    orientation, metadata = read_metadata(image.info, image.format, made=image)
    return Picture(image, orientation, metadata, _plain_format(image))


def _plain_format(image: Image.Image) -> str | None:
    # Some cameras add a second picture to their JPEG files, which Pillow then calls MPO.
    return "JPEG" if image.format == "MPO" else image.format


Decoded = tuple[
    Image.Image | np.ndarray, Mapping[Any, Any], str | None, bool
]  # pixels, info, format, several


def _decode(data: bytes, check: SizeCheck) -> Decoded:
    if png_is_deep(data):
        width, height = struct.unpack_from(">II", data, 16)
        check(width, height)
        return call_decoder(decode_png, data), {}, "PNG", False
    page = find_main_page(data)
    if page is None:
        image = _open_and_load(data, check)
        return image, image.info, _plain_format(image), _holds_several(image)
    if is_beyond_pillow(page):
        return _decode_page(page, check)
    try:
        image = _open_and_load(page.as_stored(), check)  # Pillow turns TIFF files by itself, and only those
    except PhotoTooLargeError:
        raise
    except PhotoError as error:
        if not is_readable(page):
            raise
        try:
            return _decode_page(page, check)
        except PhotoTooLargeError:
            raise
        except PhotoError:
            raise error from None
    return image, image.info, image.format, page.several


def _decode_page(page: Page, check: SizeCheck) -> Decoded:
    check(*page.size_px[::-1])
    return call_decoder(decode_tiff, page), {}, "TIFF", page.several


def _open_and_load(data: bytes, check: SizeCheck) -> Image.Image:
    """Let Pillow decode a file; a second time without what is attached to its picture, where that failed."""
    try:
        return _load(_open(data, check))
    except PhotoTooLargeError:
        raise
    except PhotoError:
        stripped = strip_attachments(data)
        if stripped is None or stripped == data:
            raise
        try:
            return _load(_open(stripped, check))
        except PhotoTooLargeError:
            raise
        except PhotoError:
            pass
        raise


def _open(data: bytes, check: SizeCheck) -> Image.Image:
    """Read the header of a file, and decode nothing yet.

    As `Image.open`, without its own limit of the size, which is one for all threads: ours is checked instead.
    """
    damage: Exception | None = None
    for name in list_readable_formats():
        factory, accept = Image.OPEN[name]
        try:
            wanted = accept is None or accept(data[:16]) is True
        except Exception:  # of too few bytes to tell
            wanted = False
        if not wanted:
            continue
        try:
            image = factory(io.BytesIO(data), "")
        except Exception as error:  # of each reader its own kinds
            damage = damage or error
            continue
        check(*image.size)
        return image
    if damage is None or isinstance(damage, SyntaxError):
        raise PhotoError(explain_unreadable(data[:1024]))
    raise PhotoError(_explain_damage(damage)) from damage


def _load(image: Image.Image) -> Image.Image:
    """Decode an image whose size has been checked."""
    call_decoder(image.load)
    return image


def call_decoder(decode: Callable[..., T], *arguments: object) -> T:
    """Call a decoder. What it raises on a damaged file is no closed list: all of it becomes a PhotoError."""
    try:
        return decode(*arguments)
    except SairError:
        raise
    except Exception as error:
        raise PhotoError(_explain_damage(error)) from error


def _explain_damage(error: Exception) -> str:
    return (
        f"The photo is damaged or incomplete ({str(error) or type(error).__name__}): copy or download it"
        " again, or open it in another program and save it as PNG."
    )


def _holds_several(image: Image.Image) -> bool:
    try:
        # An MPO's second picture is the camera's preview of the first.
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    except Exception:  # behind the first picture, where nobody will look
        return False
