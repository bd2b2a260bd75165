"""From a photo with a hole to the places that its pixels are copied from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sair_core.devices import upload
from sair_core.errors import MaskSizeError
from sair_core.filling.plan import plan_crops
from sair_core.filling.texture.blend import blend
from sair_core.filling.texture.canvas import Canvas, build_canvas
from sair_core.filling.texture.coherence import refine
from sair_core.filling.texture.config import TextureConfig
from sair_core.filling.texture.expansion import expand
from sair_core.filling.texture.patches import Descriptors, reduce_semantics, weigh_guides
from sair_core.filling.texture.pyramid import Scene, build_pyramid, match_colours, thickness_px
from sair_core.filling.texture.search import search_all, search_near
from sair_core.filling.texture.sheet import Sheet, lay_out
from sair_core.filling.texture.start import start_from_rim
from sair_core.filling.texture.vote import Voter
from sair_core.progress import Cancelled, Progress, never_cancelled, no_progress, raise_if_cancelled
from sair_core.stages import each_stage

NOWHERE = -1
MAX_CROP_PX = 2048  # side above which a long thin hole is filled piece by piece
TASTE_CELLS = 12  # side of the grid of a seed's preferences over a crop


@dataclass(frozen=True, eq=False)
class TextureResult:
    """What was copied into a hole of N pixels, in the order of np.nonzero.

    colours: float32 `(N, C)` in [0, 1]. source_yx: int32 `(N, 2)`, where each pixel's texture was taken from;
    (-1, -1) where there was nothing to take it from: there the colours are the guide's, or without one, 0.
    """

    colours: np.ndarray = field(repr=False)
    source_yx: np.ndarray = field(repr=False)

    @property
    def filled(self) -> np.ndarray:
        """bool `(N,)`: the pixels that have texture from the photo."""
        return self.source_yx[:, 0] != NOWHERE

    @property
    def possible(self) -> bool:
        """Whether there was texture for the whole hole."""
        return bool(self.filled.all())


def synthesize(
    photo: np.ndarray,
    hole: np.ndarray,
    *,
    guide01: np.ndarray | None = None,
    semantics: Tensor | None = None,
    sources: np.ndarray | None = None,
    valid: np.ndarray | None = None,
    config: TextureConfig = TextureConfig(),
    seed: int = 0,
    progress: Progress = no_progress,
    cancelled: Cancelled = never_cancelled,
    device: torch.device | str = "cpu",
) -> TextureResult:
    """Fill the hole of a photo with texture from its other parts.

    Args:
        photo: `(H, W)` or `(H, W, C)`, float in [0, 1] or whole numbers up to the type's largest; with three
            channels or more the first are RGB. Not read in the hole.
        hole: bool `(H, W)`.
        guide01: float `(N, C)`, another fill of the hole's N pixels in the order of np.nonzero: its low
            frequencies say which colours belong where.
        semantics: float `(D, h, w)`, embeddings of the photo with its hole completed; cells cover it evenly.
        sources: bool `(H, W)`, the pixels that may be copied; None: all outside the hole.
        valid: bool `(H, W)`, False where the photo has no colours, as where it is transparent: these pixels
            are neither copied nor compared.
        seed: other seeds copy from other places. The same on the same device; between CPU and GPU sums differ
            in their last bits, and of two equally good sources either may win.
        progress, cancelled: told and asked before every round of the search.

    Raises:
        MaskSizeError: a mask has another size than the photo, or a guide than the hole.
        CancelledError: as soon as `cancelled` says so.
    """
    photo = photo if photo.ndim == 3 else photo[..., None]
    for mask in (hole, sources, valid):
        if mask is not None and mask.shape != photo.shape[:2]:
            raise MaskSizeError(f"A mask must have the photo's size {photo.shape[:2]}, got {mask.shape}.")
    places = np.flatnonzero(hole)
    size = (len(places), photo.shape[2])
    if guide01 is not None and guide01.shape != size:
        raise MaskSizeError(f"A guide must have the hole's colours, {size}, got {guide01.shape}.")
    known = ~hole if valid is None else ~hole & valid
    usable = known.copy() if sources is None else known & sources
    fill01 = np.zeros(size, np.float32) if guide01 is None else guide01.astype(np.float32)
    source_yx = np.full((len(places), 2), NOWHERE, np.int32)
    if semantics is not None:
        semantics = reduce_semantics(semantics)
    crops = plan_crops(
        hole,
        context=config.context,
        min_context_px=config.min_context_px,
        max_work_px=MAX_CROP_PX,
        max_hole_work_px=max(hole.shape),
    )
    clock = _Clock(progress, cancelled, len(crops))
    for i, (crop, part) in enumerate(crops):
        draw = torch.Generator().manual_seed(seed)
        sheet = lay_out(crop, int(part.sum()), usable)
        has_colour, wanted = sheet.join(known), sheet.frame(part)
        # Read again for the blending: kept meanwhile, cells and scenes would be much of the memory of a fill.
        read_cells = partial(_read_cells, sheet, photo, has_colour, hole, places, fill01)
        meaning = None if semantics is None else sheet.sample(semantics, hole.shape).to(device)
        scenes = build_pyramid(
            _scene(read_cells(), has_colour, wanted, sheet.join(usable), guide01 is not None, device), config
        )
        copied_yx = _copy(scenes, meaning, config, draw, clock.of_crop(i))
        if copied_yx is not None:
            blended = blend(copied_yx, wanted, read_cells(), has_colour & ~wanted, config.screening)
            rows = np.searchsorted(places, crop.places(part, hole.shape[1]))
            fill01[rows], source_yx[rows] = blended.clip(0, 1), sheet.photo_yx(copied_yx)
        known[crop.slices] |= part
    progress(1.0, "Copying texture")
    return TextureResult(fill01, source_yx)


@dataclass(frozen=True)
class _Clock:
    """Tells how far the crops are, and stops when asked to."""

    progress: Progress
    cancelled: Cancelled
    crops: int
    crop: int = 0

    def of_crop(self, crop: int) -> _Clock:
        return _Clock(self.progress, self.cancelled, self.crops, crop)

    def tick(self, share: float) -> None:
        """share: of the present crop, in [0, 1]."""
        raise_if_cancelled(self.cancelled)
        self.progress((self.crop + share) / self.crops, "Copying texture")


def _read_cells(
    sheet: Sheet,
    photo: np.ndarray,
    known: np.ndarray,
    hole: np.ndarray,
    places: np.ndarray,
    fill01: np.ndarray,
) -> np.ndarray:
    """The colours on a sheet, float32 `(h, w, C)` in [0, 1]: the photo's where they are known (bool
    `(h, w)`), in its hole (bool `(H, W)`, places `(N,)`) those of a fill `(N, C)`, else 0.

    Only what the sheet shows is made floats: of a large photo all would be most of the memory of a fill.
    """
    own = sheet.join(photo)
    cells = own.astype(np.float32)
    if np.issubdtype(own.dtype, np.integer):
        cells /= np.iinfo(own.dtype).max
    cells[~known] = 0
    painted = sheet.join(hole)
    y, x = sheet.photo_yx(np.argwhere(painted)).T
    cells[painted] = fill01[np.searchsorted(places, y * hole.shape[1] + x)]
    return cells


def _scene(
    colours: np.ndarray,
    known: np.ndarray,
    part: np.ndarray,
    usable: np.ndarray,
    guided: bool,
    device: torch.device | str,
) -> Scene:
    def on_device(array: np.ndarray) -> Tensor:
        return upload(torch.from_numpy(np.ascontiguousarray(array)), device)

    matched = match_colours(on_device(colours).permute(2, 0, 1))
    wanted = on_device(part)
    guide = matched if guided else None
    return Scene(matched, on_device(known), wanted, on_device(usable), guide, thickness_px(wanted))


def _copy(
    scenes: list[Scene], semantics: Tensor | None, config: TextureConfig, draw: torch.Generator, clock: _Clock
) -> np.ndarray | None:
    """Where every wanted pixel of the finest scene is copied from, int64 `(N, 2)`; None without sources.

    scenes: finest first. Each is taken off the list when its level begins, and free once that is laid out.
    """
    if not scenes:
        return None
    wanted = scenes[0].wanted
    rounds = [config.rounds[min(level, len(config.rounds) - 1)] for level in range(len(scenes))]
    work = [count / 4**level for level, count in enumerate(rounds)]
    taste = torch.rand(1, 1, TASTE_CELLS, TASTE_CELLS, generator=draw)
    taste = upload(taste, wanted.device)
    coarser: tuple[Canvas, Tensor] | None = None
    for level in each_stage("texture, level", range(len(scenes) - 1, -1, -1)):
        done = sum(work[level + 1 :])
        ticks = [(done + work[level] * i / rounds[level]) / sum(work) for i in range(rounds[level])]
        coarser = _improve(  # one in the other: nothing of a step is in memory after it
            _begin(_lay_out(scenes.pop(), semantics, config, level), taste, coarser, config, draw),
            config,
            draw,
            clock,
            ticks,
        )
    assert coarser is not None, "there is a level"
    canvas, rows = coarser
    y, x = wanted.nonzero(as_tuple=True)
    copied = canvas.sources[rows[canvas.row_of_target(canvas.positions(y, x))]]
    return torch.stack(canvas.yx(copied), dim=1).cpu().numpy()


@dataclass(frozen=True, eq=False)
class _Ground:
    """What the patches of a level are compared on. guides: `(N, G)`, weighted."""

    canvas: Canvas
    voter: Voter
    guides: Tensor


def _lay_out(scene: Scene, semantics: Tensor | None, config: TextureConfig, level: int) -> _Ground:
    canvas = build_canvas(scene, config)
    guides = weigh_guides(canvas, scene, semantics, config, level)
    voter = Voter(canvas, canvas.place(torch.where(scene.known, scene.colours, 0)), config)
    return _Ground(canvas, voter, guides)


@dataclass(frozen=True, eq=False)
class _Level:
    """A level before its first round. rows: `(T,)`, the matches so far."""

    canvas: Canvas
    voter: Voter
    descriptors: Descriptors
    handicap: Tensor
    rows: Tensor


def _begin(
    ground: _Ground,
    taste: Tensor,
    coarser: tuple[Canvas, Tensor] | None,
    config: TextureConfig,
    draw: torch.Generator,
) -> _Level:
    """Begin with the matches of the coarser level; without one, with those from the rim inwards."""
    canvas, voter, guides = ground.canvas, ground.voter, ground.guides
    handicap = _handicap(canvas, voter.colours, taste, config)
    if coarser is None:
        rows = start_from_rim(canvas, voter.colours, guides, handicap, voter)
    else:
        rows = _carry(canvas, *coarser, draw)
    descriptors = Descriptors(canvas, voter.colours, guides, config.components)
    return _Level(canvas, voter, descriptors, handicap, rows)


def _handicap(canvas: Canvas, colours: Tensor, taste: Tensor, config: TextureConfig) -> Tensor:
    """What a seed holds against each source patch, `(S,)`: much the same for neighbours, so that seeds differ
    in whole places."""
    size = canvas.height - 2 * canvas.margin, canvas.width - 2 * canvas.margin
    field = canvas.place(F.interpolate(taste, size, mode="bilinear")[0])[canvas.sources, 0]
    spread = colours[canvas.sources].var(dim=0, correction=0).sum()
    return field * (config.variety * config.patch_px**2 * spread)


def _carry(canvas: Canvas, coarse: Canvas, rows: Tensor, draw: torch.Generator) -> Tensor:
    """The matches of a coarser level at twice the size, `(T,)`."""
    y, x = canvas.yx(canvas.targets)
    half_y, half_x = torch.div(y, 2, rounding_mode="floor"), torch.div(x, 2, rounding_mode="floor")
    parents = coarse.row_of_target(coarse.positions(half_y, half_x))
    source_y, source_x = coarse.yx(coarse.sources[rows[parents]])
    place = canvas.positions(2 * source_y + y - 2 * half_y, 2 * source_x + x - 2 * half_x)
    carried = canvas.row_of_source(place)
    anywhere = upload(torch.randint(len(canvas.sources), carried.shape, generator=draw), carried.device)
    return torch.where(carried >= 0, carried, anywhere)


def _improve(
    level: _Level,
    config: TextureConfig,
    draw: torch.Generator,
    clock: _Clock,
    ticks: list[float],
) -> tuple[Canvas, Tensor]:
    """Search and vote in turn, a round a tick; the matches `(T,)`."""
    canvas, voter, descriptors, rows = level.canvas, level.voter, level.descriptors, level.rows
    colours = voter.colours
    exhaustive = len(canvas.targets) * len(canvas.sources) <= config.exact_pairs
    painted = colours.clone()
    painted[canvas.painted] = voter.vote(None, rows)
    for i, share in enumerate(ticks):
        clock.tick(share)
        targets, demands = descriptors.of_targets(painted), None
        if exhaustive:
            found, demands = search_all(targets, descriptors.sources, level.handicap)
        else:
            found = search_near(canvas, targets, descriptors.sources, rows, draw, config.random_tries)
        if last := i == len(ticks) - 1:
            for improve in (expand, refine):
                found = improve(canvas, colours, targets, descriptors.sources, found, config)
        rows = found.rows
        if not last:
            painted[canvas.painted] = voter.vote(found, rows, demands)
            if i >= len(ticks) // 2:  # the first rounds may average: they agree on what goes where
                painted[canvas.painted] = colours[voter.copy(painted[canvas.painted], rows)]
    return canvas, rows
