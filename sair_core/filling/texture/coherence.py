"""Few and invisible joints: neighbouring patches copy from one place where that costs little."""

from __future__ import annotations

import torch
from torch import Tensor

from sair_core.devices import upload
from sair_core.filling.texture.canvas import Canvas
from sair_core.filling.texture.config import TextureConfig
from sair_core.filling.texture.search import Matches, differences

STRIDES_PX = (1, 3)  # odd: on a checkerboard, from the other colour


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
    boards = [
        _Board(canvas, colours, (free & ((y + x) % 2 == colour)).nonzero()[:, 0], config.joint, fragment)
        for colour in (0, 1)
    ]
    # What depends on a pixel that has changed is tried again, and nothing else: the rest would stay.
    stale = canvas.is_painted.clone()
    for _ in range(config.coherence_sweeps):
        for board in boards:
            some = stale[board.places].nonzero()[:, 0]
            stale[board.places[some]] = False
            changed = board.settle(targets, sources, found, some)
            stale[(board.places[changed, None] + board.reach).clamp_(0, canvas.size - 1)] = True
    return found


class _Board:
    """Targets none of which are neighbours.

    rows: `(B,)`, of the targets; places: `(B,)`, their positions. reach: `(8,)`, the steps to pixels whose
    offsets each of them may take over.
    """

    def __init__(self, canvas: Canvas, colours: Tensor, rows: Tensor, weight: float, fragment: Tensor):
        self.rows, self.places = rows, canvas.targets[rows]
        self._canvas, self._colours = canvas, colours
        steps = (1, -1, canvas.width, -canvas.width)
        reach = torch.tensor([stride * step for stride in STRIDES_PX for step in steps])
        self.reach = upload(reach, self.places.device)
        self._joints = [_Joint(canvas, colours, self.places, step, weight, fragment) for step in steps]

    def settle(self, targets: Tensor, sources: Tensor, found: Matches, some: Tensor) -> Tensor:
        """Give some of the board, `(M,)` places among its rows, the best of the offsets near each.

        Returns those that have changed.
        """
        rows = self.rows[some]
        candidates = self._candidates(found, some)
        tried = (candidates >= 0) & (candidates != found.rows[rows, None])
        open_rows = tried.any(dim=1).nonzero()[:, 0]
        some, rows, candidates, tried = (x[open_rows] for x in (some, rows, candidates, tried))
        total = found.costs[rows] + self._joined(found, found.rows[rows], some)
        which, column = tried.nonzero(as_tuple=True)
        taken = candidates[which, column]
        costs = differences(targets, sources, taken, rows[which])
        promising = (costs < total[which]).nonzero()[:, 0]  # joints only add to them
        which, column, taken, costs = (x[promising] for x in (which, column, taken, costs))
        sums = torch.full(tried.shape, torch.inf, device=rows.device)
        sums[which, column] = costs + self._joined(found, taken, some[which])
        # The pairs that are the best of their pixel; of equal ones, the first.
        least, best = sums.min(dim=1)
        won = ((column == best[which]) & (least < total)[which]).nonzero()[:, 0]
        which = which[won]
        found.rows[rows[which]], found.costs[rows[which]] = taken[won], costs[won]
        return some[which]

    def _candidates(self, found: Matches, some: Tensor) -> Tensor:
        """`(M, 8)`: the sources that continue the pieces of the pixels near each, -1 for none."""
        canvas = self._canvas
        near = canvas.row_of_target(self.places[some, None] + self.reach)
        place = canvas.sources[found.rows[near.clamp_min(0)]] - self.reach
        return torch.where(near >= 0, canvas.row_of_source(place), -1)

    def _joined(self, found: Matches, candidates: Tensor, some: Tensor) -> Tensor:
        """`(M,)`: the joint costs of copying from sources at some of the board."""
        here = self._canvas.sources[candidates]
        copied = self._colours[here]
        costs = torch.zeros(len(some), device=some.device)
        for joint in self._joints:
            costs += joint.cost(found, here, copied, some)
        return costs


class _Joint:
    """What lies one step away from places `(B,)`."""

    def __init__(
        self, canvas: Canvas, colours: Tensor, places: Tensor, step: int, weight: float, fragment: Tensor
    ):
        self._canvas, self._colours, self._step = canvas, colours, step
        self._weight, self._fragment = weight, fragment
        beside = places + step
        rows = canvas.row_of_target(beside)
        self._rows, self._free = rows.clamp_min(0), canvas.is_painted[beside] & (rows >= 0)
        self._known = ~canvas.is_painted[beside]
        self._seen = colours[beside]

    def cost(self, found: Matches, here: Tensor, copied: Tensor, some: Tensor) -> Tensor:
        """`(M,)`: of copying the colours `(M, C)` of positions `here` to some of the places."""
        there = self._canvas.sources[found.rows[self._rows[some]]]
        free, known = self._free[some], self._known[some]
        beside = torch.where(free[:, None], self._colours[there], self._seen[some])
        ahead = _mismatch(self._canvas, self._colours, here, self._step, beside)
        back = _mismatch(self._canvas, self._colours, there, -self._step, copied)
        joint = (there - self._step != here) * (self._fragment + self._weight * (ahead + back))
        return torch.where(free, joint, known * (2 * self._weight) * ahead)


def joint_cost(
    canvas: Canvas, colours: Tensor, first: Tensor, second: Tensor, step: int, weight: float, fragment: Tensor
) -> Tensor:
    """`(M,)`: of copying from positions `first` and `second` to two pixels, the second one step on."""
    ahead = _mismatch(canvas, colours, first, step, colours[second])
    back = _mismatch(canvas, colours, second, -step, colours[first])
    return (second - step != first) * (fragment + weight * (ahead + back))


def known_cost(
    canvas: Canvas, colours: Tensor, places: Tensor, here: Tensor, step: int, weight: float
) -> Tensor:
    """`(M,)`: of copying from positions `here` to places whose neighbours one step on are known."""
    return (2 * weight) * _mismatch(canvas, colours, here, step, colours[places + step])


def _mismatch(canvas: Canvas, colours: Tensor, here: Tensor, step: int, beside: Tensor) -> Tensor:
    """`(M,)`: how much the colours one step on from positions `here` differ from those that stand there."""
    return (colours[(here + step).clamp(0, canvas.size - 1)] - beside).square_().sum(dim=1)
