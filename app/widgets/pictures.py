"""Pictures and legends as the browser gets them to show. What is saved never passes through here."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from sair_core.photos.photo import Photo
from sair_core.semantics.map import SemanticMap, palette
from sair_core.window import Window, resample

MAX_DISPLAY_PIXELS = 16_000_000  # browsers on phones refuse larger canvases
MAX_LOSSLESS_PIXELS = 3_000_000  # above, a PNG takes longer than anybody wants to wait
MAX_MAP_PIXELS = 1_000_000  # finer than anybody can point at
BLOCK = 64  # px; the raster on which changed areas are gathered
MAX_PATCHES = 16
MARGIN = 8  # px of unchanged surroundings in a patch, so that a reduced view has no fringe


@dataclass(frozen=True)
class Picture:
    """An encoded picture, its bytes or where it lies, and its place in photo px (x to the right, y down)."""

    data: bytes | Path
    suffix: str
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0


def display_size(size_px: tuple[int, int]) -> tuple[int, int]:
    """(height, width) at which the browser shows and paints a photo: its own, unless it is huge."""
    height, width = size_px
    scale = min(1.0, (MAX_DISPLAY_PIXELS / (height * width)) ** 0.5)
    return max(1, round(height * scale)), max(1, round(width * scale))


def preview(photo: Photo) -> Picture:
    """The whole photo at display size, with its colour profile."""
    height, width = photo.size_px
    return _picture(photo, (0, 0, height, width), display_size(photo.size_px))


def patches(photo: Photo, mask: np.ndarray) -> list[Picture]:
    """The parts of `photo` around the mask, bool `(H, W)`: all that a fill can have changed."""
    return [_picture(photo, box, (box[2] - box[0], box[3] - box[1])) for box in _boxes(mask)]


def window_picture(photo: Photo, rgb: np.ndarray, window: Window) -> Picture:
    """What was made of a window of the photo, uint8 `(h, w, 3)`, with its profile and its transparency."""
    pixels = rgb
    if photo.alpha is not None:
        pixels = np.dstack([rgb, resample(photo.alpha, window, "bicubic")])
    height, width = (n / window.scale for n in window.size_px)
    data = _encode(Image.fromarray(pixels), "PNG", icc_profile=_profile(photo))
    return Picture(data, "png", window.left, window.top, width, height)


def reduced_mask(mask: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """A mask, bool `(H, W)`, at a display size: hole where any photo pixel that is shown there is one, so
    that thin lines stay. Enlarged again (`as_mask`) it covers all that it was."""
    for axis, (count, have) in enumerate(zip(size_px, mask.shape)):
        places = Image.fromarray(np.arange(count, dtype=np.int32)[None])
        # Where each photo pixel is shown, by the very rounding with which `as_mask` enlarges.
        shown = np.asarray(places.resize((have, 1), Image.Resampling.NEAREST))[0]
        mask = np.logical_or.reduceat(mask, np.searchsorted(shown, np.arange(count)), axis=axis)
    return mask


def mask_picture(mask: np.ndarray) -> Picture | None:
    """A mask cut to its painted part, hole = opaque; None where there is no hole."""
    if not mask.any():
        return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    alpha = mask[top:bottom, left:right].astype(np.uint8) * 255
    image = Image.fromarray(np.dstack([alpha, alpha]))
    size = {"width": int(right - left), "height": int(bottom - top)}
    return Picture(_encode(image, "PNG"), "png", int(left), int(top), **size)


def map_picture(found: SemanticMap) -> Picture:
    """A map for the browser to colour: red = place in `labels`, green = confidence in 1/255."""
    height, width = found.ids.shape
    scale = min(1.0, (MAX_MAP_PIXELS / (height * width)) ** 0.5)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    rows, columns = (((np.arange(n) + 0.5) * have / n).astype(int) for n, have in zip(size, (height, width)))
    ids = found.ids[np.ix_(rows, columns)]
    sure = (found.confidence[np.ix_(rows, columns)] * 255).round().astype(np.uint8)
    image = Image.fromarray(np.dstack([ids, sure, np.zeros_like(ids)]))
    return Picture(_encode(image, "PNG"), "png", 0, 0, width, height)


def cluster_picture(ids: np.ndarray) -> Picture:
    """Clusters, uint8 `(h, w)`, as plain colours; a number has the same colour in every picture."""
    colours = palette(int(ids.max()) + 1)
    return whole_picture(colours[ids])


def whole_picture(rgb: np.ndarray) -> Picture:
    """uint8 `(h, w, 3)` as it is, of no place in the photo."""
    return Picture(_encode(Image.fromarray(rgb), "PNG"), "png", 0, 0, rgb.shape[1], rgb.shape[0])


def legend(found: SemanticMap) -> list[dict[str, Any]]:
    """Label, colour ("#rrggbb") and share in [0, 1] of every label, in the order of the map's values."""
    shares = found.shares
    colours = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in palette(len(found.labels)).tolist()]
    return [
        {"label": label, "colour": colour, "share": round(shares[label], 6)}
        for label, colour in zip(found.labels, colours)
    ]


def thumbnail(photo: Photo, size_px: tuple[int, int]) -> bytes:
    """JPEG of the photo inside `(height, width)`."""
    image = Image.fromarray(photo.rgb)
    image.thumbnail((size_px[1], size_px[0]))
    return _encode(image, "JPEG", quality=85)


def _boxes(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """(top, left, bottom, right) of the areas with holes: neighbours together, a few boxes at most."""
    height, width = mask.shape
    padded = np.zeros((-(-height // BLOCK) * BLOCK, -(-width // BLOCK) * BLOCK), bool)
    padded[:height, :width] = mask
    blocks = padded.reshape(padded.shape[0] // BLOCK, BLOCK, -1, BLOCK).any(axis=(1, 3))
    labels, count = ndimage.label(blocks, np.ones((3, 3)))
    found = ndimage.find_objects(labels if count <= MAX_PATCHES else blocks.astype(int))
    boxes = []
    for rows, columns in found:
        part = mask[rows.start * BLOCK : rows.stop * BLOCK, columns.start * BLOCK : columns.stop * BLOCK]
        y, x = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        top, left = rows.start * BLOCK + int(y[0]), columns.start * BLOCK + int(x[0])
        bottom, right = rows.start * BLOCK + int(y[-1]) + 1, columns.start * BLOCK + int(x[-1]) + 1
        boxes.append(
            (
                max(0, top - MARGIN),
                max(0, left - MARGIN),
                min(height, bottom + MARGIN),
                min(width, right + MARGIN),
            )
        )
    return boxes


def _picture(photo: Photo, box: tuple[int, int, int, int], size_px: tuple[int, int]) -> Picture:
    top, left, bottom, right = box
    pixels = photo.rgb[top:bottom, left:right]
    has_alpha = photo.alpha is not None
    if has_alpha:
        pixels = np.dstack([pixels, photo.alpha[top:bottom, left:right]])
    image = Image.fromarray(pixels)
    if (image.height, image.width) != size_px:
        image = image.resize((size_px[1], size_px[0]), Image.Resampling.LANCZOS)
    place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    profile = _profile(photo)
    if has_alpha or size_px[0] * size_px[1] <= MAX_LOSSLESS_PIXELS:
        return Picture(_encode(image, "PNG", icc_profile=profile), "png", **place)
    return Picture(_encode(image, "JPEG", quality=95, subsampling=0, icc_profile=profile), "jpg", **place)


def _profile(photo: Photo) -> bytes | None:
    """A grey profile does not belong to the RGB that is shown."""
    return photo.icc_profile if photo.mode in ("RGB", "RGBA") else None


def _encode(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    if format == "PNG":
        options["compress_level"] = 1  # it travels once and is thrown away
    image.save(buffer, format=format, **{name: value for name, value in options.items() if value is not None})
    return buffer.getvalue()
