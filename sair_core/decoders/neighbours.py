"""What implicit functions with a local ensemble share: fetch the four neighbours, blend their answers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sair_core.devices import upload


def gather(features: Tensor, index: Tensor) -> Tensor:
    """Return rows of a map `(B, C, h, w)` at flat indices `(B, N, 4)`: `(B, 4, N, C)`."""
    batch, channels, height, width = features.shape
    table = features.flatten(2).transpose(1, 2).reshape(-1, channels)  # (B h w, C)
    start = torch.arange(batch, device=index.device).view(-1, 1, 1) * (height * width)
    return F.embedding((index + start).transpose(1, 2), table)


def blend(values: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted sum over the neighbours: `(B * 4 * N, C)` and `(B, N, 4)` to `(B, N, C)`.

    Leading axes of the values may be apart.
    """
    batch, count, _ = weight.shape
    # Unbound, not indexed: the gradient of an index is a whole array of zeros with one part filled in.
    parts = values.view(batch, 4, count, -1).unbind(1)
    weights = weight.to(values.dtype).unsqueeze(-1).unbind(2)  # (B, N, 1) each
    out = parts[0] * weights[0]
    for part, share in zip(parts[1:], weights[1:]):
        out = torch.addcmul(out, part, share)
    return out


def cells_in_features(cell: Tensor, size_cells: Sequence[int]) -> Tensor:
    """Return an output pixel's footprint `(B, 2)` in units of feature cells, as LIIF scales it."""
    return cell * upload(torch.tensor(size_cells, dtype=cell.dtype), cell.device) / 2
