"""Masks: numpy bool `(H, W)`, True = hole. Reading, morphology, and random irregular holes."""

from __future__ import annotations

import itertools
import math
import os

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from sair_core.errors import ConfigError, MaskError, MaskSizeError, PhotoError
from sair_core.photos.formats import to_photo_mode
from sair_core.photos.reader import call_decoder, read_picture, turn_upright

MaskFile = Image.Image | str | os.PathLike[str] | bytes
MaskSource = MaskFile | np.ndarray
Bins = tuple[tuple[float, float], ...]

LARGEST_PERCENT = 60  # share of the picture that is hole, as the field reports it
THRESHOLD = 128  # a grey mask is hole from here up
DARK = 32  # below, paint counts as black
FAINT = 16  # alpha below which nothing counts as painted
GREYISH = 32  # the strongest channel less the weakest, below which a colour counts as grey
STRAY = 0.002  # of the pixels, which a lossy format makes
OVERSHOOT = 2.0  # floats up to here are meant in [0, 1]: resampling passes its ends
SPARE_PX = 1_000_000  # a mask file may be this much larger than four times the photo


def share_bins(width_percent: int) -> Bins:
    """Return the bins of hole shares from 0 to 60 %, each so wide: `(low, high)`, shares in [0, 1].

    Raises ConfigError for a width that does not divide 60.
    """
    if width_percent < 1 or LARGEST_PERCENT % width_percent:
        raise ConfigError(f"Bins must be as wide as a part of {LARGEST_PERCENT} %, got {width_percent}.")
    edges = range(0, LARGEST_PERCENT + 1, width_percent)
    return tuple((low / 100, high / 100) for low, high in itertools.pairwise(edges))


BINS = share_bins(20)


def bin_name(ratio_range: tuple[float, float]) -> str:
    """Return the name of a bin in percent: `(0.2, 0.4)` is `"20-40"`."""
    return "-".join(f"{100 * r:.0f}" for r in ratio_range)


def as_mask(
    source: MaskSource, size_px: tuple[int, int] | None = None, *, orientation: int = 1
) -> np.ndarray:
    """Read a mask: white, a light colour or True is hole, black is not.

    source: PIL image, path or file bytes, turned upright as a photo is; an array `(H, W)` of bool, integers
    (0..255, or only 0 and 1) or floats in [0, 1], where NaN counts as 0; a picture as an array `(H, W, 1 to
    4)`. Of numbers, hole is what is above the middle; what counts of a picture says `_picture_to_mask`.
    size_px: `(height, width)` of the photo; a mask of another size but the same shape (sides within 1 %) is
    resized, nearest. orientation: how the photo was turned (`Photo.orientation`): a mask of its proportions
    before that is turned like it. Returns bool `(H, W)`.

    Raises MaskError when it cannot be read, MaskSizeError when the size does not belong to the photo; for a
    file far larger than it before anything is decoded.
    """
    if isinstance(source, np.ndarray):
        mask = _array_to_mask(source)
    else:
        mask = _read_file(source, size_px)
    if size_px is None:
        return mask
    if orientation >= 5 and not _is_alike(mask.shape, size_px) and _is_alike(mask.shape[::-1], size_px):
        mask = np.asarray(turn_upright(mask, orientation))
    if mask.shape == tuple(size_px):
        return mask
    if not _is_alike(mask.shape, size_px):
        raise MaskSizeError(
            f"The mask is {mask.shape[1]} x {mask.shape[0]} px, the photo {size_px[1]} x {size_px[0]} px. "
            "Use a mask of the photo's size, or of the same proportions."
        )
    resized = Image.fromarray(mask).resize((size_px[1], size_px[0]), Image.Resampling.NEAREST)
    return np.asarray(resized, dtype=bool)


def _is_alike(shape: tuple[int, ...], size_px: tuple[int, int]) -> bool:
    """Whether a picture has the proportions of another, both (height, width)."""
    ratios = [want / have for want, have in zip(size_px, shape)]
    return max(ratios) <= 1.01 * min(ratios)


def mask_to_image(mask: np.ndarray) -> Image.Image:
    """Convert bool `(H, W)` to a PIL image of mode L, 255 = hole."""
    return Image.fromarray(mask.astype(np.uint8) * 255)


def hole_ratio(mask: np.ndarray) -> float:
    """Return the share of the picture that is hole, 0 to 1."""
    return float(np.count_nonzero(mask)) / mask.size


def bounding_box(mask: np.ndarray, margin_px: int = 0) -> tuple[slice, slice] | None:
    """Return the rows and columns that bound the True pixels of a mask, None where there are none.

    margin_px: so much more on each side, as far as the picture goes.
    """
    # One axis after the other: on a whole photo find_objects alone takes forty times as long.
    rows = ndimage.find_objects(mask.any(axis=1).view(np.uint8), 1)[0]
    if rows is None:
        return None
    columns = ndimage.find_objects(mask[rows].any(axis=0).view(np.uint8), 1)[0]
    top, bottom, left, right = rows[0].start, rows[0].stop, columns[0].start, columns[0].stop
    height, width = mask.shape
    return (
        slice(max(0, top - margin_px), min(height, bottom + margin_px)),
        slice(max(0, left - margin_px), min(width, right + margin_px)),
    )


def grow(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """Make every pixel within `radius_px` of the hole hole, too."""
    return _dilate(mask, radius_px)


def shrink(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """Make every hole pixel within `radius_px` of a known pixel known; the edge does not count as one."""
    return ~_dilate(~mask, radius_px)


def irregular_mask(
    rng: np.random.Generator, size_px: tuple[int, int], ratio_range: tuple[float, float]
) -> np.ndarray:
    """Draw brush strokes of varied width and some rectangles and blobs until the hole's share fits the range.

    size_px: `(height, width)`. The share is drawn uniformly from `ratio_range` (at least 1 %), then shapes
    are added until it is reached; one that would pass the range's end is dropped and a smaller one drawn.
    Returns bool `(H, W)` with a share inside the range.
    """
    low, high = max(ratio_range[0], 0.01), ratio_range[1]
    target = rng.uniform(low, high)
    style = rng.choice(["strokes", "rectangles", "mixed"], p=[0.6, 0.15, 0.25])
    height, width = size_px
    canvas = Image.new("L", (width, height))
    ratio, shrinkage = 0.0, 1.0
    while ratio < min(target, high - 1e-9) and shrinkage > 0.05 or ratio < low:
        trial = canvas.copy()
        _draw_shape(ImageDraw.Draw(trial), rng, size_px, str(style), shrinkage)
        trial_ratio = np.count_nonzero(np.asarray(trial)) / (height * width)
        if trial_ratio > (min(high, target + 0.05) if shrinkage > 0.05 else high):
            shrinkage *= 0.7
            continue
        canvas, ratio = trial, trial_ratio
        if max(height, width) < 4:  # too small for shapes: a line may mark nothing new for ever
            break
    return np.asarray(canvas) > 0


def _draw_shape(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, size_px: tuple[int, int], style: str, scale: float
) -> None:
    height, width = size_px
    side = math.sqrt(height * width)
    if style == "rectangles" or (style == "mixed" and rng.random() < 0.35):
        h, w = (max(1.0, side * scale * rng.uniform(0.08, 0.55)) for _ in range(2))
        h, w = min(h, height), min(w, width)
        top, left = rng.uniform(-h / 3, height - h * 2 / 3), rng.uniform(-w / 3, width - w * 2 / 3)
        box = (left, top, left + w, top + h)
        (draw.ellipse if rng.random() < 0.25 else draw.rectangle)(box, fill=255)
        return
    # A stroke: a walk whose heading drifts, drawn with round ends and joints, its width changing slowly.
    y, x = rng.uniform(0, height), rng.uniform(0, width)
    heading = rng.uniform(0, 2 * math.pi)
    thickness = max(1.0, side * scale * math.exp(rng.uniform(math.log(0.015), math.log(0.16))))
    for _ in range(int(rng.integers(2, 9))):
        heading += rng.normal(0, 0.9)
        length = side * scale * rng.uniform(0.05, 0.3)
        y2, x2 = y + length * math.sin(heading), x + length * math.cos(heading)
        draw.line([(x, y), (x2, y2)], fill=255, width=max(1, round(thickness)))
        r = thickness / 2
        for cx, cy in ((x, y), (x2, y2)):
            draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=255)
        y, x = y2, x2
        if not (0 <= y < height and 0 <= x < width):
            heading += math.pi  # turn back into the picture
        thickness = max(1.0, thickness * math.exp(rng.normal(0, 0.15)))


def _dilate(marked: np.ndarray, radius_px: float) -> np.ndarray:
    # Only the neighbourhood of what is marked can change: a small blob in a large photo stays cheap.
    box = bounding_box(marked, math.ceil(radius_px)) if radius_px > 0 else None
    out = marked.copy()
    if box is None:
        return out
    out[box] = ndimage.distance_transform_edt(~marked[box]) <= radius_px
    return out


def _read_file(source: MaskFile, size_px: tuple[int, int] | None) -> np.ndarray:
    def check(width: int, height: int) -> None:
        if size_px and width * height > 4 * size_px[0] * size_px[1] + SPARE_PX:
            raise MaskSizeError(
                f"The mask is {width} x {height} px, far larger than the photo ({size_px[1]} x {size_px[0]}"
                " px). Use one of the photo's size."
            )

    try:
        picture = read_picture(source, check)
    except PhotoError as error:  # of a file that may lie on a server: its name is not repeated
        raise MaskError(
            f"The mask is no picture that can be read. Use a PNG: white = fill. ({error})"
        ) from None
    upright = turn_upright(picture.pixels, picture.orientation)
    if isinstance(upright, Image.Image):
        upright = call_decoder(_to_array, upright)
    if upright.ndim == 3 or upright.dtype == np.uint8:
        return _picture_to_mask(_to_bytes(upright))
    return _array_to_mask(upright)


def _to_array(image: Image.Image) -> np.ndarray:
    """Return the pixels of an image of any mode, `(H, W)` or `(H, W, 2 to 4)`, alpha last."""
    if image.mode.startswith("I") or image.mode == "F":
        return np.asarray(image)
    return np.asarray(to_photo_mode(image)[0])


def _array_to_mask(array: np.ndarray) -> np.ndarray:
    channels = array.shape[2] if array.ndim == 3 else 0
    if array.size and (channels in (1, 3, 4) or (channels == 2 and array.dtype == np.uint8)):
        return _picture_to_mask(_to_bytes(array))
    if array.ndim != 2 or array.size == 0:
        raise MaskError(f"A mask must be (height, width), got shape {array.shape}.")
    if array.dtype == bool:
        return array.copy()
    _check_numbers(array)
    if array.dtype.kind == "f":
        array = np.nan_to_num(array, nan=0.0)
        return array >= (0.5 if array.max() < OVERSHOOT else THRESHOLD)
    top = array.max()
    if top <= 1:
        return array > 0
    return array >= (THRESHOLD if top <= 255 else 2**15)


def _check_numbers(array: np.ndarray) -> None:
    if array.dtype.kind not in "buif":
        raise MaskError(f"A mask must hold booleans or numbers, got {array.dtype}.")


def _to_bytes(picture: np.ndarray) -> np.ndarray:
    """Return a picture of numbers of any type as uint8."""
    _check_numbers(picture)
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype.kind == "f":
        picture = np.nan_to_num(picture, nan=0.0)
        top = 1 if picture.max() < OVERSHOOT else 255
    else:
        top = next((top for top in (1, 255) if picture.max() <= top), 65535)
    return np.rint((picture / top * 255).clip(0, 255)).astype(np.uint8)


def _picture_to_mask(picture: np.ndarray) -> np.ndarray:
    """Read what is painted, uint8 `(H, W)` or `(H, W, 1 to 4)`, alpha last.

    A colour is as light as its strongest channel. Hole is what is lighter than the middle, or than half of
    the lightest where all is darker; where the ground is white and the paint has a colour, the paint. On a
    transparent ground the paint is hole, at least half as opaque as its most opaque part: all of it, unless
    it is black in places and light in others.
    """
    channels = np.atleast_3d(picture)
    colours = channels[..., :-1] if channels.shape[2] in (2, 4) else channels
    lightness = colours.max(axis=2)
    if channels.shape[2] in (2, 4):
        alpha = channels[..., -1]
        if alpha.min() < alpha.max() or alpha.max() < FAINT:
            return _paint_to_mask(lightness, alpha)
    if colours.shape[2] == 3:
        chroma = lightness - colours.min(axis=2)
        if _is_coloured_paint_on_white(lightness, chroma):
            return chroma > chroma.max() // 2
    return _light_to_mask(lightness)


def _is_coloured_paint_on_white(lightness: np.ndarray, chroma: np.ndarray) -> bool:
    coloured = chroma > chroma.max() // 2
    dark = (lightness < THRESHOLD) & (chroma < GREYISH)  # as a ground that is not white
    return bool(chroma.max() > 2 * GREYISH and not coloured.all() and dark.mean() < STRAY)


def _light_to_mask(lightness: np.ndarray) -> np.ndarray:
    top = int(lightness.max())
    if top <= 1:
        return lightness > 0
    if DARK <= top < THRESHOLD and lightness.min() < top // 2:
        return lightness > top // 2
    return lightness >= THRESHOLD


def _paint_to_mask(lightness: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Read what is painted on a transparent ground, both uint8 `(H, W)`."""
    strongest = int(alpha.max())
    if strongest < FAINT:
        return np.zeros(alpha.shape, bool)
    paint = alpha > strongest // 2
    if paint.all():
        return _light_to_mask(lightness)
    light = paint & (lightness >= THRESHOLD)
    # Black beside a light paint says what stays; dark paint alone is what the hole was painted with.
    if light.any() and (paint & (lightness < DARK)).any():
        return light
    return paint
