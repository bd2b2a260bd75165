"""Photos: what the model sees, what is given back, and what is never changed.

A photo is loaded once, upright, in one of five modes: "RGB", "RGBA", "L", "LA" or "I;16" (16-bit grey). The
model sees 8-bit RGB; results are written into the photo's own pixels, so that every pixel outside the mask
stays bit-identical, whatever the mode.
"""

from __future__ import annotations

import dataclasses
import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from sair_core.errors import MaskSizeError, PhotoError, PhotoTooLargeError
from sair_core.photos.formats import (
    DAMAGE,
    MODES,
    UPRIGHT,
    explain_unreadable,
    format_size,
    holds_several,
    list_readable_formats,
    read_exif,
    to_8_bit,
    to_photo_mode,
)

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601, as Pillow's own conversion to "L"


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo, upright. Its arrays are read-only.

    rgb: uint8 (H, W, 3), what the model sees (grey repeated, 16 bits reduced to 8, alpha left out).
    mode: the Pillow mode in which results come back, one of "RGB", "RGBA", "L", "LA", "I;16".
    icc_profile, exif: from the file, or None. The orientation (already applied) and the preview picture (it
        would show what was removed) are taken out of exif.
    format: the file's format as Pillow names it ("PNG", "JPEG", ...), None for pixels that came from memory.
    first_of_several: the file is an animation or has pages, and this is the first; say so to who opened it.
    """

    rgb: np.ndarray = field(repr=False)
    mode: str
    icc_profile: bytes | None = field(repr=False)
    exif: bytes | None = field(repr=False)
    format: str | None
    _native: np.ndarray = field(repr=False)  # uint8 (H, W) or (H, W, 2 to 4); uint16 (H, W) for "I;16"
    first_of_several: bool = False

    @property
    def size_px(self) -> tuple[int, int]:
        """(height, width)."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @property
    def alpha(self) -> np.ndarray | None:
        """uint8 (H, W), 255 = opaque; None for a photo without transparency."""
        return self._native[..., -1] if self.mode in ("RGBA", "LA") else None

    @property
    def colours01(self) -> np.ndarray:
        """float32 (H, W, 3), or (H, W, 1) for grey, in [0, 1]: the photo in its own depth, alpha left out."""
        colours = self._native[..., :-1] if self.alpha is not None else self._native
        return np.atleast_3d(colours).astype(np.float32) / np.iinfo(colours.dtype).max

    def composite(self, fill01: np.ndarray, mask: np.ndarray) -> Photo:
        """Return the photo with new colours at the mask's pixels.

        Args:
            fill01: float (N, 3), or (N, 1) for a grey photo: the colours of the mask's N True pixels in the
                order of np.nonzero(mask). Values beyond [0, 1] are clipped.
            mask: bool (H, W).

        Returns:
            A photo of the same mode, size, ICC profile and EXIF, and of no file. Pixels outside the mask, and
            all of alpha, are bit-identical.

        Raises:
            MaskSizeError: the mask has another size than the photo.
            ValueError: fill01 does not hold one colour per mask pixel.
        """
        if mask.shape != self.size_px:
            raise MaskSizeError(
                f"The mask is {format_size(mask.shape)} but the photo is {format_size(self.size_px)}:"
                " give a mask of the photo's size."
            )
        count = np.count_nonzero(mask)
        coloured = self.mode in ("RGB", "RGBA")
        if fill01.shape != (count, 3) and (coloured or fill01.shape != (count, 1)):
            raise ValueError(f"The mask's pixels need colours of shape ({count}, 3), not {fill01.shape}.")
        fill01 = np.clip(fill01, 0.0, 1.0)
        pixels = self._native.copy()
        if coloured:
            pixels[mask, :3] = np.rint(fill01 * 255.0)
        else:
            grey01 = fill01 @ LUMA if fill01.shape[1] == 3 else fill01[:, 0]
            grey = np.rint(grey01 * np.iinfo(pixels.dtype).max)
            pixels[(mask, 0) if self.mode == "LA" else mask] = grey
        return _build_photo(pixels, self.mode, self.icc_profile, self.exif)

    def to_image(self) -> Image.Image:
        """Return the photo as an image of its mode, with its ICC profile and EXIF in `info`."""
        image = Image.fromarray(self._native)
        assert image.mode == self.mode, (image.mode, self.mode)
        if self.icc_profile:
            image.info["icc_profile"] = self.icc_profile
        if self.exif:
            image.info["exif"] = self.exif
        return image


PhotoSource = Photo | Image.Image | np.ndarray | str | os.PathLike[str] | bytes


def load_photo(source: PhotoSource, *, max_megapixels: float = 50.0) -> Photo:
    """Read a photo from a file, its bytes, an image or an array.

    Args:
        source: a path; a file's bytes; a Pillow image; an array: uint8 (H, W) or (H, W, 1 to 4), float in
            [0, 1] of the same shapes, uint16 (H, W) or bool (H, W). A Photo is returned as it is.
        max_megapixels: limit on width x height, checked on the file's header before any pixel is decoded.

    Returns:
        The photo with its EXIF orientation applied. Palette images become RGB or RGBA, black-and-white ones
        grey, CMYK and Lab ones sRGB (through their ICC profile if there is one). Of an animation, the first
        frame, and first_of_several is True.

    Raises:
        PhotoTooLargeError: more pixels than max_megapixels.
        PhotoError: the file is missing, empty, damaged, not a photo, or the array has another type or range.
    """
    if isinstance(source, Photo):
        height, width = source.size_px
        _check_size(width, height, max_megapixels)
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source, max_megapixels)
    if isinstance(source, Image.Image):
        _check_size(*source.size, max_megapixels)
        return _from_image(source)
    if isinstance(source, (str, os.PathLike)):
        with _open_file(Path(source)) as file:
            return _from_file(file, max_megapixels)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _from_file(io.BytesIO(source), max_megapixels)
    raise PhotoError(
        f"{type(source).__name__} is no photo: give a path, a file's bytes, a Pillow image or a numpy array."
    )


def as_photo(source: PhotoSource) -> Photo:
    """Return a Photo as it is, of any size; load anything else as `load_photo` does."""
    return source if isinstance(source, Photo) else load_photo(source)


def _check_size(width: int, height: int, max_megapixels: float) -> None:
    if width < 1 or height < 1:
        raise PhotoError("The photo has no pixels: choose another one.")
    if width * height > max_megapixels * 1e6:
        raise PhotoTooLargeError(
            f"The photo is {width} x {height} px ({width * height / 1e6:.1f} megapixels), the limit is"
            f" {max_megapixels:g} megapixels: make it smaller, or raise the limit."
        )


def _open_file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise PhotoError(f"There is no file {path}: check the path.") from None
    except IsADirectoryError:
        raise PhotoError(f"{path} is a folder: choose a photo in it.") from None
    except (OSError, ValueError) as error:
        raise PhotoError(f"{path} cannot be opened ({error}): check its name and its permissions.") from error


def _from_file(file: BinaryIO, max_megapixels: float) -> Photo:
    start = file.read(1024)
    if not start:
        raise PhotoError("The file is empty: choose another one, or copy it again.")
    try:
        # Reads the header and decodes nothing yet.
        image = Image.open(file, formats=list_readable_formats())
    except UnidentifiedImageError:
        raise PhotoError(explain_unreadable(start)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoTooLargeError(_explain_too_large(error)) from error
    except DAMAGE as error:
        raise PhotoError(_explain_damage(error)) from error
    _check_size(*image.size, max_megapixels)
    several = holds_several(image)
    return dataclasses.replace(_from_image(image), first_of_several=several)


def _explain_too_large(error: BaseException) -> str:
    return f"The photo is too large to open safely ({error}): make it smaller."


def _explain_damage(error: BaseException) -> str:
    return (
        f"The photo is damaged or incomplete ({error}): copy or download it again, or open it in another"
        " program and save it as PNG."
    )


def _from_image(image: Image.Image) -> Photo:
    """Decode, turn upright and take apart. Of an animation, the frame the image stands at."""
    try:
        image.load()
    except Image.DecompressionBombError as error:
        raise PhotoTooLargeError(_explain_too_large(error)) from error
    except DAMAGE as error:
        raise PhotoError(_explain_damage(error)) from error
    orientation, exif = read_exif(image)
    # Some cameras add a second picture to their JPEG files, which Pillow then calls MPO.
    format = "JPEG" if image.format == "MPO" else image.format
    image, icc_profile = to_photo_mode(image)
    if orientation in UPRIGHT:
        image = image.transpose(UPRIGHT[orientation])
    return _build_photo(np.asarray(image), image.mode, icc_profile, exif, format)


def _from_array(array: np.ndarray, max_megapixels: float) -> Photo:
    pixels = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels > 4:
        raise PhotoError(
            f"A photo array is (H, W) or (H, W, 3 or 4), not {array.shape}:"
            " if its channels come first, give array.transpose(1, 2, 0)."
        )
    _check_size(pixels.shape[1], pixels.shape[0], max_megapixels)
    if np.issubdtype(pixels.dtype, np.floating):
        # Resampling overshoots by rounding errors; NaN fails both comparisons.
        if not (pixels.min() >= -1e-3 and pixels.max() <= 1 + 1e-3):
            raise PhotoError("A float photo array must lie in [0, 1]: divide 8-bit values by 255.")
        pixels = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    elif pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    if np.issubdtype(pixels.dtype, np.uint16) and channels == 1:  # in either byte order
        return _build_photo(np.array(pixels, dtype=np.uint16, order="C"), "I;16")
    if pixels.dtype != np.uint8 or channels < 1:
        raise PhotoError(
            f"A photo array of type {array.dtype} and shape {array.shape} cannot be used: give uint8,"
            " float in [0, 1], or uint16 for grey."
        )
    return _build_photo(np.array(pixels, order="C"), MODES[channels])


def _build_photo(
    native: np.ndarray,
    mode: str,
    icc_profile: bytes | None = None,
    exif: bytes | None = None,
    format: str | None = None,
) -> Photo:
    if mode in ("RGB", "RGBA"):
        rgb = np.ascontiguousarray(native[..., :3])
    else:
        grey = native[..., 0] if mode == "LA" else native
        rgb = np.repeat(to_8_bit(grey)[..., None], 3, axis=2)
    rgb.flags.writeable = native.flags.writeable = False
    return Photo(rgb, mode, icc_profile, exif, format, native)
