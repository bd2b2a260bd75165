"""Pictures and legends for the browser to show. What is saved never passes through here."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from sair_core.photos.masks import bounding_box
from sair_core.photos.photo import Photo
from sair_core.semantics.map import SemanticMap, palette
from sair_core.window import Window, resample

MAX_DISPLAY_PIXELS = 16_000_000  # browsers on phones refuse larger canvases
MAX_LOSSLESS_PIXELS = 3_000_000  # above, a PNG takes longer than anybody wants to wait
MAX_MAP_PIXELS = 1_000_000  # finer than anybody can point at
BLOCK_PX = 64  # the raster on which changed areas are gathered
MAX_PATCHES = 16
MARGIN_PX = 8  # of unchanged surroundings in a patch, so that a reduced view has no fringe


@dataclass(frozen=True)
class Picture:
    """An encoded picture, its bytes or its file, and its place in photo px (x to the right, y down)."""

    data: bytes | Path
    suffix: str
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0


def fit_display(size_px: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) at which the browser shows and paints a photo: its own, or less."""
    height, width = size_px
    scale = min(1.0, (MAX_DISPLAY_PIXELS / (height * width)) ** 0.5)
    return max(1, round(height * scale)), max(1, round(width * scale))


def encode_preview(photo: Photo) -> Picture:
    """Encode the whole photo at display size, with its colour profile."""
    height, width = photo.size_px
    return _encode_part(photo, (0, 0, height, width), fit_display(photo.size_px))


def encode_patches(photo: Photo, mask: np.ndarray) -> tuple[Picture, ...]:
    """Encode the parts of `photo` around the mask, bool `(H, W)`: all that a fill can have changed."""
    return tuple(_encode_part(photo, box, (box[2] - box[0], box[3] - box[1])) for box in _boxes(mask))


def encode_view(photo: Photo, view: Image.Image, window: Window) -> Picture:
    """Encode what a window of the photo shows, "RGB" of the window's size, with the photo's profile and
    transparency."""
    if photo.alpha is not None:
        view = view.copy()
        view.putalpha(Image.fromarray(resample(photo.alpha, window, "bicubic")))
    height, width = (n / window.scale for n in window.size_px)
    data = _encode(view, "PNG", icc_profile=_rgb_profile(photo))
    return Picture(data, "png", window.left, window.top, width, height)


def reduce_mask(mask: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Reduce a mask, bool `(H, W)`, to a display size: hole where any photo pixel that is shown there is one,
    so that thin lines stay. Enlarged again (`as_mask`) it covers all that it did."""
    if mask.shape == size_px:
        return mask
    for axis, (count, have) in enumerate(zip(size_px, mask.shape)):
        places = Image.fromarray(np.arange(count, dtype=np.int32)[None])
        # Where each photo pixel is shown, by the very rounding with which `as_mask` enlarges.
        shown = np.asarray(places.resize((have, 1), Image.Resampling.NEAREST))[0]
        mask = np.logical_or.reduceat(mask, np.searchsorted(shown, np.arange(count)), axis=axis)
    return mask


def encode_mask(mask: np.ndarray) -> Picture | None:
    """Encode a mask, bool `(H, W)`, cut to its painted part, hole = opaque; None where there is no hole."""
    box = bounding_box(mask)
    if box is None:
        return None
    rows, columns = box
    alpha = mask[rows, columns].astype(np.uint8) * 255
    data = _encode(Image.fromarray(np.dstack([alpha, alpha])), "PNG")
    return Picture(data, "png", columns.start, rows.start, alpha.shape[1], alpha.shape[0])


def encode_map(found: SemanticMap) -> Picture:
    """Encode a map for the browser to colour: red = place in `labels`, green = confidence in 1/255."""
    height, width = found.ids.shape
    scale = min(1.0, (MAX_MAP_PIXELS / (height * width)) ** 0.5)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    rows, columns = (((np.arange(n) + 0.5) * have / n).astype(int) for n, have in zip(size, (height, width)))
    ids = found.ids[np.ix_(rows, columns)]
    sure = (found.confidence[np.ix_(rows, columns)] * 255).round().astype(np.uint8)
    image = Image.fromarray(np.dstack([ids, sure, np.zeros_like(ids)]))
    return Picture(_encode(image, "PNG"), "png", 0, 0, width, height)


def encode_clusters(ids: np.ndarray) -> Picture:
    """Encode clusters, uint8 `(h, w)`, as plain colours; a number has the same colour in every picture."""
    return encode_rgb(palette(int(ids.max()) + 1)[ids])


def encode_rgb(rgb: np.ndarray) -> Picture:
    """Encode uint8 `(h, w, 3)` as it is, of no place in the photo."""
    return Picture(_encode(Image.fromarray(rgb), "PNG"), "png", 0, 0, rgb.shape[1], rgb.shape[0])


def describe_labels(found: SemanticMap) -> list[dict[str, Any]]:
    """Return `{"label", "colour" ("#rrggbb"), "share" (in [0, 1])}` of every label, in the order of the map's
    values."""
    shares = found.shares
    colours = [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in palette(len(found.labels)).tolist()]
    return [
        {"label": label, "colour": colour, "share": round(shares[label], 6)}
        for label, colour in zip(found.labels, colours)
    ]


def encode_thumbnail(photo: Photo, size_px: tuple[int, int]) -> bytes:
    """Encode the photo as a JPEG inside `(height, width)`."""
    image = Image.fromarray(photo.rgb)
    image.thumbnail((size_px[1], size_px[0]))
    return _encode(image, "JPEG", quality=85)


def _boxes(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return (top, left, bottom, right) of the areas with holes: neighbours together, a few boxes at most."""
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % BLOCK_PX), (0, -width % BLOCK_PX)))
    blocks = padded.reshape(padded.shape[0] // BLOCK_PX, BLOCK_PX, -1, BLOCK_PX).any(axis=(1, 3))
    areas = np.empty(blocks.shape, np.int32)
    ndimage.label(blocks, np.ones((3, 3)), output=areas)
    found = ndimage.find_objects(areas if areas.max() <= MAX_PATCHES else blocks.view(np.uint8))
    boxes = []
    for rows, columns in found:
        first_y, first_x = rows.start * BLOCK_PX, columns.start * BLOCK_PX
        box = bounding_box(mask[first_y : rows.stop * BLOCK_PX, first_x : columns.stop * BLOCK_PX])
        assert box is not None, "an area holds at least one hole pixel"
        hole_y, hole_x = box
        top, left = max(0, first_y + hole_y.start - MARGIN_PX), max(0, first_x + hole_x.start - MARGIN_PX)
        bottom = min(height, first_y + hole_y.stop + MARGIN_PX)
        right = min(width, first_x + hole_x.stop + MARGIN_PX)
        boxes.append((top, left, bottom, right))
    return boxes


def _encode_part(photo: Photo, box: tuple[int, int, int, int], size_px: tuple[int, int]) -> Picture:
    top, left, bottom, right = box
    pixels, alpha = photo.rgb[top:bottom, left:right], photo.alpha
    if alpha is not None:
        pixels = np.dstack([pixels, alpha[top:bottom, left:right]])
    image = Image.fromarray(pixels)
    if (image.height, image.width) != size_px:
        image = image.resize((size_px[1], size_px[0]), Image.Resampling.LANCZOS)
    profile = _rgb_profile(photo)
    if alpha is not None or size_px[0] * size_px[1] <= MAX_LOSSLESS_PIXELS:
        data, suffix = _encode(image, "PNG", icc_profile=profile), "png"
    else:
        data, suffix = _encode(image, "JPEG", quality=95, subsampling=0, icc_profile=profile), "jpg"
    return Picture(data, suffix, left, top, right - left, bottom - top)


def _rgb_profile(photo: Photo) -> bytes | None:
    """Return the photo's profile; a grey one does not belong to the RGB that is shown."""
    return photo.icc_profile if photo.mode in ("RGB", "RGBA") else None


def _encode(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    if format == "PNG":
        options["compress_level"] = 1  # it travels once and is thrown away
    image.save(buffer, format=format, **{name: value for name, value in options.items() if value is not None})
    return buffer.getvalue()
