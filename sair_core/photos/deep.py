"""Pixels for which Pillow has no modes, mostly of 16 bits a channel, from PNG and TIFF and into PNG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from sair_core.errors import PhotoError
from sair_core.photos.containers import strip_attachments
from sair_core.photos.formats import to_8_bit, to_photo_depth
from sair_core.photos.pages import PHOTOMETRIC, Page
from sair_core.photos.png import PNG_SIGNATURE

BITS, COMPRESSION, SAMPLES, COLOUR_MAP, EXTRA, SAMPLE_FORMAT = 258, 259, 277, 320, 338, 339
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, SEPARATED, YCBCR = 0, 1, 2, 3, 5, 6
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, SEPARATED: 4}  # channels of each, as they are stored
ASSOCIATED = 1  # alpha that the colours are multiplied with
UNSIGNED, SIGNED, FLOAT, UNDEFINED = 1, 2, 3, 4
JPEG = 7
# None, LZW, JPEG, deflate under both of its numbers, PackBits, LZMA, Zstandard.
COMPRESSIONS = (1, 5, JPEG, 8, 32946, 32773, 34925, 50000)
MAX_PIXEL_BYTES = 32


def png_is_deep(data: bytes) -> bool:
    """Whether a PNG has 16 bits a channel, and more than one channel or a transparent grey."""
    if data[:8] != PNG_SIGNATURE or data[24:25] != b"\x10":
        return False
    return data[25:26] != b"\0" or b"tRNS" in data[33 : data.find(b"IDAT")]


def decode_png(data: bytes) -> np.ndarray:
    """Return uint16 `(H, W, 2 to 4)`."""
    import imagecodecs  # only needed here and below

    return np.asarray(imagecodecs.png_decode(strip_attachments(data) or data))


def is_beyond_pillow(page: Page) -> bool:
    """Whether a TIFF page holds numbers that Pillow has no modes for, or more pixels than it decodes."""
    tags = page.directory.tags
    bits = tags[BITS].integers if BITS in tags else ()
    plain = page.directory.integer(PHOTOMETRIC, -1) in COLOURS
    unsigned = page.directory.integer(SAMPLE_FORMAT, UNSIGNED) in (UNSIGNED, UNDEFINED)
    if plain and bits and (not unsigned or any(b > 8 for b in bits)):
        return True
    limit = Image.MAX_IMAGE_PIXELS
    return is_readable(page) and limit is not None and page.size_px[0] * page.size_px[1] > limit


def is_readable(page: Page) -> bool:
    """Whether `decode_tiff` may be tried on a TIFF page."""
    compression = page.directory.integer(COMPRESSION, 1)
    photometric = page.directory.integer(PHOTOMETRIC, -1)
    known = photometric in (*COLOURS, PALETTE) or (photometric == YCBCR and compression == JPEG)
    return known and compression in COMPRESSIONS


def decode_tiff(page: Page) -> np.ndarray | Image.Image:
    """Return `(H, W)` or `(H, W, 2 to 4)`, black = 0, alpha last and not multiplied: uint8, uint16 (also of 9
    to 15 bits), or else the numbers that the file holds; a Pillow image of print colours (CMYK)."""
    import tifffile

    bits = page.directory.integer(BITS, 1)
    if page.directory.integer(SAMPLES, 1) * bits > 8 * MAX_PIXEL_BYTES:
        raise PhotoError("The photo has more channels than colours and transparency: save it as RGB.")
    if page.directory.integer(SAMPLE_FORMAT, UNSIGNED) not in (UNSIGNED, SIGNED, FLOAT, UNDEFINED):
        raise PhotoError("A photo of complex numbers cannot be used: save it with 8 or 16 bits.")
    with tifffile.TiffFile(io.BytesIO(page.data)) as file:
        tiff = file.pages.first
        pixels = tiff.asarray()
        height, width = page.size_px
        if tiff.axes.startswith("S"):
            pixels = np.moveaxis(pixels, 0, -1)
        kinds = tuple(int(kind) for kind in tiff.extrasamples)
        colour_map = tiff.colormap
    pixels = pixels.reshape(height, width, -1)
    photometric = page.directory.integer(PHOTOMETRIC)
    colours = 1 if colour_map is not None else COLOURS.get(photometric, 3)
    if pixels.shape[2] < colours:
        raise ValueError(f"{pixels.shape[2]} of {colours} channels are there")
    if colour_map is not None:
        return np.ascontiguousarray((colour_map.T >> 8).astype(np.uint8)[pixels[..., 0]])
    if bits < 8 * pixels.dtype.itemsize and pixels.dtype.kind in "bu":  # 9 to 15 bits, or less than 8
        pixels = np.rint(pixels * ((65535 if bits > 8 else 255) / (2**bits - 1)))
        pixels = pixels.astype(np.uint16 if bits > 8 else np.uint8)
    if photometric == SEPARATED:
        return Image.fromarray(np.ascontiguousarray(to_8_bit(to_photo_depth(pixels[..., :4]))), "CMYK")
    top = 1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    if photometric == WHITE_IS_ZERO:
        pixels[..., 0] = top - pixels[..., 0]
    # As Pillow: an extra channel that nothing is said of is no transparency, one that is not mentioned is.
    alpha = pixels.shape[2] > colours and (not kinds or kinds[0] in (1, 2))
    if not alpha:
        return pixels[..., 0] if colours == 1 else np.ascontiguousarray(pixels[..., :3])
    pixels = np.ascontiguousarray(pixels[..., : colours + 1])
    return divide_by_alpha(pixels, top) if kinds and kinds[0] == ASSOCIATED else pixels


def divide_by_alpha(pixels: np.ndarray, top: float) -> np.ndarray:
    """Undo the multiplication of colours, alpha last, with their alpha. top: the number that is all of it."""
    alpha = pixels[..., -1:].astype(np.float64)
    whole = pixels.dtype.kind in "ui"
    colours = (pixels[..., :-1] * (top / np.maximum(alpha, 1 if whole else 1e-6))).clip(0, top)
    if whole:
        colours = np.rint(colours)
    return np.concatenate([colours.astype(pixels.dtype), pixels[..., -1:]], axis=-1)


def encode_png(pixels: np.ndarray) -> bytes:
    """Return a PNG of uint16 `(H, W, 2 to 4)`, without anything attached."""
    import imagecodecs

    return bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=3))
