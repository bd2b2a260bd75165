"""From matches to pixels: overlapping patches vote, and a pixel that was seen in the photo is taken."""

from __future__ import annotations

import torch
from torch import Tensor

from sair_core.filling.texture.canvas import Canvas
from sair_core.filling.texture.config import TextureConfig
from sair_core.filling.texture.search import Demands, Matches

QUANTILE = 0.75  # of the costs: the scale of "fits well"
QUANTILE_SAMPLES = 20_000
MIN_WEIGHT = 1e-3  # of a demand, below which it is left out


class Voter:
    """Votes of a level. colours: `(N, C)`, the photo's own, never those painted."""

    def __init__(self, canvas: Canvas, colours: Tensor, config: TextureConfig):
        self._canvas, self._colours = canvas, colours
        self._sharpness, self._completeness = config.vote_sharpness, config.completeness
        reach = canvas.steps_yx.square().sum(dim=1).float()
        self._near = torch.exp(-reach / (2 * config.vote_sigma_px**2)).tolist()
        self._closest_first = reach.argsort(stable=True).tolist()

    def vote(self, matches: Matches | None, rows: Tensor, demands: Demands | None = None) -> Tensor:
        """The mean colours `(V, C)` that the patches want to see in the painted pixels.

        rows: `(T,)`, the source of every target; -1: it has none and does not vote. matches: says how well
        they fit; None: all alike.
        """
        canvas, colours = self._canvas, self._colours
        weights = canvas.trust * (rows >= 0)
        scale = None
        if matches is not None:
            scale = _scale(matches.costs) / self._sharpness if self._sharpness else None
            weights = weights if scale is None else weights * torch.exp(-matches.costs / scale)
        total = colours.new_zeros(len(canvas.painted), colours.shape[1] + 1)
        ones = colours.new_ones(len(canvas.painted), 1)
        for i, near in enumerate(self._near):
            covering, source = self._cover(i, rows)
            weight = torch.where(covering >= 0, weights[covering.clamp_min(0)], 0)[:, None] * near
            total += torch.cat([colours[source], ones], dim=1) * weight
        if demands is not None and self._completeness > 0 and scale is not None:
            total += self._demanded(demands, scale)[canvas.painted]
        return total[:, :-1] / total[:, -1:].clamp_min(1e-20)

    def copy(self, wanted: Tensor, rows: Tensor) -> Tensor:
        """The pixels of the photo to paint: positions `(V,)`.

        Of those that the patches put in a place, the nearest to the wanted colours `(V, C)`. Nothing is
        averaged, so nothing is blurred.

        Han et al., "Fast Example-based Surface Texture Synthesis via Discrete Optimization", 2006.
        """
        least = torch.full_like(wanted[:, 0], torch.inf)
        best = torch.zeros_like(self._canvas.painted)
        for i in self._closest_first:
            covering, source = self._cover(i, rows)
            cost = (self._colours[source] - wanted).square_().sum(dim=1)
            better = (cost < least) & (covering >= 0)
            least = torch.where(better, cost, least)
            best = torch.where(better, source, best)
        return best

    def _cover(self, i: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The patches in which painted pixels are the i-th: `(V,)` places among the targets, -1 for none, and
        the positions that they put there."""
        canvas = self._canvas
        covering = canvas.row_of_target(canvas.painted - canvas.steps[i])
        row = rows[covering.clamp_min(0)]
        covering = torch.where(row >= 0, covering, -1)
        return covering, canvas.sources[row.clamp_min(0)] + canvas.steps[i]

    def _demanded(self, demands: Demands, scale: Tensor) -> Tensor:
        """Weighted sums of colours, and of weights, `(N, C + 1)`, that source patches want to be seen."""
        canvas, colours = self._canvas, self._colours
        weights = torch.exp(-demands.costs / scale) * canvas.trust[demands.rows] * self._completeness
        strong = (weights > MIN_WEIGHT).nonzero()[:, 0]
        weights = weights[strong, None]
        sources, targets = canvas.sources[strong], canvas.targets[demands.rows[strong]]
        total = colours.new_zeros(canvas.size, colours.shape[1] + 1)
        for near, step in zip(self._near, canvas.steps):
            votes = torch.cat([colours[sources + step] * weights, weights], dim=1) * near
            total.index_add_(0, targets + step, votes)
        return total


def _scale(costs: Tensor) -> Tensor:
    sample = costs[:: max(1, len(costs) // QUANTILE_SAMPLES)]
    return 2 * torch.quantile(sample[:QUANTILE_SAMPLES], QUANTILE).clamp_min(1e-6)
