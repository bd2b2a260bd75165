"""The nearest source patch of every target patch: exhaustively, or by propagation and random search."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sair_core.filling.texture.canvas import Canvas
from sair_core.filling.texture.patches import chunks

NEIGHBOURS_YX = ((0, 1), (0, -1), (1, 0), (-1, 0))


@dataclass
class Matches:
    """The source of every target patch.

    rows: `(T,)`, places among the canvas's sources. costs: `(T,)`, squared distances of the two.
    """

    rows: Tensor
    costs: Tensor


@dataclass(frozen=True)
class Demands:
    """The target patch that every source patch would best be seen in.

    rows: `(S,)`, places among the canvas's targets. costs: `(S,)`, squared distances of the two.
    """

    rows: Tensor
    costs: Tensor


def differences(targets: Tensor, sources: Tensor, rows: Tensor) -> Tensor:
    """Squared distances `(T,)` of target descriptors `(T, K)` to the sources `(S, K)` at rows `(T,)`."""
    return (targets - sources[rows]).square_().sum(dim=1)


def search_all(targets: Tensor, sources: Tensor, handicap: Tensor) -> tuple[Matches, Demands]:
    """Compare all target descriptors `(T, K)` with all source descriptors `(S, K)`, both ways.

    handicap: `(S,)`, added to the costs of each source while it is looked for.
    """
    lengths, own = sources.square().sum(dim=1) + handicap, targets.square().sum(dim=1)
    rows = torch.empty(len(targets), dtype=torch.long, device=targets.device)
    best = torch.full_like(lengths, torch.inf)
    best_rows = torch.zeros(len(sources), dtype=torch.long, device=targets.device)
    for part in chunks(len(targets), 4 * len(sources)):
        table = torch.addmm(lengths, targets[part], sources.T, alpha=-2).add_(own[part, None])
        rows[part] = table.argmin(dim=1)
        least, where = table.min(dim=0)
        better = least < best
        best = torch.where(better, least, best)
        best_rows = torch.where(better, where + part.start, best_rows)
    return Matches(rows, differences(targets, sources, rows)), Demands(best_rows, best.clamp_min(0))


def search_near(
    canvas: Canvas, targets: Tensor, sources: Tensor, rows: Tensor, draw: torch.Generator, tries: int
) -> Matches:
    """Improve matches: each patch tries what its four neighbours have found, then `tries` random places.

    draw: on the CPU, so that all devices try the same. rows: `(T,)`, the matches so far.
    """
    found = Matches(rows.clone(), differences(targets, sources, rows))
    for dy, dx in NEIGHBOURS_YX:
        step = dy * canvas.width + dx
        neighbour = canvas.row_of_target(canvas.targets + step)
        place = canvas.sources[found.rows[neighbour.clamp_min(0)]] - step
        _try(found, targets, sources, torch.where(neighbour >= 0, canvas.row_of_source(place), -1))
    for i in range(tries):
        radius_px = max(max(canvas.height, canvas.width) * 0.5 ** (2 * i), 2.0)
        jump = (torch.rand(2, len(rows), generator=draw) * 2 - 1).mul_(radius_px).round_().long()
        jump = jump.to(targets.device)
        y, x = canvas.yx(canvas.sources[found.rows])
        y, x = y + jump[0], x + jump[1]
        inside = (y >= 0) & (x >= 0) & (x < canvas.width - 2 * canvas.margin)
        _try(found, targets, sources, torch.where(inside, canvas.row_of_source(canvas.positions(y, x)), -1))
    return found


def _try(found: Matches, targets: Tensor, sources: Tensor, candidates: Tensor) -> None:
    """Take over the candidate sources `(T,)` that are better; -1 is none."""
    rows = ((candidates >= 0) & (candidates != found.rows)).nonzero()[:, 0]
    taken = candidates[rows]
    costs = differences(targets[rows], sources, taken)
    better = costs < found.costs[rows]
    rows, taken = rows[better], taken[better]
    found.rows[rows], found.costs[rows] = taken, costs[better]
