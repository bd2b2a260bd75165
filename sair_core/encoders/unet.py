"""The light appearance encoder: a U-Net on space-to-depth input whose features are at half resolution.

Narrow layers at full resolution waste a CPU; folding 2x2 pixels into channels first keeps every layer wide
enough to run near the machine's arithmetic limit. Attention at 1/16 sees the whole picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sair_core.config import require, strict_dataclass
from sair_core.encoders.blocks import AttentionBlock, ChannelNorm, ResBlock, pad_to_multiple


@strict_dataclass
class UNetConfig:
    """Widths at 1/2, 1/4, 1/8 and 1/16 of the photo; features come out at 1/2 with `out_channels`."""

    widths: tuple[int, int, int, int] = (48, 96, 192, 288)
    blocks: tuple[int, int, int] = (1, 2, 3)
    context_blocks: int = 3
    heads: int = 8
    out_channels: int = 64

    def __post_init__(self) -> None:
        for name in ("widths", "blocks"):
            require(min(getattr(self, name)) > 0, f"{name} must be positive, got {getattr(self, name)}")
        require(self.heads >= 1, f"heads must be at least 1, got {self.heads}")
        require(
            self.widths[3] % self.heads == 0,
            f"widths[3]={self.widths[3]} is no multiple of heads={self.heads}: choose others",
        )
        require(self.out_channels > 0, f"out_channels must be positive, got {self.out_channels}")


class UNetEncoder(nn.Module):
    """`(B, 4, H, W)` (colour and hole) to `(B, out_channels, ceil(H / 2), ceil(W / 2))`."""

    reduction = 2
    multiple_px = 16  # the input is padded to a multiple of this

    def __init__(self, config: UNetConfig = UNetConfig()):
        super().__init__()
        self.config = config
        self.out_channels = config.out_channels
        widths, blocks = config.widths, config.blocks
        self.stem = nn.Conv2d(4 * 4, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_stage(widths[i], blocks[i]) for i in range(3))
        # Norms between the stages, not inside them: enough to keep high learning rates stable, and cheap.
        self.reduce = nn.ModuleList(
            nn.Sequential(ChannelNorm(widths[i]), nn.Conv2d(widths[i], widths[i + 1], 4, 2, 1))
            for i in range(3)
        )
        self.context = nn.Sequential(
            *(
                nn.Sequential(AttentionBlock(widths[3], config.heads), ResBlock(widths[3]))
                for _ in range(config.context_blocks)
            )
        )
        self.expand = nn.ModuleList(
            nn.Sequential(ChannelNorm(widths[i + 1]), nn.Conv2d(widths[i + 1], 4 * widths[i], 1))
            for i in range(3)
        )
        self.up = nn.ModuleList(_stage(widths[i], blocks[i]) for i in range(3))
        self.head = nn.Sequential(
            ChannelNorm(widths[0]), nn.Conv2d(widths[0], config.out_channels, 3, padding=1)
        )

    def forward(self, rgb01: Tensor, hole01: Tensor) -> Tensor:
        """rgb01 `(B, 3, H, W)` with the hole's content already replaced, hole01 `(B, 1, H, W)`."""
        height, width = rgb01.shape[-2:]
        x = torch.cat([rgb01 * 2 - 1, hole01], dim=1)
        x = pad_to_multiple(x, self.multiple_px)
        x = self.stem(F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last))
        skips = []
        for stage, reduce in zip(self.down, self.reduce):
            x = stage(x)
            skips.append(x)
            x = reduce(x)
        x = self.context(x)
        for i in reversed(range(3)):
            x = self.up[i](skips[i] + F.pixel_shuffle(self.expand[i](x), 2))
        return self.head(x)[..., : (height + 1) // 2, : (width + 1) // 2]


def _stage(width: int, count: int) -> nn.Sequential:
    # Dilations 1, 2, 4: a hole's border is reached from its middle within one stage.
    return nn.Sequential(*(ResBlock(width, dilation=2**i if count > 2 else 1) for i in range(count)))
