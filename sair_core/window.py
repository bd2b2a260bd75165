"""Which part of a photo is shown, at which scale: geometry, and plain resampling to compare with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from sair_core.errors import ConfigError

MIN_SCALE, MAX_SCALE = 1 / 64, 64.0
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
SUPPORT_PX = 3  # of the widest filter, in px of the coarser side
Method = Literal["nearest", "bicubic", "lanczos"]


@dataclass(frozen=True)
class Window:
    """A rectangle of a photo at `scale` output px per photo px.

    top, left: the corner of the output in photo px, y down and x to the right. It lies on the grid of output
    pixels that begins at the photo's own corner, so windows of one scale show the same pixels where they
    overlap, and at scale 1 those of the photo. size_px: (height, width) of the output. Parts of it may lie
    outside the photo. Raises ConfigError for a scale outside [1/64, 64] or an empty output.
    """

    top: float
    left: float
    scale: float
    size_px: tuple[int, int]

    def __post_init__(self) -> None:
        if not MIN_SCALE <= self.scale <= MAX_SCALE:  # nan fails this, too
            raise ConfigError(f"The scale must be between 1/64 and 64, got {self.scale:g}.")
        if min(self.size_px) < 1:
            raise ConfigError(f"The view must have at least 1 x 1 px, got {self.size_px}.")
        for name in ("top", "left"):
            if not math.isfinite(getattr(self, name)):
                raise ConfigError(f"The view's {name} must be a number, got {getattr(self, name)}.")
            object.__setattr__(self, name, round(getattr(self, name) * self.scale) / self.scale)

    @classmethod
    def around(
        cls,
        photo_px: tuple[int, int],
        centre_yx: tuple[float, float] = (0.0, 0.0),
        scale: float = 1.0,
        size_px: tuple[int, int] = (768, 1024),
    ) -> Window:
        """centre_yx: the middle of the output, in [-1, 1] over a photo of photo_px (height, width)."""
        _check_scale(scale)
        top, left = (
            (centre + 1) / 2 * photo - size / scale / 2
            for centre, photo, size in zip(centre_yx, photo_px, size_px, strict=True)
        )
        return cls(top, left, scale, size_px)

    @classmethod
    def whole(cls, photo_px: tuple[int, int], scale: float) -> Window:
        """Return the window of all of a photo of photo_px (height, width)."""
        return cls.box(0, 0, *photo_px, scale)

    @classmethod
    def box(cls, top: float, left: float, height: float, width: float, scale: float) -> Window:
        """Return the window of a rectangle in photo px; its size is rounded to whole output px."""
        _check_scale(scale)
        return cls(top, left, scale, (max(1, round(height * scale)), max(1, round(width * scale))))

    def centres(self, axis: int) -> np.ndarray:
        """Return where the output pixels' centres lie along an axis (0 = y, 1 = x), photo px, float64."""
        start = round((self.top, self.left)[axis] * self.scale)
        return (start + np.arange(self.size_px[axis]) + 0.5) / self.scale

    def inside(self, photo_px: tuple[int, int]) -> tuple[slice, slice]:
        """Return rows and columns of the output whose centres lie in the photo; empty slices where none do.

        A photo that is thinner than an output pixel still has one.
        """
        return self._inside(0, photo_px[0]), self._inside(1, photo_px[1])

    def _inside(self, axis: int, length_px: int) -> slice:
        if length_px * self.scale < 1:
            first = -round((self.top, self.left)[axis] * self.scale)
            return slice(first, first + 1) if 0 <= first < self.size_px[axis] else slice(0, 0)
        return slice(*np.searchsorted(self.centres(axis), [0, length_px]).tolist())

    def part(self, rows: slice, columns: slice) -> Window:
        """Return the window of some rows and columns of this one's output."""
        top, left = self.top + rows.start / self.scale, self.left + columns.start / self.scale
        return Window(top, left, self.scale, (rows.stop - rows.start, columns.stop - columns.start))


def resample(pixels: np.ndarray, window: Window, method: Method) -> np.ndarray:
    """Resample a window of a photo, uint8 or uint16, `(H, W, 3)` or of one channel `(H, W)`; black outside.

    Returns the same type, `(h, w, 3)` or `(h, w)`.

    bicubic and lanczos average over the output pixel where the window is smaller than the photo; nearest
    does not. At scale 1 all give the photo's own pixels.
    """
    out = np.zeros((*window.size_px, *pixels.shape[2:]), pixels.dtype)
    rows, columns = window.inside(pixels.shape[:2])
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return out
    if method == "nearest" or window.scale == 1:
        ys, xs = (
            np.floor(window.centres(axis)[part]).astype(int) for axis, part in ((0, rows), (1, columns))
        )
        out[rows, columns] = pixels[ys[:, None], xs]
        return out
    seen = window.part(rows, columns)
    margin = math.ceil(SUPPORT_PX * max(1.0, 1 / window.scale))
    starts, stops = [], []
    for corner, size in zip((seen.top, seen.left), seen.size_px):
        starts.append(math.floor(corner) - margin)
        stops.append(math.ceil(corner + size / window.scale) + margin)
    ys, xs = (np.arange(a, b).clip(0, n - 1) for a, b, n in zip(starts, stops, pixels.shape[:2]))
    around = pixels[ys[:, None], xs]
    left, top = seen.left - starts[1], seen.top - starts[0]
    box = (left, top, left + seen.size_px[1] / window.scale, top + seen.size_px[0] / window.scale)
    out[rows, columns] = _resize(around, seen.size_px, box, method)
    return out


def _resize(
    pixels: np.ndarray, size_px: tuple[int, int], box: tuple[float, float, float, float], method: Method
) -> np.ndarray:
    """Resize a box (left, top, right, bottom) of pixels, uint8 or uint16, to `(height, width)`."""
    if pixels.dtype == np.uint8:
        return np.asarray(Image.fromarray(pixels).resize(size_px[::-1], FILTERS[method], box=box))
    # Pillow resizes more than 8 bits as floats only, a channel at a time.
    channels = [
        np.asarray(Image.fromarray(one).resize(size_px[::-1], FILTERS[method], box=box))
        for one in np.moveaxis(np.atleast_3d(pixels).astype(np.float32), -1, 0)
    ]
    resized = np.rint(np.stack(channels, axis=-1).clip(0, np.iinfo(pixels.dtype).max)).astype(pixels.dtype)
    return resized.reshape(*size_px, *pixels.shape[2:])


def _check_scale(scale: float) -> None:
    if not MIN_SCALE <= scale <= MAX_SCALE:
        raise ConfigError(f"The scale must be between 1/64 and 64, got {scale:g}.")
