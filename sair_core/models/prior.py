"""The SPN's semantic prior learner: what a picture with a hole means, at three scales (SPN paper, 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sair_core.config import require, strict_dataclass
from sair_core.encoders.blocks import AttentionBlock, ResBlock
from sair_core.models.pyramid import SCALES, Descent

SIGMA_MIN = 1e-3  # softplus underflows to 0, where the divergence of Eq. (6) is infinite
SLOPE = 0.2  # of the leaky ReLUs


@strict_dataclass
class PriorConfig:
    """blocks: residual blocks of Eq. (3) at the coarsest scale, dilations 1, 2, 4 in turn.

    enlarge: Eq. (2), the learner sees the picture at twice its size, and has a layer more to come down again.
    attention_blocks: before so many of the first residual blocks stands self-attention over the whole map,
    which lets a narrow learner see across a hole; the paper has none.
    """

    blocks: int = 15
    enlarge: bool = True
    attention_blocks: int = 0
    heads: int = 8

    def __post_init__(self) -> None:
        require(self.blocks >= 1, f"blocks must be at least 1, got {self.blocks}")
        require(
            0 <= self.attention_blocks <= self.blocks,
            f"attention_blocks must be in [0, blocks={self.blocks}], got {self.attention_blocks}",
        )
        require(self.heads >= 1, f"heads must be at least 1, got {self.heads}")


@strict_dataclass
class VariationalConfig:
    """The latent map has `channels`, its cells are `2^halvings` cells of the coarsest prior wide.

    width: of E_v's convolutions; decoder_width: of G_v's.
    """

    channels: int = 128
    halvings: int = 3
    width: int = 512
    decoder_width: int = 256

    def __post_init__(self) -> None:
        for name in ("channels", "halvings", "width", "decoder_width"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, got {getattr(self, name)}")


class PriorLearner(nn.Module):
    """A U-Net from picture and hole to the prior pyramid `S_prior^l`, finest first.

    Of the three scales only the `scales` coarsest are predicted.
    """

    def __init__(
        self,
        widths: tuple[int, int, int],
        fold: int,
        scales: int,
        config: PriorConfig = PriorConfig(),
        variational: VariationalConfig | None = None,
    ):
        """widths: of the three scales, finest first; fold: photo pixels a cell of the finest one."""
        super().__init__()
        self.enlarge = config.enlarge
        coarsest = widths[-1]
        self.descent = Descent(4, (widths[0], *widths) if config.enlarge else widths, fold)
        self.after_descent = ResBlock(coarsest)
        self.variational = None if variational is None else Variational(coarsest, variational)
        blocks: list[nn.Module] = []
        for i in range(config.blocks):
            if i < config.attention_blocks:
                blocks.append(AttentionBlock(coarsest, config.heads))
            blocks.append(ResBlock(coarsest, dilation=2 ** (i % 3)))
        self.blocks = nn.Sequential(*blocks)
        finer = range(SCALES - 2, SCALES - 1 - scales, -1)
        self.rise = nn.ModuleList(Rise(widths[i + 1], widths[i]) for i in finer)

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        """Eq. (2): `S_enc^l` of all three scales, finest first.

        x `(B, 4, H, W)`: masked picture in [-1, 1] and hole in [0, 1], padded.
        """
        if self.enlarge:
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        *finer, coarsest = self.descent(x)[-SCALES:]
        return (*finer, self.after_descent(coarsest))

    def decode(self, encoded: Sequence[Tensor], sample: Tensor | None = None) -> tuple[Tensor, ...]:
        """Eq. (3), or with a sample `(B, C, h, w)` of the latent Eq. (5): the pyramid, finest first."""
        x = encoded[-1]
        if sample is not None:
            assert self.variational is not None
            x = self.variational(sample, x)
        pyramid = [self.blocks(x)]
        for rise, skip in zip(self.rise, encoded[-2::-1]):
            pyramid.insert(0, rise(pyramid[0], skip))
        return tuple(pyramid)


class Rise(nn.Module):
    """`ResBlock(U(S_prior^{l + 1}), S_enc^l)` of Eq. (3), U a convolution and a pixel shuffle."""

    def __init__(self, below: int, channels: int):
        super().__init__()
        self.expand = nn.Conv2d(below, 4 * channels, 3, padding=1)
        self.merge = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.block = ResBlock(channels)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        """below `(B, C', h / 2, w / 2)`, skip `(B, C, h, w)`. Returns `(B, C, h, w)`."""
        up = F.relu(F.pixel_shuffle(self.expand(below), 2))
        return self.block(self.merge(torch.cat([up, skip], dim=1)))


class Variational(nn.Module):
    """E_v and G_v of Eq. (5), between `S_enc^L` and the residual blocks that make `S_prior^L`.

    A sample alone cannot carry the known part of the picture, so G_v's map joins `S_enc^L` and does not
    take its place.
    """

    def __init__(self, channels: int, config: VariationalConfig):
        super().__init__()
        widths = [channels] + [config.width] * config.halvings
        self.enter = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(widths, widths[1:]))
        self.moments = nn.Conv2d(config.width, 2 * config.channels, 1)
        widths = [config.channels] + [config.decoder_width] * config.halvings
        self.leave = nn.ModuleList(nn.Conv2d(a, 4 * b, 3, padding=1) for a, b in zip(widths, widths[1:]))
        self.merge = nn.Conv2d(config.decoder_width + channels, channels, 1)

    def distribution(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """E_v: mean and sigma, float32 `(B, channels, h / 2^halvings, w / 2^halvings)`.

        encoded: `S_enc^L (B, C, h, w)`. sigma = softplus + 1e-3, so at least 1e-3.
        """
        for convolution in self.enter:
            encoded = F.leaky_relu(convolution(encoded), SLOPE)
        mean, raw = self.moments(encoded).float().chunk(2, dim=1)
        return mean, F.softplus(raw) + SIGMA_MIN

    def forward(self, sample: Tensor, encoded: Tensor) -> Tensor:
        """G_v: sample `mean + z sigma`, shaped as the mean; encoded and result `(B, C, h, w)`."""
        x = sample.to(encoded.dtype).contiguous(memory_format=torch.channels_last)
        for convolution in self.leave:
            x = F.relu(F.pixel_shuffle(convolution(x), 2))
        return self.merge(torch.cat([x, encoded], dim=1))


class DistillationHeads(nn.Module):
    """`f^l` of Eq. (4), a 1 x 1 convolution a scale. Belongs to a training, never to a saved SPN."""

    def __init__(self, prior_channels: Sequence[int], target_channels: Sequence[int]):
        """Channels of the priors and of the pretext model's maps, finest first."""
        super().__init__()
        require(
            len(prior_channels) == len(target_channels),
            f"{len(prior_channels)} priors cannot learn from {len(target_channels)} maps:"
            " give as many of both",
        )
        self.heads = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(prior_channels, target_channels))

    def forward(self, priors: Sequence[Tensor]) -> list[Tensor]:
        """priors: finest first. Returns what should equal the pretext model's maps."""
        return [head(prior) for head, prior in zip(self.heads, priors)]
