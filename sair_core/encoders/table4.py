"""The appearance encoder of the SAIR paper, Table 4: features of the input's own size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sair_core.config import require, strict_dataclass
from sair_core.encoders.blocks import ResBlock, pad_to_multiple, start_before_relu


@strict_dataclass
class Table4Config:
    """Width of the output (64 in the paper), number of ResNet blocks (8 in the paper), and whether the last
    layer has a ReLU, as the table has it."""

    out_channels: int = 64
    blocks: int = 8
    last_relu: bool = False

    def __post_init__(self) -> None:
        require(self.out_channels > 0, f"out_channels must be positive, got {self.out_channels}")
        require(self.blocks >= 0, f"blocks must not be negative, got {self.blocks}")


class Table4Encoder(nn.Module):
    """`(B, 4, H, W)` (colour and hole) to `(B, out_channels, H, W)`."""

    reduction = 1
    trunk_channels: tuple[int, ...] = ()
    semantic_channels = 0
    multiple_px = 4

    def __init__(self, config: Table4Config = Table4Config()):
        super().__init__()
        self.config = config
        self.out_channels = width = config.out_channels
        self.layers = nn.Sequential(
            nn.Conv2d(4, width, 7, 1, 3), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 4, 2, 1), nn.ReLU(),
            *(ResBlock(4 * width) for _ in range(config.blocks)),
            nn.Conv2d(4 * width, 4 * width, 3, 1, 1), nn.ReLU(),
            nn.Conv2d(4 * width, 4 * width, 3, 1, 1), nn.ReLU(),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1), *([nn.ReLU()] if config.last_relu else []),
        )  # fmt: skip
        for layer in self.layers:
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                start_before_relu(layer)

    def forward(self, rgb01: Tensor, hole01: Tensor) -> Tensor:
        """rgb01 `(B, 3, H, W)` with the hole's content already replaced, hole01 `(B, 1, H, W)`."""
        height, width = rgb01.shape[-2:]
        x = torch.cat([rgb01, hole01], dim=1)
        x = pad_to_multiple(x, self.multiple_px)
        return self.layers(x)[..., :height, :width]
