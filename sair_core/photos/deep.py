"""Pixels of 16 bits a channel, for which Pillow has no modes, from PNG and TIFF files and into PNG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from sair_core.errors import PhotoError
from sair_core.photos.containers import strip_attachments
from sair_core.photos.pages import PHOTOMETRIC, Page
from sair_core.photos.png import PNG_SIGNATURE

BITS, SAMPLES, EXTRA, SAMPLE_FORMAT = 258, 277, 338, 339
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, SEPARATED = 0, 1, 2, 5
ASSOCIATED = 1  # alpha that the colours are multiplied with
UNSIGNED = 1
MAX_CHANNELS = 16


def png_is_deep(data: bytes) -> bool:
    """Whether a PNG has 16 bits a channel, and more than one channel or a transparent grey."""
    if data[:8] != PNG_SIGNATURE or data[24:25] != b"\x10":
        return False
    return data[25:26] != b"\0" or b"tRNS" in data[33 : data.find(b"IDAT")]


def decode_png(data: bytes) -> np.ndarray:
    """Return uint16 `(H, W, 2 to 4)`."""
    import imagecodecs  # only needed here and below

    return np.asarray(imagecodecs.png_decode(strip_attachments(data) or data))


def tiff_is_deep(page: Page) -> bool:
    """Whether a page holds whole numbers of 9 to 16 bits a channel, in colours that can be read here."""
    tags = page.directory.tags
    bits = tags[BITS].integers if BITS in tags else ()
    plain = page.directory.integer(PHOTOMETRIC, -1) in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, SEPARATED)
    unsigned = page.directory.integer(SAMPLE_FORMAT, UNSIGNED) == UNSIGNED
    return bool(bits) and plain and unsigned and all(8 < b <= 16 for b in bits)


def decode_tiff(page: Page) -> np.ndarray | Image.Image:
    """Return uint16 `(H, W)` or `(H, W, 2 to 4)`, black = 0, alpha last and not multiplied; a Pillow image of
    print colours (CMYK)."""
    import tifffile

    if page.directory.integer(SAMPLES, 1) > MAX_CHANNELS:
        raise PhotoError("The photo has more channels than colours and transparency: save it as RGB.")
    with tifffile.TiffFile(io.BytesIO(page.data)) as file:
        tiff = file.pages.first
        pixels = tiff.asarray()
        height, width = page.size_px
        if tiff.axes.startswith("S"):
            pixels = np.moveaxis(pixels, 0, -1)
        bits = page.directory.integer(BITS)
        kinds = tuple(int(kind) for kind in tiff.extrasamples)
    pixels = pixels.reshape(height, width, -1)
    if bits < 16:
        pixels = np.rint(pixels * (65535 / (2**bits - 1)))
    pixels = pixels.astype(np.uint16)
    photometric = page.directory.integer(PHOTOMETRIC)
    if photometric == SEPARATED:
        return Image.fromarray(np.ascontiguousarray((pixels[..., :4] // 257).astype(np.uint8)), "CMYK")
    colours = 3 if photometric == RGB else 1
    if photometric == WHITE_IS_ZERO:
        pixels[..., 0] = 65535 - pixels[..., 0]
    # As Pillow: an extra channel that nothing is said of is no transparency, one that is not mentioned is.
    alpha = pixels.shape[2] > colours and (not kinds or kinds[0] in (1, 2))
    if not alpha:
        return pixels[..., 0] if colours == 1 else np.ascontiguousarray(pixels[..., :3])
    pixels = np.ascontiguousarray(pixels[..., : colours + 1])
    return divide_by_alpha(pixels) if kinds and kinds[0] == ASSOCIATED else pixels


def divide_by_alpha(pixels: np.ndarray) -> np.ndarray:
    """Undo the multiplication of uint16 colours with their alpha."""
    alpha = pixels[..., -1:].astype(np.float64)
    colours = pixels[..., :-1] * (65535 / np.maximum(alpha, 1))
    return np.concatenate([np.rint(colours.clip(0, 65535)).astype(np.uint16), pixels[..., -1:]], axis=-1)


def encode_png(pixels: np.ndarray) -> bytes:
    """Return a PNG of uint16 `(H, W, 2 to 4)`, without anything attached."""
    import imagecodecs

    return bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=3))
