"""EDSR baseline (Lim et al., 2017) without its up-sampler, as LIIF uses it; the input gains the hole."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sair_core.config import require, strict_dataclass
from sair_core.encoders.blocks import ResBlock


@strict_dataclass
class EdsrConfig:
    """The baseline's 16 blocks of width 64."""

    out_channels: int = 64
    blocks: int = 16
    residual_scale: float = 1.0

    def __post_init__(self) -> None:
        require(self.out_channels > 0, f"out_channels must be positive, got {self.out_channels}")
        require(self.blocks > 0, f"blocks must be positive, got {self.blocks}")


class EdsrEncoder(nn.Module):
    """`(B, 4, H, W)` (colour and hole) to `(B, out_channels, H, W)`."""

    reduction = 1
    trunk_channels: tuple[int, ...] = ()
    semantic_channels = 0
    multiple_px = 1

    def __init__(self, config: EdsrConfig = EdsrConfig()):
        super().__init__()
        self.config = config
        self.out_channels = width = config.out_channels
        self.head = nn.Conv2d(4, width, 3, padding=1)
        self.body = nn.Sequential(
            *(ResBlock(width, residual_scale=config.residual_scale) for _ in range(config.blocks)),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, rgb01: Tensor, hole01: Tensor) -> Tensor:
        """rgb01 `(B, 3, H, W)` with the hole's content already replaced, hole01 `(B, 1, H, W)`."""
        x = self.head(torch.cat([rgb01, hole01], dim=1))
        return x + self.body(x)
