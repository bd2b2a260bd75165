"""Photos: what the model sees, what is given back, and what is never changed.

A photo is loaded once, upright, in one of five modes: "RGB", "RGBA", "L", "LA" or "I;16" (16-bit grey), the
first, second and fourth with 8 or 16 bits a channel. The model sees 8-bit RGB; results are written into the
photo's own pixels, so that every pixel outside the mask stays bit-identical, whatever the mode.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
from PIL import Image

from sair_core.errors import MaskSizeError, PhotoError
from sair_core.photos.alpha import extend_colours
from sair_core.photos.formats import MODES, floats_to, format_size, to_8_bit, to_photo_depth, to_photo_mode
from sair_core.photos.masks import MaskSource, as_mask
from sair_core.photos.metadata import Metadata
from sair_core.photos.reader import call_decoder, check_size, read_picture, turn_upright
from sair_core.stages import stage

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601, as Pillow's own conversion to "L"


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo, upright. Its arrays are read-only.

    rgb: uint8 (H, W, 3), what the model sees: grey repeated, 16 bits reduced to 8, alpha left out. Where
        little of a colour shows (`photos.alpha`), the visible ones around it go on instead.
    mode: the Pillow mode in which results come back, one of "RGB", "RGBA", "L", "LA", "I;16".
    pixels: the photo's own: uint8 or uint16, (H, W) or (H, W, 2 to 4), alpha last.
    colours: of the pixels' type, (H, W) or (H, W, 3): alpha left out as in rgb.
    metadata: what is kept of its file, and written again.
    format: the file's format as Pillow names it ("PNG", "JPEG", ...), None for pixels that came from memory.
    first_of_several: the file is an animation or has pages, and this is the first; say so to who opened it.
    orientation: 1 to 8 of EXIF, how the file was turned to be upright.
    """

    rgb: np.ndarray = field(repr=False)
    mode: str
    pixels: np.ndarray = field(repr=False)
    colours: np.ndarray = field(repr=False)
    metadata: Metadata = field(repr=False)
    format: str | None
    first_of_several: bool = False
    orientation: int = 1

    @property
    def icc_profile(self) -> bytes | None:
        """The colour profile of its file."""
        return self.metadata.icc_profile

    @property
    def exif(self) -> bytes | None:
        """The EXIF block: the tags that `photos.metadata` allows, the place (GPS) among them."""
        return self.metadata.exif

    @property
    def bits(self) -> int:
        """Bits of a channel, 8 or 16."""
        return 8 * self.pixels.dtype.itemsize

    @property
    def size_px(self) -> tuple[int, int]:
        """(height, width)."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @property
    def alpha(self) -> np.ndarray | None:
        """uint8 (H, W), 255 = opaque; None for a photo without transparency."""
        return to_8_bit(self.pixels[..., -1]) if self.mode in ("RGBA", "LA") else None

    @cached_property
    def deep_rgb(self) -> np.ndarray:
        """(H, W, 3), rgb in the photo's own depth: uint8 or uint16."""
        if self.bits == 8:
            return self.rgb
        return self.colours if self.colours.ndim == 3 else np.repeat(self.colours[..., None], 3, axis=2)

    def read_mask(self, source: MaskSource) -> np.ndarray:
        """Read a mask of this photo, bool (H, W), as `as_mask` does: also one that lies as its file does.

        Raises MaskError, MaskSizeError.
        """
        return as_mask(source, self.size_px, orientation=self.orientation)

    @stage("composite")
    def composite(self, fill01: np.ndarray, mask: np.ndarray) -> Photo:
        """Return the photo with new colours at the mask's pixels.

        Args:
            fill01: float (N, 3), or (N, 1) for a grey photo: the colours of the mask's N True pixels in the
                order of np.nonzero(mask). Values beyond [0, 1] are clipped.
            mask: bool (H, W).

        Returns:
            A photo of the same mode, depth, size and metadata, and of no file. Pixels outside the mask, and
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
        pixels, top = self.pixels.copy(), np.iinfo(self.pixels.dtype).max
        if coloured:
            pixels[mask, :3] = np.rint(fill01 * top)
        else:
            grey01 = fill01 @ LUMA if fill01.shape[1] == 3 else fill01[:, 0]
            pixels[(mask, 0) if self.mode == "LA" else mask] = np.rint(grey01 * top)
        return _build_photo(pixels, self.metadata)

    def to_image(self) -> Image.Image:
        """Return the photo as an image of its mode, with its metadata in `info`.

        Pillow has no mode for colours of 16 bits: they are reduced to 8.
        """
        image = Image.fromarray(self.pixels if self.mode == "I;16" else to_8_bit(self.pixels))
        assert image.mode == self.mode, (image.mode, self.mode)
        image.info.update(self.metadata.to_info())
        return image


PhotoSource = Photo | Image.Image | np.ndarray | str | os.PathLike[str] | bytes


def load_photo(source: PhotoSource, *, max_megapixels: float = 50.0) -> Photo:
    """Read a photo from a file, its bytes, an image or an array.

    Args:
        source: a path; a file's bytes; a Pillow image; an array: uint8 or uint16 (H, W) or (H, W, 1 to 4),
            bool, or float in [0, 1], of which 8 bits are kept. A Photo is returned as it is.
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
        check_size(width, height, max_megapixels)
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source, max_megapixels)
    if not isinstance(source, (Image.Image, str, os.PathLike, bytes, bytearray, memoryview)):
        raise PhotoError(
            f"{type(source).__name__} is no photo: give a path, a file's bytes, a Pillow image or a numpy"
            " array."
        )
    picture = read_picture(source, partial(check_size, max_megapixels=max_megapixels))
    pixels, metadata = picture.pixels, picture.metadata
    if isinstance(pixels, Image.Image) and pixels.mode == "F":
        pixels = np.asarray(pixels)
    if isinstance(pixels, Image.Image):
        recoloured = pixels.mode in ("CMYK", "LAB")
        pixels, icc_profile = call_decoder(to_photo_mode, pixels, metadata.icc_profile)
        metadata = (
            metadata.recoloured() if recoloured else dataclasses.replace(metadata, icc_profile=icc_profile)
        )
    else:
        pixels = to_photo_depth(pixels)
    upright = np.asarray(turn_upright(pixels, picture.orientation))
    photo = _build_photo(upright, metadata, picture.format)
    return dataclasses.replace(
        photo, first_of_several=picture.first_of_several, orientation=picture.orientation
    )


def as_photo(source: PhotoSource) -> Photo:
    """Return a Photo as it is, of any size; load anything else as `load_photo` does."""
    return source if isinstance(source, Photo) else load_photo(source)


def _from_array(array: np.ndarray, max_megapixels: float) -> Photo:
    pixels = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels > 4:
        raise PhotoError(
            f"A photo array is (H, W) or (H, W, 3 or 4), not {array.shape}:"
            " if its channels come first, give array.transpose(1, 2, 0)."
        )
    check_size(pixels.shape[1], pixels.shape[0], max_megapixels)
    if np.issubdtype(pixels.dtype, np.floating):
        pixels = floats_to(np.uint8, pixels)
    elif pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    if channels < 1 or not (pixels.dtype == np.uint8 or np.issubdtype(pixels.dtype, np.uint16)):
        raise PhotoError(
            f"A photo array of type {array.dtype} and shape {array.shape} cannot be used: give uint8,"
            " float in [0, 1], or uint16."
        )
    return _build_photo(np.array(pixels, dtype=pixels.dtype.newbyteorder("="), order="C"))


def _build_photo(pixels: np.ndarray, metadata: Metadata = Metadata(), format: str | None = None) -> Photo:
    """Return the photo of pixels, uint8 or uint16, (H, W) or (H, W, 2 to 4), which it then owns."""
    mode = MODES[pixels.shape[2] if pixels.ndim == 3 else 1]
    colours = extend_colours(pixels) if mode in ("LA", "RGBA") else pixels
    rgb = to_8_bit(colours)
    if rgb.ndim == 2:
        rgb = np.repeat(rgb[..., None], 3, axis=2)
    for array in (rgb, pixels, colours):
        array.flags.writeable = False
    if mode == "L" and pixels.dtype == np.uint16:
        mode = "I;16"
    return Photo(rgb, mode, pixels, colours, metadata, format)
