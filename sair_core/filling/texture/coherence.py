"""Few and invisible joints: neighbouring patches copy from one place where that costs little."""

from __future__ import annotations

import torch
from torch import Tensor

from sair_core.filling.texture.canvas import Canvas
from sair_core.filling.texture.config import TextureConfig
from sair_core.filling.texture.search import Matches, differences

STRIDES_PX = (1, 3)


def refine(
    canvas: Canvas, colours: Tensor, targets: Tensor, sources: Tensor, found: Matches, config: TextureConfig
) -> Matches:
    """Lower patch costs plus joint costs by trying, at every pixel, the offsets of pixels near it.

    The joint cost of two neighbours with different offsets is how much each one's colours change when the
    other's offset reaches one pixel farther, as in graph cut textures (Kwatra et al., SIGGRAPH 2003); the
    minimisation is ICM on a checkerboard. colours: `(N, C)`, the photo's own.
    """
    found = Matches(found.rows.clone(), found.costs.clone())
    fragment = config.fragment * found.costs.median()
    y, x = canvas.yx(canvas.targets)
    free = canvas.is_painted[canvas.targets]
    boards = [(free & ((y + x) % 2 == colour)).nonzero()[:, 0] for colour in (0, 1)]
    steps = [1, -1, canvas.width, -canvas.width]
    joints = [[_Joint(canvas, colours, rows, step) for step in steps] for rows in boards]
    for _ in range(config.coherence_sweeps):
        for rows, around in zip(boards, joints):
            _settle(canvas, targets, sources, found, rows, around, steps, config.joint, fragment)
    return found


class _Joint:
    """What lies one step away from some of the targets."""

    def __init__(self, canvas: Canvas, colours: Tensor, rows: Tensor, step: int):
        self._canvas, self._colours, self._step = canvas, colours, step
        beside = canvas.targets[rows] + step
        self._rows = canvas.row_of_target(beside).clamp_min(0)
        self._free = canvas.is_painted[beside] & (canvas.row_of_target(beside) >= 0)
        self._known = ~canvas.is_painted[beside]
        self._seen = colours[beside]

    def cost(self, found: Matches, here: Tensor, some: Tensor, weight: float, fragment: Tensor) -> Tensor:
        """`(M,)`: of copying from positions `here` at the targets `some` (places among those given)."""
        last = self._canvas.size - 1
        there = self._canvas.sources[found.rows[self._rows[some]]]
        free, known = self._free[some], self._known[some]
        beside = torch.where(free[:, None], self._colours[there], self._seen[some])
        ahead = (self._colours[(here + self._step).clamp(0, last)] - beside).square_().sum(dim=1)
        back = (self._colours[here] - self._colours[(there - self._step).clamp(0, last)]).square_().sum(dim=1)
        joint = (there - self._step != here) * (fragment + weight * (ahead + back))
        return torch.where(free, joint, known * (2 * weight) * ahead)


def _settle(
    canvas: Canvas,
    targets: Tensor,
    sources: Tensor,
    found: Matches,
    rows: Tensor,
    joints: list[_Joint],
    steps: list[int],
    weight: float,
    fragment: Tensor,
) -> None:
    """One pass over the targets `rows`, none of which are neighbours."""
    everywhere = torch.arange(len(rows), device=rows.device)

    def joined(candidates: Tensor, some: Tensor) -> Tensor:
        here = canvas.sources[candidates]
        return sum((joint.cost(found, here, some, weight, fragment) for joint in joints), torch.zeros(()))

    total = found.costs[rows] + joined(found.rows[rows], everywhere)
    for stride in STRIDES_PX:
        for step in steps:
            near = canvas.row_of_target(canvas.targets[rows] + stride * step)
            place = canvas.sources[found.rows[near.clamp_min(0)]] - stride * step
            candidates = torch.where(near >= 0, canvas.row_of_source(place), -1)
            some = ((candidates >= 0) & (candidates != found.rows[rows])).nonzero()[:, 0]
            taken = candidates[some]
            costs = differences(targets[rows[some]], sources, taken)
            sums = costs + joined(taken, some)
            better = sums < total[some]
            some, taken = some[better], taken[better]
            total[some] = sums[better]
            found.rows[rows[some]], found.costs[rows[some]] = taken, costs[better]
