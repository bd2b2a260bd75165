"""A photo as a continuous function: any window of it, at any scale, from features computed once.

The photo is cut into overlapping tiles, and each is encoded with a margin of context. In a tile the colour
at p is `f(p) + b(p)`: f is the model's implicit function (`Sair.decode_view`), and b interpolates (Lanczos)
what f lacks at the photo's own pixels, so the photo itself is met exactly and the model adds what lies
between its pixels. Where tiles overlap they are blended, with weights that sum to one, so there is no seam
and the function does not depend on the window that asks.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from functools import partial
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sair_core.coords import LANCZOS, cell_of, lanczos_taps
from sair_core.devices import autocast, upload
from sair_core.holes import to_rgb01
from sair_core.layout import memory_format_of
from sair_core.models.sair import Sair, SairFeatures, decode_chunked
from sair_core.photos.photo import Photo
from sair_core.progress import Cancelled, Progress, never_cancelled, no_progress, raise_if_cancelled
from sair_core.stages import stage
from sair_core.window import Window, resample
from sair_core.zoom.cache import FeatureCache, Tile
from sair_core.zoom.tiles import Region, Span, cut, spans

RIM_PX = LANCZOS  # how far the kernel reaches
VIEW_PX = 1024  # side of what is computed at once of a view: so large that a tile is asked once


class PhotoFunction:
    """One photo, seen by one model."""

    def __init__(
        self, model: Sair, photo: Photo, cache: FeatureCache, *, device: torch.device, bf16: bool, key: bytes
    ):
        """key: names the model and the precision in the cache."""
        self.model, self.photo, self.cache = model, photo, cache
        self.device, self.bf16 = device, bf16
        self.key = key
        self.rows, self.columns = (spans(n, model.view_margin_px) for n in photo.size_px)

    def render(
        self,
        window: Window,
        progress: Progress = no_progress,
        cancelled: Cancelled = never_cancelled,
        *,
        deep: bool = False,
    ) -> np.ndarray:
        """Render a window of the photo, uint8 `(h, w, 3)`; black outside the photo.

        deep: in the photo's own depth, uint16 where it has 16 bits. Up to scale 1 it is the photo, averaged.
        Raises CancelledError soon after `cancelled` says so.
        """
        source = self.photo.deep_rgb if deep else self.photo.rgb
        if window.scale <= 1:
            return resample(source, window, "bicubic")
        out = np.zeros((*window.size_px, 3), source.dtype)
        top = np.iinfo(source.dtype).max
        rows, columns = window.inside(self.photo.size_px)
        blocks = list(product(cut(rows, VIEW_PX), cut(columns, VIEW_PX)))
        for i, block in enumerate(blocks):
            rgb01 = self.colours(window.part(*block), cancelled)
            out[block] = (rgb01.clamp(0, 1) * top).round().numpy()
            progress((i + 1) / len(blocks), "Rendering")
        return out

    @torch.inference_mode()
    def colours(self, window: Window, cancelled: Cancelled = never_cancelled) -> Tensor:
        """Return the function at a window in the photo: float32 `(h, w, 3)` on the CPU, not clipped."""
        ys, xs = window.centres(0), window.centres(1)
        out = torch.zeros(*window.size_px, 3)
        for span_y, span_x in self._find_tiles(ys, xs):
            raise_if_cancelled(cancelled)
            part_y, part_x = (
                slice(*np.searchsorted(at, [span.low, span.high]).tolist())
                for at, span in ((ys, span_y), (xs, span_x))
            )
            region = Region(span_y, span_x)
            with stage("tiles"):
                tile = self.cache.tile(self.photo, region, self.key, partial(self._tile, region))
            found = self._decode(tile.features, region, ys[part_y], xs[part_x], window.scale)
            found += _interpolate(
                tile.missing, ys[part_y] - span_y.low + RIM_PX, xs[part_x] - span_x.low + RIM_PX
            )
            weight_y, weight_x = (
                torch.from_numpy(span.weight(at)) for span, at in ((span_y, ys[part_y]), (span_x, xs[part_x]))
            )
            out[part_y, part_x] += found * weight_y[:, None, None] * weight_x[:, None]
        return out

    def _find_tiles(self, ys: np.ndarray, xs: np.ndarray) -> Iterator[tuple[Span, Span]]:
        for span_y in self.rows:
            for span_x in self.columns:
                if all(np.any((s.low <= at) & (at < s.high)) for s, at in ((span_y, ys), (span_x, xs))):
                    yield span_y, span_x

    def _tile(self, region: Region) -> Tile:
        rows, columns = region.rows, region.columns
        rgb01 = to_rgb01(self.photo.deep_rgb[rows.encoded, columns.encoded])
        pad = (0, columns.padded - rgb01.shape[3], 0, rows.padded - rgb01.shape[2])
        layout = memory_format_of(self.model)
        rgb01 = F.pad(rgb01, pad, mode="replicate").contiguous(memory_format=layout)
        with autocast(self.device, self.bf16):
            features = self.model.encode_view(upload(rgb01, self.device))
        features = SairFeatures(_copy_to_own_memory(features.projected), features.start01)
        ys, xs = (
            np.arange(s.low - RIM_PX, s.high + RIM_PX).clip(0, n - 1)
            for s, n in zip((rows, columns), self.photo.size_px)
        )
        found = self._decode(features, region, ys + 0.5, xs + 0.5, 1.0).permute(2, 0, 1)
        true01 = rgb01[0][:, ys[:, None] - rows.start, xs - columns.start]
        return Tile(features, (true01 - found).half())

    @stage("decode")
    def _decode(
        self, features: SairFeatures, region: Region, ys: np.ndarray, xs: np.ndarray, scale: float
    ) -> Tensor:
        """Return the model's answer at rows `ys` and columns `xs`, photo px: float32 `(len(ys), len(xs), 3)`.

        On the CPU, where what is made of it is little work.
        """
        size = (region.rows.padded, region.columns.padded)
        y, x = (
            upload(torch.from_numpy(2 * (at - span.start) / n - 1).float(), self.device)
            for at, span, n in zip((ys, xs), (region.rows, region.columns), size)
        )
        coords = torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).flatten(0, 1)[None]
        cell = cell_of(size, device=self.device)[None] / scale
        with autocast(self.device, self.bf16):
            found = decode_chunked(self.model.decode_view, features, coords, cell)
        return found[0].unflatten(0, (len(ys), len(xs))).cpu()


def _copy_to_own_memory(features: Tensor) -> Tensor:
    """Return `(1, C, h, w)` in channels-last order; on a CPU in memory of its own.

    Large blocks that stay, among those that come and go, leave holes in the heap that nothing fits: an export
    took 0.2 GB more.
    """
    last = features.permute(0, 2, 3, 1).contiguous()
    if last.device.type == "cpu":
        memory = mmap.mmap(-1, last.numel() * last.element_size())
        last = torch.frombuffer(memory, dtype=last.dtype).view_as(last).copy_(last)
    return last.permute(0, 3, 1, 2)


@stage("interpolate")
def _interpolate(picture: Tensor, ys: np.ndarray, xs: np.ndarray) -> Tensor:
    """Interpolate `(C, h, w)` at rows and columns (px, centres at a half): `(len(ys), len(xs), C)`.

    Everything that it touches must lie in the picture.
    """
    (rows, weight_y), (columns, weight_x) = (
        lanczos_taps(torch.from_numpy(places - 0.5).float()) for places in (ys, xs)
    )
    first, last = int(rows.min()), int(rows.max())
    by_columns = picture[:, first : last + 1].permute(2, 1, 0)
    by_rows = _sum_weighted(by_columns, columns, weight_x).transpose(0, 1)  # (h, len(xs), C)
    return _sum_weighted(by_rows, rows - first, weight_y)


def _sum_weighted(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Sum entries of the first axis, `(n, ...)` to `(N, ...)`: index and weight are `(N, taps)`.

    Nothing but this reads and adds at once: to gather first takes ten times as long.
    """
    found = F.embedding_bag(index, table.flatten(1).float(), mode="sum", per_sample_weights=weight)
    return found.unflatten(1, table.shape[1:])
