"""What a hole is filled from: its surroundings in the photo, and the marked sources if they are far away."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from sair_core.devices import upload
from sair_core.filling.plan import Crop
from sair_core.photos.masks import bounding_box

GAP_PX = (
    64  # between windows: still there at the coarsest level, so that no patch reaches from one to another
)
GRID_CELLS = 256  # a side: where most of the sources are needs no finer look
SEMANTIC_CELLS = 128  # a side: embeddings are no finer

Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Sheet:
    """Windows of the photo (rows, columns) side by side, top edges level, with a gap between them.

    The first is the crop around the hole; where all sources are in it, it is the only one.
    """

    windows: tuple[Window, ...]

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width."""
        return max(_length(rows) for rows, _ in self.windows), self._starts[-1] + _length(self.windows[-1][1])

    @property
    def _starts(self) -> list[int]:
        """The column at which each window begins."""
        widths = [_length(columns) + GAP_PX for _, columns in self.windows]
        return [sum(widths[:i]) for i in range(len(widths))]

    def join(self, picture: np.ndarray) -> np.ndarray:
        """The sheet `(h, w, ...)` of a picture `(H, W, ...)`; 0 or False outside the windows."""
        if len(self.windows) == 1:
            return picture[self.windows[0]]
        joined = np.zeros((*self.size_px, *picture.shape[2:]), picture.dtype)
        for start, (rows, columns) in zip(self._starts, self.windows):
            joined[: _length(rows), start : start + _length(columns)] = picture[rows, columns]
        return joined

    def frame(self, part: np.ndarray) -> np.ndarray:
        """A mask `(crop height, crop width)` on the sheet."""
        height, width = self.size_px
        return np.pad(part, [(0, height - part.shape[0]), (0, width - part.shape[1])])

    def photo_yx(self, sheet_yx: np.ndarray) -> np.ndarray:
        """Where places `(..., 2)` of the sheet are in the photo, in the same type."""
        window = np.searchsorted(self._starts, sheet_yx[..., 1], side="right") - 1
        shifts = [
            (rows.start, columns.start - start) for start, (rows, columns) in zip(self._starts, self.windows)
        ]
        return sheet_yx + np.asarray(shifts, sheet_yx.dtype)[window]

    def sample(self, semantics: Tensor, size_px: tuple[int, int]) -> Tensor:
        """The sheet's piece of embeddings `(D, h, w)` whose cells cover a photo of size_px evenly."""
        axes = []
        for length in self.size_px:
            cells = min(length, SEMANTIC_CELLS)
            axes.append((np.arange(cells) + 0.5) * (length / cells))
        places = (
            self.photo_yx(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)) * (2 / np.array(size_px)) - 1
        )
        grid = upload(
            torch.from_numpy(places[None, ..., ::-1].astype(np.float32)), semantics.device
        )  # (x, y)
        return F.grid_sample(semantics[None], grid, padding_mode="border", align_corners=False)[0]


def lay_out(crop: Crop, wanted_px: int, usable: np.ndarray) -> Sheet:
    """Return the sheet for a crop: the crop alone if it holds as many usable pixels as are wanted, else with
    the window of about its size that holds the most of the others.

    usable: bool `(H, W)`, may be copied.
    """
    windows: tuple[Window, ...] = (crop.slices,)
    if np.count_nonzero(usable[crop.slices]) >= wanted_px:
        return Sheet(windows)
    elsewhere = usable.copy()
    elsewhere[crop.slices] = False
    richest = _richest(elsewhere, max(crop.height, crop.width))
    return Sheet(windows if richest is None else (*windows, richest))


def _richest(mask: np.ndarray, side_px: int) -> Window | None:
    """The square of side_px with the most of a mask, cut to what is there; None for an empty mask."""
    cell_px = max(1, math.ceil(max(mask.shape) / GRID_CELLS))
    padded = np.pad(mask, [(0, -n % cell_px) for n in mask.shape])
    height, width = (n // cell_px for n in padded.shape)
    counts = padded.reshape(height, cell_px, width, cell_px).sum(axis=(1, 3), dtype=np.float32)
    size = max(1, side_px // cell_px)
    totals = ndimage.uniform_filter(counts, size, mode="constant")
    y, x = (int(n) - size // 2 for n in np.unravel_index(totals.argmax(), totals.shape))
    top, left = max(y, 0) * cell_px, max(x, 0) * cell_px
    bottom, right = (max(n, 0) + size for n in (y, x))
    box = bounding_box(mask[top : bottom * cell_px, left : right * cell_px])
    if box is None:
        return None
    return slice(top + box[0].start, top + box[0].stop), slice(left + box[1].start, left + box[1].stop)


def _length(side: slice) -> int:
    return side.stop - side.start
