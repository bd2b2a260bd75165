"""Building blocks that several encoders share."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

MULTIPLE_PX = 16  # sides that every encoder takes as they are: it halves its input up to four times


def pad_to_multiple(x: Tensor, multiple_px: int) -> Tensor:
    """Repeat the last row and column of `(B, C, H, W)` until both sides are multiples."""
    right, bottom = -x.shape[-1] % multiple_px, -x.shape[-2] % multiple_px
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if right or bottom else x


def start_at_zero(layer: nn.Conv2d | nn.Linear) -> None:
    """Make a layer predict nothing until it is trained."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def start_before_relu(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Draw weights that keep the scale of signals through a ReLU (He et al., ICCV 2015); biases are zero."""
    seen = layer.in_channels * math.prod(layer.kernel_size)
    if isinstance(layer, nn.ConvTranspose2d):
        seen //= math.prod(layer.stride)
    nn.init.normal_(layer.weight, std=math.sqrt(2 / seen))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class ResBlock(nn.Module):
    """`x + conv(relu(conv(x)))` at constant width, without normalisation.

    The last convolution starts at zero, so a deep stack starts as the identity and trains at high rates.
    """

    def __init__(self, channels: int, dilation: int = 1, residual_scale: float = 1.0):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.residual_scale = residual_scale
        start_at_zero(self.second)

    def forward(self, x: Tensor) -> Tensor:
        """x: `(B, C, H, W)`. Same shape out."""
        residual = self.second(F.relu(self.first(x)))
        return x + (residual if self.residual_scale == 1.0 else residual * self.residual_scale)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each position of `(B, C, H, W)`; copies nothing in channels_last."""

    def forward(self, x: Tensor) -> Tensor:
        """x: `(B, C, H, W)`. Same shape out."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class AttentionBlock(nn.Module):
    """Pre-norm self-attention over all positions of a feature map, then an MLP.

    Position enters as a 5x5 depth-wise convolution (conditional position encoding), so any map size works.
    """

    def __init__(self, channels: int, heads: int, mlp_ratio: float = 2.0):
        super().__init__()
        self.heads = heads
        self.position = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.norm_attention = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.norm_mlp = nn.LayerNorm(channels)
        hidden = int(channels * mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))

    def forward(self, x: Tensor) -> Tensor:
        """x: `(B, C, h, w)`. Same shape out."""
        batch, channels, height, width = x.shape
        x = x + self.position(x)
        tokens = x.flatten(2).transpose(1, 2)  # (B, N, C)
        q, k, v = (
            self.qkv(self.norm_attention(tokens))
            .view(batch, -1, 3, self.heads, channels // self.heads)
            .permute(2, 0, 3, 1, 4)
        )  # each (B, heads, N, C / heads)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + self.out(attended)
        tokens = tokens + self.mlp(self.norm_mlp(tokens))
        return tokens.transpose(1, 2).reshape(batch, channels, height, width)


class Join(nn.Module):
    """Features with another network's map added to them, normalised and projected; nothing to begin with."""

    def __init__(self, map_channels: int, channels: int):
        super().__init__()
        self.norm = ChannelNorm(map_channels)
        self.project = nn.Conv2d(map_channels, channels, 1)
        start_at_zero(self.project)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        """x: `(B, channels, h, w)`; m: `(B, map_channels, h', w')` of the same picture. Same shape out."""
        return x + _resize_to(self.project(self.norm(m.to(x.dtype))), x)


class Modulation(nn.Module):
    """Features scaled and shifted place by place by what another map says of it (SPADE, Park et al. 2019).

    Without a norm: `x (1 + gamma(m)) + beta(m)`, and both start at zero.
    """

    def __init__(self, map_channels: int, channels: int):
        super().__init__()
        self.affine = nn.Conv2d(map_channels, 2 * channels, 1)
        start_at_zero(self.affine)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        """x: `(B, channels, h, w)`; m: `(B, map_channels, h', w')` over the same picture. Same shape out."""
        # The projection is linear and may be exchanged with the resampling: the small map is the cheap one.
        gamma, beta = _resize_to(self.affine(m.to(x.dtype)), x).chunk(2, dim=1)
        return x * (1 + gamma) + beta


def _resize_to(m: Tensor, x: Tensor) -> Tensor:
    size = x.shape[-2:]
    return m if m.shape[-2:] == size else F.interpolate(m, size, mode="bilinear", align_corners=False)
