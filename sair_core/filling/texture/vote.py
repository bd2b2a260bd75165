"""From matches to pixels: overlapping patches vote, and a pixel that was seen in the photo is taken."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from sair_core.filling.texture.canvas import Canvas
from sair_core.filling.texture.config import TextureConfig
from sair_core.filling.texture.patches import chunks
from sair_core.filling.texture.search import Demands, Matches

QUANTILE = 0.75  # of the costs: the scale of "fits well"
QUANTILE_SAMPLES = 20_000
MIN_WEIGHT = 1e-3  # of a demand, below which it is left out


class Voter:
    """Votes of a level.

    colours: `(N, C)`, the photo's own, never those painted.
    """

    def __init__(self, canvas: Canvas, colours: Tensor, config: TextureConfig):
        self._canvas = canvas
        self._weighable = F.pad(colours, (0, 1), value=1.0)  # a sum of its rows has the sum of weights, too
        self.colours = self._weighable[:, :-1]  # the same memory: of a large photo it is much
        self._sharpness, self._completeness = config.vote_sharpness, config.completeness
        reach = canvas.steps_yx.square().sum(dim=1).float()
        closest_first = reach.argsort(stable=True)
        self._steps = canvas.steps[closest_first]
        self._near = torch.exp(-reach[closest_first] / (2 * config.vote_sigma_px**2))

    def vote(self, matches: Matches | None, rows: Tensor, demands: Demands | None = None) -> Tensor:
        """The mean colours `(V, C)` that the patches want to see in the painted pixels.

        rows: `(T,)`, the source of every target; -1: it has none and does not vote. matches: says how well
        they fit; None: all alike.
        """
        canvas = self._canvas
        weights = canvas.trust * (rows >= 0)
        scale = None
        if matches is not None:
            scale = _scale(matches.costs) / self._sharpness if self._sharpness else None
            weights = weights if scale is None else weights * torch.exp(-matches.costs / scale)
        weights = F.pad(weights, (0, 1))  # the last for pixels that no target covers: row -1
        total = self._weighable.new_empty(len(canvas.painted), self._weighable.shape[1])
        for part, covering, places in self._cover(rows):
            total[part] = sum_rows(self._weighable, places, weights[covering] * self._near)
        if demands is not None and self._completeness > 0 and scale is not None:
            total += self._demanded(demands, scale)[canvas.painted]
        return total[:, :-1] / total[:, -1:].clamp_min(1e-20)

    def copy(self, wanted: Tensor, rows: Tensor) -> Tensor:
        """The pixels of the photo to paint: positions `(V,)`.

        Of those that the patches put in a place, the nearest to the wanted colours `(V, C)`. Nothing is
        averaged, so nothing is blurred.

        Han et al., "Fast Example-based Surface Texture Synthesis via Discrete Optimization", 2006.
        """
        best = torch.empty_like(self._canvas.painted)
        has_source = F.pad(rows >= 0, (0, 1))
        for part, covering, places in self._cover(rows):
            cost = (self.colours[places] - wanted[part, None]).square_().sum(dim=2)
            cost.masked_fill_(~has_source[covering], torch.inf)
            best[part] = places.gather(1, cost.argmin(dim=1, keepdim=True))[:, 0]
        return best

    def _cover(self, rows: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yield some of the painted pixels, the targets that cover them `(v, P)`, -1 for none, and the
        positions that these put there `(v, P)`; closest target first.

        rows: `(T,)`, the source of every target, -1 for none.
        """
        canvas = self._canvas
        # Where there is nothing to put, any place in the picture will do.
        origins = F.pad(canvas.sources[rows.clamp_min(0)], (0, 1), value=canvas.size // 2)
        for part in chunks(len(canvas.painted), len(self._steps) * self._weighable.shape[1]):
            covering = canvas.row_of_target(canvas.painted[part, None] - self._steps)
            yield part, covering, origins[covering] + self._steps

    def _demanded(self, demands: Demands, scale: Tensor) -> Tensor:
        """Weighted sums of colours, and of weights, `(N, C + 1)`, that source patches want to be seen."""
        canvas = self._canvas
        weights = torch.exp(-demands.costs / scale) * canvas.trust[demands.rows] * self._completeness
        strong = (weights > MIN_WEIGHT).nonzero()[:, 0]
        weights = weights[strong, None]
        sources, targets = canvas.sources[strong], canvas.targets[demands.rows[strong]]
        total = self._weighable.new_zeros(canvas.size, self._weighable.shape[1])
        for near, step in zip(self._near, self._steps):
            _add_rows(total, targets + step, self._weighable[sources + step] * (weights * near))
        return total


def _add_rows(total: Tensor, rows: Tensor, values: Tensor) -> None:
    """Add values `(M, K)` to the rows `(M,)` of a table `(N, K)`, each time in the same order."""
    if total.device.type == "cpu":
        total.index_add_(0, rows, values)
    else:  # where a GPU adds as the threads come, and a seed would not mean the same fill twice
        total.index_put_((rows,), values, accumulate=True)


def _scale(costs: Tensor) -> Tensor:
    sample = costs[:: max(1, len(costs) // QUANTILE_SAMPLES)]
    return 2 * torch.quantile(sample[:QUANTILE_SAMPLES], QUANTILE).clamp_min(1e-6)


def sum_rows(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums `(M, K)` of the rows `(M, P)` of a table `(N, K)`; weights `(M, P)`.

    Without the `(M, P, K)` in between: ten times as fast on a CPU.
    """
    return F.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")
