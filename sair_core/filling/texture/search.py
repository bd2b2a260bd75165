"""The nearest source patch of every target patch: exhaustively, or by propagation and random search."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sair_core.devices import upload
from sair_core.filling.texture.canvas import Canvas
from sair_core.filling.texture.patches import chunks

TABLE_VALUES = 1_000_000  # distances compared at once: few enough for a cache
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


def differences(targets: Tensor, sources: Tensor, rows: Tensor, of: Tensor | None = None) -> Tensor:
    """Squared distances `(M,)` of target descriptors `(T, K)` to the sources `(S, K)` at rows `(M,)`.

    of: `(M,)`, which targets; None: all of them. On the processor in parts that fit into its cache.
    """
    costs = targets.new_empty(len(rows))
    values = TABLE_VALUES if targets.device.type == "cpu" else max(1, len(rows)) * targets.shape[1]
    for part in chunks(len(rows), targets.shape[1], values):
        ours = targets[part] if of is None else targets[of[part]]
        costs[part] = (ours - sources[rows[part]]).square_().sum(dim=1)
    return costs


def search_all(targets: Tensor, sources: Tensor, handicap: Tensor) -> tuple[Matches, Demands]:
    """Compare all target descriptors `(T, K)` with all source descriptors `(S, K)`, both ways.

    handicap: `(S,)`, added to the costs of each source while it is looked for.
    """
    # |t|^2 - 2 t s + |s|^2 + handicap as one product.
    ours = torch.cat([-2 * targets, _lengths(targets), torch.ones_like(targets[:, :1])], dim=1)
    theirs = [sources, torch.ones_like(sources[:, :1]), _lengths(sources) + handicap[:, None]]
    theirs_across = torch.cat(theirs, dim=1).T.contiguous()
    if targets.device.type != "cpu":  # a GPU looks down columns as fast as along rows, and has the memory
        table = ours @ theirs_across
        rows, (least, best_rows) = table.argmin(dim=1), table.min(dim=0)
        return Matches(rows, differences(targets, sources, rows)), Demands(best_rows, least.clamp_min(0))
    rows = torch.empty(len(targets), dtype=torch.long, device=targets.device)
    parts = chunks(len(targets), len(sources), TABLE_VALUES)
    least = sources.new_empty(len(parts), len(sources))
    for i, part in enumerate(parts):
        table = ours[part] @ theirs_across
        rows[part], least[i] = table.argmin(dim=1), table.amin(dim=0)
    # In which part a source fits best is known; where in it is looked up by a second, much smaller product:
    # an argmin along columns would take longer than all the rest.
    costs, best_parts = least.min(dim=0)
    best_rows = torch.empty(len(sources), dtype=torch.long, device=targets.device)
    for i, part in enumerate(parts):
        some = (best_parts == i).nonzero()[:, 0]
        best_rows[some] = (theirs_across[:, some].T @ ours[part].T).argmin(dim=1) + part.start
    return Matches(rows, differences(targets, sources, rows)), Demands(best_rows, costs.clamp_min(0))


def _lengths(descriptors: Tensor) -> Tensor:
    """Squared lengths `(N, 1)`."""
    return descriptors.square().sum(dim=1, keepdim=True)


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
        jump = upload(jump, targets.device)
        y, x = canvas.yx(canvas.sources[found.rows])
        y, x = y + jump[0], x + jump[1]
        inside = (y >= 0) & (x >= 0) & (x < canvas.width - 2 * canvas.margin)
        _try(found, targets, sources, torch.where(inside, canvas.row_of_source(canvas.positions(y, x)), -1))
    return found


def _try(found: Matches, targets: Tensor, sources: Tensor, candidates: Tensor) -> None:
    """Take over the candidate sources `(T,)` that are better; -1 is none."""
    rows = ((candidates >= 0) & (candidates != found.rows)).nonzero()[:, 0]
    taken = candidates[rows]
    costs = differences(targets, sources, taken, rows)
    better = (costs < found.costs[rows]).nonzero()[:, 0]
    rows, taken = rows[better], taken[better]
    found.rows[rows], found.costs[rows] = taken, costs[better]
