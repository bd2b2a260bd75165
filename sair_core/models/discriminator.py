"""The patch discriminator that an SPN is trained against; never part of a saved model."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from sair_core.config import require, strict_dataclass


@strict_dataclass
class DiscriminatorConfig:
    """widths: of the 4 x 4 convolutions before the last, all but the last of them with stride 2.

    Four widths see patches of 70 x 70 px.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512)

    def __post_init__(self) -> None:
        require(
            len(self.widths) >= 2 and min(self.widths) > 0,
            f"widths must be at least 2 positive numbers: {self.widths}",
        )


class PatchDiscriminator(nn.Module):
    """Which patches of a picture are real, and the maps on the way there (`phi^i` of Eq. 13).

    Spectral norm on every convolution; with four widths the last three maps are the paper's N = 3.
    """

    def __init__(self, config: DiscriminatorConfig = DiscriminatorConfig()):
        super().__init__()
        self.config = config
        widths = (3, *config.widths)
        strides = [2] * (len(config.widths) - 1) + [1]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, stride, 1)) for a, b, stride in zip(widths, widths[1:], strides)
        )
        self.judge = spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, rgb01: Tensor) -> tuple[Tensor, list[Tensor]]:
        """rgb01 `(B, 3, H, W)` in [0, 1], at least 24 px a side with four widths.

        Returns logits `(B, 1, h, w)`, positive = real, and the maps of every layer but the first.
        """
        x = (rgb01 * 2 - 1).contiguous(memory_format=torch.channels_last)
        maps = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            maps.append(x)
        return self.judge(x), maps[1:]
