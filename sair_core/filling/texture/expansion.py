"""Large pieces: a whole region changes over to one offset at once, where that costs less.

Alpha-expansion (Boykov, Veksler and Zabih, "Fast Approximate Energy Minimization via Graph Cuts", PAMI 2001)
over the commonest offsets, as in shift-maps (Pritch et al., ICCV 2009; He and Sun, ECCV 2012). What tries one
pixel at a time, as `coherence.refine`, cannot move a joint across a region where every step alone costs more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from torch import Tensor

from sair_core.filling.texture.canvas import Canvas
from sair_core.filling.texture.coherence import joint_cost, known_cost
from sair_core.filling.texture.config import TextureConfig
from sair_core.filling.texture.search import Matches, differences

MAX_CAPACITY = 2**30  # of all edges of a graph together: SciPy counts a flow in 32 bits


def expand(
    canvas: Canvas, colours: Tensor, targets: Tensor, sources: Tensor, found: Matches, config: TextureConfig
) -> Matches:
    """Lower the costs that `coherence.refine` lowers by offering each of the commonest offsets to all pixels.

    colours: `(N, C)`, the photo's own. Which pixels take an offset is a minimum cut: no choice is cheaper.
    A level with more pixels than `config.expansion_px` is returned as it is.
    """
    free = canvas.is_painted[canvas.targets].nonzero()[:, 0]
    if not config.expansion_offsets or not 1 < len(free) <= config.expansion_px:
        return found
    found = Matches(found.rows.clone(), found.costs.clone())
    region = _Region(canvas, colours, free, config.joint, config.fragment * found.costs.median())
    for offset in _commonest(canvas, found, free, config.expansion_offsets):
        row = canvas.row_of_source(region.places + offset)
        movable = ((row >= 0) & (row != found.rows[free])).nonzero()[:, 0]
        here, rise = canvas.sources[found.rows[free]], torch.zeros(len(free), device=free.device)
        there, costs = here.clone(), found.costs[free]
        costs[movable] = differences(targets, sources, row[movable], free[movable])
        rise[movable] = costs[movable] - found.costs[free[movable]]
        there[movable] = canvas.sources[row[movable]]
        moved = region.cut(here, there, rise)
        found.rows[free[moved]], found.costs[free[moved]] = row[moved], costs[moved]
    return found


def _commonest(canvas: Canvas, found: Matches, free: Tensor, count: int) -> list[int]:
    """The offsets that most pixels have, commonest first; of equally common ones, the smallest first."""
    offsets = canvas.sources[found.rows[free]] - canvas.targets[free]
    values, times = offsets.unique(return_counts=True)
    return values[times.argsort(descending=True, stable=True)[:count]].tolist()


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pixels of a region that are neighbours: places `(M,)` in it, the second one step on from the first."""

    step: int
    first: Tensor
    second: Tensor


class _Region:
    """Painted pixels, and which of them are neighbours. places: `(F,)`, their positions."""

    def __init__(self, canvas: Canvas, colours: Tensor, free: Tensor, weight: float, fragment: Tensor):
        self.places = canvas.targets[free]
        self._canvas, self._colours = canvas, colours
        self._weight, self._fragment = weight, fragment
        number = torch.full((canvas.size,), -1, device=free.device)
        number[self.places] = torch.arange(len(free), device=free.device)
        self._pairs = []
        for step in (1, canvas.width):
            second = number[self.places + step]
            first = (second >= 0).nonzero()[:, 0]
            self._pairs.append(_Pairs(step, first, second[first]))
        self._first = torch.cat([pairs.first for pairs in self._pairs])
        self._second = torch.cat([pairs.second for pairs in self._pairs])

    def cut(self, here: Tensor, there: Tensor, rise: Tensor) -> Tensor:
        """Return which pixels change over in the cheapest way, bool `(F,)`; none where nothing is gained.

        here, there: `(F,)`, positions that each pixel copies if it stays, and if it moves; the same for one
        that has to stay. rise: `(F,)`, by how much its patch costs more if it moves.
        """
        rise = rise + self._to_known(there) - self._to_known(here)
        slopes = rise.clone()
        joints, edges = [], []
        for pairs in self._pairs:
            costs = [
                self._joined(one[pairs.first], other[pairs.second], pairs.step)
                for one in (here, there)
                for other in (here, there)
            ]
            both_stay, second_moves, first_moves, both_move = costs
            # With x = 1 where a pixel moves: A + (C - A) x1 + (D - C) x2 + (B + C - A - D) (1 - x1) x2, whose
            # last factor must not be negative. It is where squares break the triangle inequality: then moving
            # the second alone counts as dearer than it is, and the cut still lowers the true sum.
            slopes.index_add_(0, pairs.first, first_moves - both_stay)
            slopes.index_add_(0, pairs.second, both_move - first_moves)
            edges.append((second_moves + first_moves - both_stay - both_move).clamp_min(0))
            joints.append(torch.stack(costs))
        first, second = self._first, self._second
        moves = minimum_cut(*(x.cpu().numpy() for x in (slopes, first, second, torch.cat(edges))))
        chosen = torch.from_numpy(moves).to(here.device) & (here != there)
        state = 2 * chosen[first].long() + chosen[second].long()
        joined = torch.cat(joints, dim=1)
        gain = rise[chosen].sum() + (joined.gather(0, state[None])[0] - joined[0]).sum()
        return chosen & (gain < 0)  # a cut is of whole numbers

    def _joined(self, first: Tensor, second: Tensor, step: int) -> Tensor:
        return joint_cost(self._canvas, self._colours, first, second, step, self._weight, self._fragment)

    def _to_known(self, here: Tensor) -> Tensor:
        """`(F,)`: what joins the pixels to known neighbours."""
        cost = torch.zeros(len(here), device=here.device)
        for step in (1, -1, self._canvas.width, -self._canvas.width):
            seen = ~self._canvas.is_painted[self.places + step]
            cost += seen * known_cost(self._canvas, self._colours, self.places, here, step, self._weight)
        return cost


def minimum_cut(rise: np.ndarray, first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the x in {0, 1} with the least `sum_i rise_i x_i + sum_e weight_e (1 - x_first) x_second`.

    As bool `(N,)`. rise: `(N,)`; first, second: `(E,)`, places in it; weight: `(E,)`, not negative.
    """
    count = len(rise)
    source, sink, nodes = count, count + 1, np.arange(count)
    ups, downs = rise.clip(0, None), (-rise).clip(0, None)
    start = np.concatenate([np.full(count, source), nodes, first])
    end = np.concatenate([nodes, np.full(count, sink), second])
    capacity = np.concatenate([ups, downs, weight]).astype(np.float64)
    total = capacity.sum()
    if not total:
        return np.zeros(count, bool)
    whole = np.round(capacity * (MAX_CAPACITY / total)).astype(np.int32)
    graph = coo_array((whole, (start, end)), shape=(count + 2, count + 2)).tocsr()
    graph.eliminate_zeros()
    left = graph - maximum_flow(graph, source, sink).flow
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    moves = np.ones(count + 2, bool)
    moves[reached] = False
    return moves[:count]
