"""Masks and label maps as people draw and save them, at random and yet the same each time.

What was drawn is known, so that a file which opens as something else is noticed: hard and soft edges,
colours, transparency, palettes, one to sixteen bits, odd attachments, and turned as its orientation says.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.attachments import attach
from sair_core.photos.masks import irregular_mask

MASK_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF")
MAP_FORMATS = ("PNG", "TIFF")
LOSSY_SHARE = 0.05  # of the pixels, which a lossy format may take for the other kind
CLASSES = 20
VOID = 255
# How a stored picture is made that its orientation turns upright.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class Drawn:
    """A file, and what it shows: `meant`, upright, bool `(H, W)` of a mask or uint8 class ids of a label map;
    None for a file that is to be refused. orientation: of the photo that a label map belongs to, size_px: its
    height and width. share: of the pixels, that may differ."""

    format: str
    data: bytes
    meant: np.ndarray | None
    orientation: int = 1
    share: float = 0.0
    size_px: tuple[int, ...] = ()


def drawn_mask(seed: int, index: int) -> Drawn:
    """Return mask `index` of a seed. The formats take turns."""
    rng = np.random.default_rng([seed, index, 2])
    format = MASK_FORMATS[index % len(MASK_FORMATS)]
    hole = irregular_mask(rng, _size(rng), (0.1, 0.5))
    if not _has_both(hole):
        hole[0, 0], hole[-1, -1] = True, False
    paint = list(PAINTS.values())[int(rng.integers(0, len(PAINTS)))]
    image, hole = paint(hole, rng)
    image = _in_mode_of(format, image, rng)
    enlarged = int(rng.integers(1, 3))
    image = image.resize((image.width * enlarged, image.height * enlarged), Image.Resampling.NEAREST)
    data = _saved_with_attachments(format, image, int(rng.integers(1, 9)), rng)
    return Drawn(format, data, hole, share=LOSSY_SHARE if format in ("JPEG", "AVIF") else 0.0)


def drawn_map(seed: int, index: int) -> Drawn:
    """Return label map `index` of a seed; one in five has ids that no class has, or colours."""
    rng = np.random.default_rng([seed, index, 3])
    format = MAP_FORMATS[index % len(MAP_FORMATS)]
    height, width = _size(rng)
    ids = rng.choice([*range(CLASSES), VOID], (height // 4 + 1, width // 4 + 1)).astype(np.uint8)
    ids = ids.repeat(4, axis=0).repeat(4, axis=1)[:height, :width]
    meant: np.ndarray | None = ids
    kind = str(rng.choice(["L", "P", "LA", "RGB", "RGBA", "I;16", "colours", "unknown"]))
    if kind == "colours":
        image = Image.fromarray(np.dstack([ids, ids, 255 - ids]))
        meant = None
    elif kind == "unknown":
        image, meant = Image.fromarray(np.where(ids == ids[0, 0], 200, ids).astype(np.uint8)), None
    elif kind == "I;16":
        image = Image.fromarray(ids.astype(np.uint16))
    elif kind == "P":
        image = Image.fromarray(ids, mode="P")
        image.putpalette(rng.integers(0, 256, 768).astype(np.uint8).tobytes())
    else:
        image = Image.fromarray(ids).convert(kind)
    # A map belongs to its photo's pixels: it is stored as the photo is, and turned as the photo says.
    orientation = int(rng.integers(1, 9)) if height != width else 1
    if orientation >= 5:
        stored = image.transpose(STORED[orientation])
    else:
        stored, orientation = image, 1
    buffer = io.BytesIO()
    stored.save(buffer, format)
    data = attach(format, buffer.getvalue(), 1, rng, stored.size[::-1]) if rng.random() < 0.5 else None
    return Drawn(format, data or buffer.getvalue(), meant, orientation, size_px=ids.shape)


def _size(rng: np.random.Generator) -> tuple[int, int]:
    height, width = (int(side) for side in rng.integers(12, 80, 2))
    return height, width


def _has_both(hole: np.ndarray) -> bool:
    return bool(hole.any() and not hole.all())


# How a hole is painted: the picture, and the hole as it is meant.
Painted = tuple[Image.Image, np.ndarray]


def _white_on_black(hole: np.ndarray, rng: np.random.Generator) -> Painted:
    return Image.fromarray(hole.astype(np.uint8) * 255), hole


def _grey_on_dark(hole: np.ndarray, rng: np.random.Generator) -> Painted:
    light, dark = int(rng.integers(160, 256)), int(rng.integers(0, 96))
    return Image.fromarray(np.where(hole, light, dark).astype(np.uint8)), hole


def _soft(hole: np.ndarray, rng: np.random.Generator) -> Painted:
    image = Image.fromarray(hole.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2)))
    values = np.asarray(image).copy()
    values[values // 16 == 8] += 16  # none so near to the middle that a format's rounding decides
    values[values // 16 == 7] -= 16
    values[0, 0] = 255  # a mask of small values alone could mean something else
    return Image.fromarray(values), values >= 128


def _colour_on_black(hole: np.ndarray, rng: np.random.Generator) -> Painted:
    colour = rng.integers(0, 256, 3)
    colour[rng.integers(0, 3)] = 255
    return Image.fromarray((hole[..., None] * colour).astype(np.uint8)), hole


def _paint_on_clear(hole: np.ndarray, rng: np.random.Generator) -> Painted:
    """One colour, black among them, on a transparent ground that hides colours of its own."""
    colour = rng.integers(0, 256, 3) * int(rng.integers(0, 2))
    rgb = np.where(hole[..., None], colour, rng.integers(0, 256, 3)).astype(np.uint8)
    return Image.fromarray(np.dstack([rgb, hole.astype(np.uint8) * 255])), hole


PAINTS: dict[str, Callable[[np.ndarray, np.random.Generator], Painted]] = {
    "white on black": _white_on_black,
    "grey on dark": _grey_on_dark,
    "soft": _soft,
    "colour on black": _colour_on_black,
    "paint on clear": _paint_on_clear,
}


def _in_mode_of(format: str, image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the picture in a mode that the format can hold and that shows the same."""
    if image.mode == "RGBA" and format in ("JPEG", "GIF", "BMP"):
        alpha = image.getchannel("A")  # as those who have no transparency paint it
        image = alpha
    modes = {"L": ["L", "RGB"], "RGB": ["RGB"], "RGBA": ["RGBA"]}[image.mode]
    if format in ("PNG", "TIFF") and image.mode == "L":
        modes += ["I;16", "LA"]
        if set(np.unique(np.asarray(image))) <= {0, 255}:
            modes += ["1"]
    if format == "GIF" and image.mode == "L":
        modes = ["L"]
    mode = str(rng.choice(modes))
    if mode == "I;16":
        return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    return image.convert(mode)


def _saved_with_attachments(
    format: str, image: Image.Image, orientation: int, rng: np.random.Generator
) -> bytes:
    buffer = io.BytesIO()
    options = {
        "JPEG": {"quality": 95},
        "WEBP": {"lossless": True, "exact": True},
        "AVIF": {"quality": 100, "subsampling": "4:4:4", "speed": 10},
    }
    if format in ("GIF", "BMP", "AVIF") or (format == "WEBP" and image.mode == "RGBA"):
        image.save(buffer, format, **options.get(format, {}))
        return buffer.getvalue()
    stored = image.transpose(STORED[orientation]) if orientation in STORED else image
    stored.save(buffer, format, **options.get(format, {}))
    return attach(format, buffer.getvalue(), orientation, rng, stored.size[::-1])
