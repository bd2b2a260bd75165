"""Local texture estimator (LTE, Lee & Jin, 2022): an implicit function over estimated Fourier components.

`value_p = sum_q w_q f(A_q * [cos(pi (F_q d + h(c))), sin(pi (F_q d + h(c)))])`: amplitudes A and frequencies
F come from convolutions over the features, the phase h from the footprint c of an output pixel, d is the
place relative to the feature. ReLU networks prefer low frequencies; here the high ones are put in. LTE's
long skip, a bilinear enlargement that the function only adds to, is `SairConfig.long_skip`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sair_core.config import require, strict_dataclass
from sair_core.coords import four_neighbours
from sair_core.decoders.neighbours import blend, cells_in_features, gather


@strict_dataclass
class LteConfig:
    """`hidden` Fourier components, half cosines and half sines (256 in the paper), then an MLP of `layers`
    linear layers (4 in the paper)."""

    hidden: int = 256
    layers: int = 4

    def __post_init__(self) -> None:
        require(
            self.hidden > 0 and self.hidden % 2 == 0, f"hidden must be positive and even, got {self.hidden}"
        )
        require(self.layers >= 2, f"layers must be at least 2, got {self.layers}")


class LteDecoder(nn.Module):
    """Maps a feature map `(B, in_channels, h, w)` and coordinates to values `(B, N, out_channels)`."""

    def __init__(self, in_channels: int, out_channels: int, config: LteConfig = LteConfig()):
        super().__init__()
        self.config = config
        hidden = config.hidden
        self.amplitude = nn.Conv2d(in_channels, hidden, 3, padding=1)
        self.frequency = nn.Conv2d(in_channels, hidden, 3, padding=1)
        self.phase = nn.Linear(2, hidden // 2, bias=False)
        self.middle = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(config.layers - 1))
        self.last = nn.Linear(hidden, out_channels)

    def project(self, features: Tensor, more: Tensor | None = None) -> Tensor:
        """Return amplitudes and frequencies, once a cell: `(B, C, h, w)` to `(B, 2 hidden, h, w)`.

        more: the channels after the first C, `(B, in_channels - C, h', w')`; bilinear where on another grid.
        """
        if more is not None:
            if more.shape[-2:] != features.shape[-2:]:
                more = F.interpolate(more, features.shape[-2:], mode="bilinear", align_corners=False)
            features = torch.cat([features, more.to(features.dtype)], dim=1)
        return torch.cat([self.amplitude(features), self.frequency(features)], dim=1)

    def query(self, projected: Tensor, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """Return values at continuous coordinates.

        projected: `(B, 2 hidden, h, w)` from `project`; coords_yx: `(B, N, 2)` in [-1, 1]; cell: `(B, 2)`,
        the footprint of an output pixel. Returns `(B, N, out_channels)`.
        """
        size = projected.shape[-2:]
        index, offset, weight = four_neighbours(coords_yx, size)
        amplitude, frequency = gather(projected, index).chunk(2, dim=-1)  # (B, 4, N, hidden) each
        # Angles in float32: bfloat16 is too coarse for the phase of a fast wave.
        along_y, along_x = frequency.float().chunk(2, dim=-1)
        offset = offset.transpose(1, 2)  # (B, 4, N, 2)
        angle = along_y * offset[..., :1] + along_x * offset[..., 1:]
        angle = math.pi * (angle + self.phase(cells_in_features(cell, size))[:, None, None].float())
        x = amplitude * torch.cat([angle.cos(), angle.sin()], dim=-1).to(amplitude.dtype)
        for layer in self.middle:
            x = F.relu(layer(x))
        return self.last(blend(x, weight))

    def forward(self, features: Tensor, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """`query(project(features), coords_yx, cell)`."""
        return self.query(self.project(features), coords_yx, cell)
