"""Many queries of an implicit function, a part at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Activations of one chunk of queries: on a CPU they should stay in its caches, elsewhere they need to fit.
CPU_BYTES, BYTES = 12 * 2**20, 256 * 2**20


def in_chunks(query: Callable[[Tensor], Tensor], coords_yx: Tensor, projected: Tensor) -> Tensor:
    """Return `query(coords_yx)` in chunks sized by the memory they take; the same numbers.

    coords_yx: `(B, N, 2)`, of which query makes `(B, N, C)`. projected: `(B, hidden, h, w)`, the map that it
    reads: how wide the function is and how precise.
    """
    room = CPU_BYTES if coords_yx.device.type == "cpu" else BYTES
    # Four neighbours, and about three activations of the hidden width alive at once.
    per_query = 4 * 3 * projected.shape[1] * projected.element_size() * len(coords_yx)
    return torch.cat([query(chunk) for chunk in coords_yx.split(max(1, room // per_query), dim=1)], dim=1)
