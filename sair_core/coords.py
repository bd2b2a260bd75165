"""The one coordinate convention of the project: (y, x), cell-centred, [-1, 1], `align_corners=False`.

Pixel `i` of `n` sits at `-1 + (2 i + 1) / n`; the picture's edges are at -1 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sair_core.devices import upload


def axis_coords(count: int, *, device: torch.device | str | None = None) -> Tensor:
    """Return the centres of `count` cells on [-1, 1], `(count,)` float32."""
    return (2 * torch.arange(count, dtype=torch.float32, device=device) + 1) / count - 1


def grid_coords(size_px: Sequence[int], *, device: torch.device | str | None = None) -> Tensor:
    """Return the centres of all pixels of an image of size_px `(height, width)`: `(H, W, 2)` as (y, x)."""
    ys, xs = (axis_coords(n, device=device) for n in size_px)
    return torch.stack(torch.meshgrid(ys, xs, indexing="ij"), dim=-1)


def pixel_coords(rows: Tensor, columns: Tensor, size_px: Sequence[int]) -> Tensor:
    """Return the centres of an image's pixels `(rows, columns)`, each `(N,)` integers: `(N, 2)` float32."""
    height, width = size_px
    return torch.stack([(2 * rows.float() + 1) / height - 1, (2 * columns.float() + 1) / width - 1], dim=-1)


def cell_of(size_px: Sequence[int], *, device: torch.device | str | None = None) -> Tensor:
    """Return the footprint of one output pixel, `(2 / H, 2 / W)`: `(2,)` float32."""
    return upload(torch.tensor([2 / size_px[0], 2 / size_px[1]]), device or "cpu")


def sample(features: Tensor, coords_yx: Tensor, mode: str = "bilinear") -> Tensor:
    """Sample features at continuous coordinates; outside the border the edge is repeated.

    features: `(B, C, h, w)`; coords_yx: `(B, N, 2)`. Returns `(B, N, C)`.
    The only place where (y, x) is turned into the (x, y) that `grid_sample` wants.
    """
    grid = coords_yx.flip(-1).unsqueeze(1).to(features.dtype)
    out = F.grid_sample(features, grid, mode=mode, padding_mode="border", align_corners=False)
    return out.squeeze(2).transpose(1, 2)


LANCZOS = 3  # cells that the kernel reaches on each side


def lanczos_taps(position: Tensor) -> tuple[Tensor, Tensor]:
    """Return the six cells around each position (in cells, centres at integers) along one axis.

    position: any shape. Returns `index` (long; beyond the border where the position is near it) and `weight`
    of that shape and a last axis of 6. Lanczos' kernel, weights brought to a sum of one, as Pillow does.
    """
    low = torch.floor(position).unsqueeze(-1)
    index = low + torch.arange(1 - LANCZOS, 1 + LANCZOS, device=position.device)
    d = position.unsqueeze(-1) - index
    weight = torch.sinc(d) * torch.sinc(d / LANCZOS)
    return index.long(), (weight / weight.sum(-1, keepdim=True)).float()


def sample_lanczos(picture: Tensor, coords_yx: Tensor) -> Tensor:
    """As `sample`, by Lanczos. picture `(B, C, h, w)`, coords_yx `(B, N, 2)`. Returns `(B, N, C)`."""
    batch, channels, height, width = picture.shape
    size = upload(torch.tensor([height, width]), coords_yx.device)
    index, weight = lanczos_taps((coords_yx + 1) * size / 2 - 0.5)  # (B, N, 2, 6)
    rows, columns = index[:, :, 0].clamp(0, height - 1), index[:, :, 1].clamp(0, width - 1)
    flat = rows.unsqueeze(-1) * width + columns.unsqueeze(-2)  # (B, N, 6, 6)
    found = picture.flatten(2).gather(2, flat.view(batch, 1, -1).expand(-1, channels, -1))
    both = (weight[:, :, 0].unsqueeze(-1) * weight[:, :, 1].unsqueeze(-2)).view(batch, 1, -1, 4 * LANCZOS**2)
    return (found.view(batch, channels, -1, 4 * LANCZOS**2) * both).sum(-1).transpose(1, 2)


def four_neighbours(coords_yx: Tensor, size_cells: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the four feature cells nearest to each coordinate, with LIIF's local-ensemble weights.

    coords_yx: `(B, N, 2)`; size_cells: `(h, w)` of the feature map.
    Returns `index (B, N, 4)` into the flattened map, `offset (B, N, 4, 2)` = the coordinate relative to
    the cell's centre in cells (so within [-1, 1] away from the border), and `weight (B, N, 4)`, which sums
    to one: the area of the rectangle opposite to the cell. A neighbour beyond the border is the border
    cell itself, at its true offset.
    """
    size = upload(torch.tensor(size_cells, dtype=torch.float32), coords_yx.device)
    position = (coords_yx.float() + 1) * size / 2 - 0.5  # (B, N, 2), in cells; centres are integers
    low = torch.floor(position)
    fraction = position - low
    corners = upload(torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]), coords_yx.device)  # (4, 2)
    near = 1 - (corners - fraction.unsqueeze(-2)).abs()  # (B, N, 4, 2): 1 at the cell, 0 at its opposite
    cells = torch.minimum((low.unsqueeze(-2) + corners).clamp_min(0), size - 1)
    index = (cells[..., 0] * size[1] + cells[..., 1]).long()
    return index, position.unsqueeze(-2) - cells, near.prod(dim=-1)
