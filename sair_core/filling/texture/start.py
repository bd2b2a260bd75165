"""The first matches, where no coarser level has any: from the rim inwards."""

from __future__ import annotations

import torch
from torch import Tensor

from sair_core.filling.texture.canvas import Canvas
from sair_core.filling.texture.patches import chunks
from sair_core.filling.texture.vote import Voter

MAX_SOURCES = 8_000  # evenly taken from all: the search that follows finds the others


def start_from_rim(canvas: Canvas, colours: Tensor, guides: Tensor, handicap: Tensor, voter: Voter) -> Tensor:
    """Match ring after ring of the hole by the pixels of each patch that have a colour by then: `(T,)`.

    colours: `(N, C)`, the photo's own; guides: `(N, G)`, compared everywhere; handicap: `(S,)`, added to the
    costs. (Criminisi, Perez and Toyama,
    "Region Filling", 2004, all of a ring at once.)
    """
    every = -(-len(canvas.sources) // MAX_SOURCES)
    pool = torch.arange(0, len(canvas.sources), every, device=colours.device)
    patches = _Patches(canvas, colours, guides, handicap, pool)
    painted, known = colours.clone(), ~canvas.is_painted
    rows = torch.full_like(canvas.targets, -1)
    ring = canvas.steps[(canvas.steps_yx.abs() <= 1).all(dim=1)]
    while len(open_rows := (rows < 0).nonzero()[:, 0]):
        near = open_rows[known[canvas.targets[open_rows, None] + ring].any(dim=1)]
        near = near if len(near) else open_rows
        rows[near] = pool[patches.nearest(painted, known, canvas.targets[near])]
        painted[canvas.painted] = colours[voter.copy(voter.vote(None, rows), rows)]
        known[canvas.targets[near]] = True
    return rows


class _Patches:
    """Whole source patches, compared only where the others are known."""

    def __init__(self, canvas: Canvas, colours: Tensor, guides: Tensor, handicap: Tensor, pool: Tensor):
        self._steps, self._guides = canvas.steps, guides
        values = colours[canvas.sources[pool, None] + canvas.steps]  # (S, P, C)
        self._values, self._lengths = values.flatten(1).T, values.square().sum(dim=2).T
        self._theirs = guides[canvas.sources[pool]].T
        self._their_lengths = self._theirs.square().sum(dim=0) + handicap[pool]

    def nearest(self, painted: Tensor, known: Tensor, centres: Tensor) -> Tensor:
        """Places `(M,)` in the pool."""
        found = torch.empty_like(centres)
        for part in chunks(len(centres), 4 * self._values.shape[1]):
            pixels = centres[part, None] + self._steps
            seen = known[pixels].to(painted.dtype)
            table = seen @ self._lengths
            table -= 2 * (painted[pixels] * seen[..., None]).flatten(1) @ self._values
            table *= len(self._steps) / seen.sum(dim=1, keepdim=True).clamp_min(1)
            table += self._their_lengths - 2 * self._guides[centres[part]] @ self._theirs
            found[part] = table.argmin(dim=1)
        return found
