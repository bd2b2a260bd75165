"""The light appearance encoder: a U-Net on space-to-depth input whose features are at half resolution.

Narrow layers at full resolution waste a CPU; folding 2x2 pixels into channels first keeps every layer wide
enough to run near the machine's arithmetic limit. Attention at 1/16 sees the whole picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sair_core.config import require, strict_dataclass
from sair_core.encoders.blocks import (
    AttentionBlock,
    ChannelNorm,
    Join,
    Modulation,
    ResBlock,
    pad_to_multiple,
)
from sair_core.layout import memory_format_of

TRUNK_REDUCTIONS = (4, 8, 16, 32)  # px a cell of the maps that may join
JOINS = ((0,), (1,), (2, 3))  # which of them join at 1/4, 1/8 and 1/16


@strict_dataclass
class UNetConfig:
    """Widths at 1/2, 1/4, 1/8 and 1/16 of the photo; features come out at 1/2 with `out_channels`.

    trunk_channels: of the semantic encoder's maps at TRUNK_REDUCTIONS, which join on the way down; () = none.
    semantic_channels: of the map of meanings by which the stages from 1/16 to 1/4 are modulated; 0 = none.
    """

    widths: tuple[int, int, int, int] = (48, 96, 192, 288)
    blocks: tuple[int, int, int] = (1, 2, 3)
    context_blocks: int = 3
    heads: int = 8
    out_channels: int = 64
    trunk_channels: tuple[int, ...] = ()
    semantic_channels: int = 0

    def __post_init__(self) -> None:
        for name in ("widths", "blocks"):
            require(min(getattr(self, name)) > 0, f"{name} must be positive, got {getattr(self, name)}")
        require(self.heads >= 1, f"heads must be at least 1, got {self.heads}")
        require(
            self.widths[3] % self.heads == 0,
            f"widths[3]={self.widths[3]} is no multiple of heads={self.heads}: choose others",
        )
        require(self.out_channels > 0, f"out_channels must be positive, got {self.out_channels}")
        require(
            len(self.trunk_channels) in (0, len(TRUNK_REDUCTIONS)),
            f"trunk_channels must be {len(TRUNK_REDUCTIONS)} numbers or none, got {self.trunk_channels}",
        )
        require(
            self.semantic_channels >= 0,
            f"semantic_channels must not be negative, got {self.semantic_channels}",
        )


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
        self.trunk_channels, self.semantic_channels = config.trunk_channels, config.semantic_channels
        # Both begin as if they were not there, so that weights of a U-Net without them can be begun with.
        self.join = nn.ModuleList(
            Join(channels, widths[min(i + 1, 3)]) for i, channels in enumerate(self.trunk_channels)
        )
        self.modulate = nn.ModuleList(
            Modulation(self.semantic_channels, width) for width in widths[1:] if self.semantic_channels
        )

    def forward(
        self,
        rgb01: Tensor,
        hole01: Tensor,
        trunk_maps: Sequence[Tensor] = (),
        meanings: Tensor | None = None,
    ) -> Tensor:
        """Encode rgb01 `(B, 3, H, W)` with the hole's content already replaced, and hole01 `(B, 1, H, W)`.

        trunk_maps: of the same picture, `(B, trunk_channels[i], h_i, w_i)` at TRUNK_REDUCTIONS. meanings:
        `(B, semantic_channels, h, w)` over the whole picture, entries of about 1. Raises ValueError when the
        configuration has them and they are not given.
        """
        if len(trunk_maps) != len(self.join) or (meanings is None) != (self.semantic_channels == 0):
            raise ValueError(
                f"this encoder wants {len(self.join)} trunk maps and {self.semantic_channels} channels of "
                f"meanings, got {len(trunk_maps)} maps and {'no' if meanings is None else 'some'} meanings"
            )
        height, width = rgb01.shape[-2:]
        x = torch.cat([rgb01 * 2 - 1, hole01], dim=1)
        x = pad_to_multiple(x, self.multiple_px)
        x = self.stem(F.pixel_unshuffle(x, 2).contiguous(memory_format=memory_format_of(self.stem)))
        skips = []
        for i, (stage, reduce) in enumerate(zip(self.down, self.reduce)):
            x = stage(x)
            skips.append(x)
            x = self._join(i, reduce(x), trunk_maps)
        x = self.context(self._modulate(2, x, meanings))
        for i in reversed(range(3)):
            x = skips[i] + F.pixel_shuffle(self.expand[i](x), 2)
            x = self.up[i](x if i == 0 else self._modulate(i - 1, x, meanings))
        return self.head(x)[..., : (height + 1) // 2, : (width + 1) // 2]

    def _join(self, scale: int, x: Tensor, trunk_maps: Sequence[Tensor]) -> Tensor:
        for i in JOINS[scale] if trunk_maps else ():
            x = self.join[i](x, trunk_maps[i])
        return x

    def _modulate(self, scale: int, x: Tensor, meanings: Tensor | None) -> Tensor:
        return x if meanings is None else self.modulate[scale](x, meanings)


def _stage(width: int, count: int) -> nn.Sequential:
    # Dilations 1, 2, 4: a hole's border is reached from its middle within one stage.
    return nn.Sequential(*(ResBlock(width, dilation=2**i if count > 2 else 1) for i in range(count)))
