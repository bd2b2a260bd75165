"""Local implicit image function (LIIF, Chen et al., 2021): `value_p = sum_q w_q f(feature_q, d(p, q))`.

f is an MLP, so its first layer is linear in the feature and in the coordinate part separately. The feature
part is applied once per cell (`project`, a 1x1 convolution) and only the small coordinate part per query;
the last layer is linear too, so it is applied once per query, after the weighted sum, and not once per
neighbour. Same numbers, far fewer operations.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sair_core.config import require, strict_dataclass
from sair_core.coords import four_neighbours
from sair_core.decoders.neighbours import blend, cells_in_features, gather


@strict_dataclass
class LiifConfig:
    """MLP of `layers` linear layers (4 in the paper) with `hidden` units (256 in the paper) and ReLU."""

    hidden: int = 256
    layers: int = 4
    use_cell: bool = True

    def __post_init__(self) -> None:
        require(self.hidden > 0, f"hidden must be positive, got {self.hidden}")
        require(self.layers >= 2, f"layers must be at least 2, got {self.layers}")


class LiifDecoder(nn.Module):
    """Maps a feature map `(B, in_channels, h, w)` and coordinates to values `(B, N, out_channels)`."""

    def __init__(self, in_channels: int, out_channels: int, config: LiifConfig = LiifConfig()):
        super().__init__()
        self.config = config
        hidden = config.hidden
        self.first_feature = nn.Conv2d(in_channels, hidden, 1)
        self.first_coord = nn.Linear(4 if config.use_cell else 2, hidden, bias=False)
        self.middle = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(config.layers - 2))
        self.last = nn.Linear(hidden, out_channels)

    def project(self, features: Tensor, more: Tensor | None = None) -> Tensor:
        """Return the first layer's feature part, once a cell: `(B, C, h, w)` to `(B, hidden, h, w)`.

        more: the channels after the first C, `(B, in_channels - C, h', w')`, where they are on another grid.
        It is their projection that is resampled (bilinear) to `(h, w)`: being linear it may be exchanged with
        the resampling, and this order is the cheap one.
        """
        if more is None:
            return self.first_feature(features)
        weight, channels = self.first_feature.weight, features.shape[1]
        projected = F.conv2d(features, weight[:, :channels], self.first_feature.bias)
        added = F.conv2d(more, weight[:, channels:])
        if added.shape[-2:] != projected.shape[-2:]:
            added = F.interpolate(added, projected.shape[-2:], mode="bilinear", align_corners=False)
        return projected + added

    def query(
        self, projected: Tensor, coords_yx: Tensor, cell: Tensor, shared: Tensor | None = None
    ) -> Tensor:
        """Return values at continuous coordinates.

        projected: `(B, hidden, h, w)` from `project`; coords_yx: `(B, N, 2)` in [-1, 1]; cell: `(B, 2)`,
        the footprint of an output pixel; shared: `(B, N, hidden)`, added for all four neighbours before the
        first ReLU. Returns `(B, N, out_channels)`.
        """
        size = projected.shape[-2:]
        index, offset, weight = four_neighbours(coords_yx, size)
        where = self._coord_part(offset, cell, size).transpose(1, 2)  # (B, 4, N, 2 or 4)
        x = gather(projected, index)  # (B, 4, N, hidden)
        if shared is not None:
            x = x + shared.to(x.dtype).unsqueeze(1)
        # One pass over memory: what is fetched plus the coordinate part.
        x = torch.addmm(
            x.flatten(0, 2), where.flatten(0, 2).to(x.dtype), self.first_coord.weight.T.to(x.dtype)
        )
        x = F.relu_(x)
        for layer in self.middle:
            x = F.relu_(layer(x))
        return self.last(blend(x, weight))

    def forward(self, features: Tensor, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """`query(project(features), coords_yx, cell)`."""
        return self.query(self.project(features), coords_yx, cell)

    def _coord_part(self, offset: Tensor, cell: Tensor, size_cells: Sequence[int]) -> Tensor:
        if not self.config.use_cell:
            return offset
        in_cells = cells_in_features(cell, size_cells)
        return torch.cat([offset, in_cells[:, None, None, :].expand_as(offset)], dim=-1)
