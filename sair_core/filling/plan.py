"""Which parts of a photo to encode, and at which size, so that every hole pixel is decoded once.

A small hole in a large photo needs only its surroundings, at full detail; a thick hole needs a wide view, at
the scale where the model can see across it. `plan_crops` starts from one rectangle around the whole mask and
cuts it in two, along rows or columns, for as long as that pays:

* between blobs that share no context, when two crops cost less than one at the same detail;
* through a hole, only when it is so much longer than thick (a wire, a scratch, a fence) that a single crop
  would lose more than half of the detail the model could give. The cut goes where it crosses the fewest hole
  pixels.

The rectangles never overlap, so each hole pixel lies in exactly one of them, whatever the crops around them
share.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sair_core.encoders.blocks import MULTIPLE_PX
from sair_core.errors import ConfigError, MaskError
from sair_core.photos.masks import bounding_box

MIN_WORK_PX = 32
GRID_CELLS = 400_000  # planning needs no finer grid than this; it bounds the time on any photo
CROP_OVERHEAD_PX = 64 * 64  # fixed cost of one more crop, in encoded pixels
MIN_DETAIL = 0.5  # the part of the wanted scale below which a long hole is cut


@dataclass(frozen=True)
class Crop:
    """A rectangle of the photo (photo pixels) and the size at which the encoder sees it (multiples of 16)."""

    top: int
    left: int
    height: int
    width: int
    work_height: int
    work_width: int

    @property
    def work_px(self) -> tuple[int, int]:
        """`(height, width)` at which the encoder sees it."""
        return self.work_height, self.work_width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the crop: `photo.rgb[crop.slices]`."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def places(self, part: np.ndarray, photo_width: int) -> np.ndarray:
        """Return where the pixels of a part, bool `(height, width)`, are in the flattened photo: `(N,)`."""
        rows, columns = np.nonzero(part)
        return (rows + self.top) * photo_width + columns + self.left


@dataclass(frozen=True)
class _Rules:
    context: float
    min_context_px: int
    max_work_px: int
    max_hole_work_px: int

    def context_px(self, thickness_px: float) -> int:
        return math.ceil(max(self.min_context_px, self.context * thickness_px))

    def wanted_scale(self, thickness_px: float) -> float:
        return min(1.0, self.max_hole_work_px / thickness_px)


@dataclass(frozen=True)
class _Grid:
    """The mask's bounding box in cells of cell_px x cell_px photo pixels."""

    hole: np.ndarray  # bool (h, w): the cell holds a hole pixel
    thickness_px: np.ndarray  # float32 (h, w): twice the distance to the nearest known pixel
    top: int
    left: int
    cell_px: int
    photo_px: tuple[int, int]


@dataclass(frozen=True)
class _Region:
    """A rectangle of cells, tight around the hole cells in it, and the crop it asks for."""

    rows: slice
    cols: slice
    thickness_px: float
    crop: Crop

    @property
    def scale(self) -> float:
        return max(self.crop.work_height / self.crop.height, self.crop.work_width / self.crop.width)


def plan_crops(
    mask: np.ndarray,
    *,
    context: float = 1.0,
    min_context_px: int = 48,
    max_work_px: int = 512,
    max_hole_work_px: int = 128,
) -> list[tuple[Crop, np.ndarray]]:
    """Plan the crops that together decode every hole pixel exactly once.

    Args:
        mask: bool (H, W), True = hole.
        context: known surroundings on each side of a hole, as a multiple of its thickness (twice the largest
            distance from inside the hole to a known pixel).
        min_context_px: the least surroundings on each side, in photo pixels.
        max_work_px: longest side the encoder may see.
        max_hole_work_px: largest thickness of a hole the encoder may see; thicker holes are reduced to it.

    Returns:
        (crop, part) pairs from the top left on. part: bool (crop.height, crop.width), the hole pixels to
        decode from this crop. Other mask pixels inside the crop are holes for the encoder too, but belong to
        another pair. The parts of two crops touch where a long hole was cut: taking the pixels of earlier
        pairs as known in later ones keeps the cut invisible. An empty mask gives an empty list.
        The working scale never exceeds 1, except where the photo itself is smaller than 32 px.

    Raises:
        MaskError: the mask is not a bool array with two axes.
        ConfigError: a limit is out of range.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise MaskError(f"A mask is bool (H, W), not {mask.dtype} {mask.shape}: read it with as_mask first.")
    if context < 0 or min_context_px < 1 or max_work_px < MIN_WORK_PX or max_hole_work_px < 1:
        raise ConfigError(
            f"Crop limits need context >= 0, min_context_px >= 1, max_work_px >= {MIN_WORK_PX} and"
            f" max_hole_work_px >= 1, not {context}, {min_context_px}, {max_work_px} and {max_hole_work_px}."
        )
    box = bounding_box(mask)
    if box is None:
        return []
    rules = _Rules(context, min_context_px, max_work_px // MULTIPLE_PX * MULTIPLE_PX, max_hole_work_px)
    grid = _reduce(mask, box)
    return [_cut_part(mask, grid, region, rules) for region in _partition(grid, rules)]


def _reduce(mask: np.ndarray, box: tuple[slice, slice]) -> _Grid:
    """Gather the bounding box, and the known pixels just around it, in at most about GRID_CELLS cells."""
    top, left = max(box[0].start - 1, 0), max(box[1].start - 1, 0)
    window = mask[top : box[0].stop + 1, left : box[1].stop + 1]
    cell_px = max(1, math.ceil(math.sqrt(window.size / GRID_CELLS)))
    # Cells that stick out of the window repeat its last pixel: the picture's edge is not a known pixel.
    padded = np.pad(window, [(0, -n % cell_px) for n in window.shape], mode="edge").view(np.uint8)
    count = functools.reduce(np.add, (padded[i::cell_px].astype(np.uint16) for i in range(cell_px)))
    count = functools.reduce(np.add, (count[:, i::cell_px] for i in range(cell_px)))
    solid = count == cell_px**2
    if solid.all():
        thickness_px = np.full(solid.shape, 2 * max(mask.shape), np.float32)
    else:
        distance = ndimage.distance_transform_edt(solid).astype(np.float32)
        # A cell that is only partly hole has distance 0: count it as one cell thick.
        thickness_px = 2 * cell_px * distance + (cell_px if cell_px > 1 else 0)
    return _Grid(count > 0, thickness_px, top, left, cell_px, mask.shape)


def _partition(grid: _Grid, rules: _Rules) -> list[_Region]:
    """Cut the grid into regions, left and upper parts first."""
    regions = []
    pending = [_region(grid, slice(0, grid.hole.shape[0]), slice(0, grid.hole.shape[1]), rules)]
    while pending:
        region = pending.pop()
        parts = _cut_between(grid, region, rules) or _cut_through(grid, region, rules)
        if parts is None:
            regions.append(region)
        else:
            pending += reversed(parts)
    return regions


def _region(grid: _Grid, rows: slice, cols: slice, rules: _Rules) -> _Region:
    """Return the region that the hole cells within these rows and columns need."""
    tight = bounding_box(grid.hole[rows, cols])
    assert tight is not None, "a region holds at least one hole cell"
    rows = slice(rows.start + tight[0].start, rows.start + tight[0].stop)
    cols = slice(cols.start + tight[1].start, cols.start + tight[1].stop)
    # Every cell's thickness counts, known ones have none.
    thickness_px = max(float(grid.thickness_px[rows, cols].max()), 1.0)
    crop = _frame(_photo_box(grid, rows, cols), thickness_px, grid.photo_px, rules)
    return _Region(rows, cols, thickness_px, crop)


def _photo_box(grid: _Grid, rows: slice, cols: slice) -> tuple[slice, slice]:
    """Return the photo pixels that a rectangle of cells covers."""
    size, (height, width) = grid.cell_px, grid.photo_px
    return (
        slice(grid.top + rows.start * size, min(grid.top + rows.stop * size, height)),
        slice(grid.left + cols.start * size, min(grid.left + cols.stop * size, width)),
    )


def _halves(grid: _Grid, region: _Region, axis: int, cut: int, rules: _Rules) -> tuple[_Region, _Region]:
    """Return both sides of a cut before row (axis 0) or column (axis 1) `cut` of the region."""
    if axis == 0:
        middle = region.rows.start + cut
        first = _region(grid, slice(region.rows.start, middle), region.cols, rules)
        return first, _region(grid, slice(middle, region.rows.stop), region.cols, rules)
    middle = region.cols.start + cut
    first = _region(grid, region.rows, slice(region.cols.start, middle), rules)
    return first, _region(grid, region.rows, slice(middle, region.cols.stop), rules)


def _cut_between(grid: _Grid, region: _Region, rules: _Rules) -> tuple[_Region, _Region] | None:
    """Cut in the widest gap between blobs if they share no context and two crops cost less than one."""
    hole = grid.hole[region.rows, region.cols]
    gap, cut, axis = max((*_widest_gap(np.any(hole, axis=1 - axis)), axis) for axis in (0, 1))
    # The cells at both ends may be partly known: the true gap is at least this wide.
    if gap * grid.cell_px < rules.min_context_px:
        return None
    parts = _halves(grid, region, axis, cut, rules)
    if gap * grid.cell_px < min(rules.context_px(part.thickness_px) for part in parts):
        return None
    detail = max(part.scale for part in parts)
    one = region.crop.height * region.crop.width * detail**2 + CROP_OVERHEAD_PX
    two = sum(part.crop.work_height * part.crop.work_width + CROP_OVERHEAD_PX for part in parts)
    return parts if two < one else None


def _widest_gap(occupied: np.ndarray) -> tuple[int, int]:
    """Return length and middle of the longest run of False between True entries; (0, 0) for none."""
    filled = np.flatnonzero(occupied)
    gaps = np.diff(filled) - 1
    if gaps.size == 0 or gaps.max() == 0:
        return 0, 0
    widest = int(gaps.argmax())
    return int(gaps[widest]), int(filled[widest] + filled[widest + 1] + 1) // 2


def _cut_through(grid: _Grid, region: _Region, rules: _Rules) -> tuple[_Region, _Region] | None:
    """Cut a hole too long for one crop near its middle, where the cut crosses the fewest hole cells."""
    hole = grid.hole[region.rows, region.cols]
    axis = int(hole.shape[1] > hole.shape[0])
    length = hole.shape[axis]
    detailed = region.scale >= MIN_DETAIL * rules.wanted_scale(region.thickness_px)
    # When the context rather than the hole makes the crop long, two crops would be just as long.
    if detailed or length < 2 or length * grid.cell_px <= 2 * rules.context_px(region.thickness_px):
        return None
    lines = hole if axis == 0 else hole.T
    cuts = np.arange(max(1, length // 3), max(2, length - length // 3))
    crossings = (lines[cuts - 1] & lines[cuts]).sum(axis=1)
    best = np.lexsort((np.abs(cuts - length / 2), crossings))[0]
    return _halves(grid, region, axis, int(cuts[best]), rules)


def _frame(box: tuple[slice, slice], thickness_px: float, photo_px: tuple[int, int], rules: _Rules) -> Crop:
    """Return the crop for hole pixels within `box`: context on every side, moved inward at the border."""
    context_px = rules.context_px(thickness_px)
    lengths = [side.stop - side.start for side in box]
    extents = [min(length + 2 * context_px, limit) for length, limit in zip(lengths, photo_px, strict=True)]
    scale = min(rules.wanted_scale(thickness_px), rules.max_work_px / max(extents))
    starts, sizes, works = [], [], []
    for side, length, extent, limit in zip(box, lengths, extents, photo_px, strict=True):
        size, work = _fit(length, extent, limit, scale)
        starts.append(min(max(side.start - (size - length) // 2, 0), limit - size))
        sizes.append(size)
        works.append(min(work, rules.max_work_px))
    return Crop(*starts, *sizes, *works)


def _fit(length: int, extent: int, limit: int, scale: float) -> tuple[int, int]:
    """Photo and work pixels of one side of a crop: extent, widened until the work size is a multiple of 16.

    Where the photo is too small to widen, the crop gives up a little context, so that its pixels keep their
    exact scale; where the hole needs all of it, the whole side is worked on slightly reduced.
    """
    work = max(MIN_WORK_PX, math.ceil(extent * scale / MULTIPLE_PX - 1e-9) * MULTIPLE_PX)
    size = math.floor(work / scale + 1e-9)
    if size <= limit:
        return size, work
    work = max(MIN_WORK_PX, math.floor(limit * scale / MULTIPLE_PX + 1e-9) * MULTIPLE_PX)
    size = math.floor(work / scale + 1e-9)
    return (size if length + 2 <= size <= limit else limit), work


def _cut_part(mask: np.ndarray, grid: _Grid, region: _Region, rules: _Rules) -> tuple[Crop, np.ndarray]:
    """Return the region's crop, framed to the pixel, and its hole pixels."""
    rows, cols = _photo_box(grid, region.rows, region.cols)
    tight = bounding_box(mask[rows, cols])
    assert tight is not None, "a hole cell holds at least one hole pixel"
    rows = slice(rows.start + tight[0].start, rows.start + tight[0].stop)
    cols = slice(cols.start + tight[1].start, cols.start + tight[1].stop)
    crop = _frame((rows, cols), region.thickness_px, grid.photo_px, rules)
    part = np.zeros((crop.height, crop.width), dtype=bool)
    window = part[
        rows.start - crop.top : rows.stop - crop.top, cols.start - crop.left : cols.stop - crop.left
    ]
    window[...] = mask[rows, cols]
    return crop, part
