"""The SPN's generator: features of the picture, refined by the priors scale by scale (SPN paper, 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sair_core.config import require, strict_dataclass
from sair_core.models.pyramid import SCALES, Descent, wide_kernel

NORM_EPSILON = 1e-5
SLOPE = 0.2  # of the leaky ReLUs
NOISE_WEIGHT = 0.1  # deviation of the first weights: features have about unit variance


@strict_dataclass
class GeneratorConfig:
    """blocks: SPADE ResBlocks at the coarsest scale; Table 4 has 4, 8 and 12.

    fusion: how a prior enters, a name from `FUSIONS`; "concat" is the paper's ablation "w/o SPADE".
    hidden, kernel: of SPADE's two convolutions. 128 and 3, as in SPADE's own paper, give the 12 M parameters
    that Table 4 counts for four blocks.
    noise: white noise drawn with the latent joins the features at each scale, so that texture need not repeat
    (StyleGAN, 3.2); the paper has none, nor has a deterministic model.
    """

    blocks: int = 8
    fusion: str = "spade"
    hidden: int = 128
    kernel: int = 3
    noise: bool = False

    def __post_init__(self) -> None:
        require(self.blocks >= 1, f"blocks must be at least 1, got {self.blocks}")
        require(self.fusion in FUSIONS, f"unknown fusion {self.fusion!r}; known are {sorted(FUSIONS)}")
        require(self.hidden >= 1, f"hidden must be at least 1, got {self.hidden}")
        require(self.kernel in (1, 3, 5), f"kernel must be 1, 3 or 5, got {self.kernel}")


def instance_norm(x: Tensor) -> Tensor:
    """Normalise to zero mean and unit variance over each channel's map, without parameters. x `(B, C, h, w)`.

    By hand and over the rows of a matrix, a view in channels_last: torch's instance norm copies what is in
    channels_last and refuses maps of one cell, and the backward of its group norm is far slower on a CPU.
    """
    batch, channels, height, width = x.shape
    cells = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
    cells = cells - cells.mean(1, keepdim=True)
    cells = cells * (cells.square().mean(1, keepdim=True) + NORM_EPSILON).rsqrt()
    return cells.view(batch, height, width, channels).permute(0, 3, 1, 2)


class Spade(nn.Module):
    """Eq. (8): `gamma IN(x) + beta`, both maps from the prior.

    gamma is 1 + its convolution, so that a prior that says nothing leaves instance norm.
    """

    def __init__(self, channels: int, prior_channels: int, config: GeneratorConfig):
        super().__init__()
        padding = config.kernel // 2
        self.shared = nn.Conv2d(prior_channels, config.hidden, config.kernel, padding=padding)
        self.affine = nn.Conv2d(config.hidden, 2 * channels, config.kernel, padding=padding)

    def forward(self, x: Tensor, prior: Tensor) -> Tensor:
        """x `(B, C, h, w)`, prior `(B, P, h, w)`. Returns `(B, C, h, w)`."""
        gamma, beta = self.affine(F.relu(self.shared(prior))).chunk(2, dim=1)
        return instance_norm(x) * (1 + gamma) + beta


class Concat(nn.Module):
    """In SPADE's place: instance norm, then the prior is concatenated and a 1 x 1 convolution mixes both."""

    def __init__(self, channels: int, prior_channels: int, config: GeneratorConfig):
        super().__init__()
        self.mix = nn.Conv2d(channels + prior_channels, channels, 1)

    def forward(self, x: Tensor, prior: Tensor) -> Tensor:
        """As `Spade`."""
        return self.mix(torch.cat([instance_norm(x), prior], dim=1))


class Unguided(nn.Module):
    """In SPADE's place at a scale without prior: instance norm alone."""

    def forward(self, x: Tensor, prior: None) -> Tensor:
        """x `(B, C, h, w)`. Same shape out."""
        return instance_norm(x)


class Noise(nn.Module):
    """Adds a map of noise to every channel, by a weight of its own."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(NOISE_WEIGHT * torch.randn(channels, 1, 1))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """x `(B, C, h, w)`, noise `(B, 1, h, w)`. Returns `(B, C, h, w)`."""
        return x + self.weight * noise


FUSIONS = {"spade": Spade, "concat": Concat}


class SpadeResBlock(nn.Module):
    """Two normalised convolutions beside a shortcut, which has one of its own where the width changes."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        prior_channels: int,
        config: GeneratorConfig,
        dilation: int = 1,
    ):
        """prior_channels: 0 at a scale without prior."""
        super().__init__()

        def guided(width: int) -> nn.Module:
            return FUSIONS[config.fusion](width, prior_channels, config) if prior_channels else Unguided()

        middle = min(channels, out_channels)
        self.norm_first = guided(channels)
        self.first = nn.Conv2d(channels, middle, 3, padding=dilation, dilation=dilation)
        self.norm_second = guided(middle)
        self.second = nn.Conv2d(middle, out_channels, 3, padding=1)
        self.norm_shortcut: nn.Module | None = None
        self.shortcut: nn.Module | None = None
        if channels != out_channels:
            self.norm_shortcut = guided(channels)
            self.shortcut = nn.Conv2d(channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor, prior: Tensor | None) -> Tensor:
        """x `(B, C, h, w)`, prior `(B, P, h, w)`. Returns `(B, out_channels, h, w)`."""
        residual = self.first(F.leaky_relu(self.norm_first(x, prior), SLOPE))
        residual = self.second(F.leaky_relu(self.norm_second(residual, prior), SLOPE))
        if self.shortcut is None or self.norm_shortcut is None:
            return residual + x
        return residual + self.shortcut(self.norm_shortcut(x, prior))


class Generator(nn.Module):
    """Picture, hole and prior pyramid to colours, Eq. (7) to (9); priors at the `scales` coarsest scales."""

    def __init__(
        self,
        widths: tuple[int, int, int],
        fold: int,
        scales: int,
        config: GeneratorConfig = GeneratorConfig(),
        noise: bool = False,
    ):
        """widths: of features and priors, finest first; fold: photo pixels a cell of the finest scale."""
        super().__init__()
        self.fold = fold
        self.descent = Descent(4, widths, fold)
        coarsest = widths[-1]
        # Dilation, because a hole of a quarter of the picture is wider than the blocks see without.
        self.blocks = nn.ModuleList(
            SpadeResBlock(coarsest, coarsest, coarsest, config, dilation=2) for _ in range(config.blocks)
        )
        self.rise = nn.ModuleList(
            SpadeResBlock(widths[i + 1], widths[i], widths[i] if i >= SCALES - scales else 0, config)
            for i in reversed(range(SCALES - 1))
        )
        entering = (coarsest, *(widths[i + 1] for i in reversed(range(SCALES - 1))))
        self.noise = nn.ModuleList(Noise(channels) for channels in entering if noise)
        kernel = wide_kernel(fold)
        self.leave = nn.Conv2d(widths[0], 3 * fold * fold, kernel, padding=kernel // 2)

    def encode(self, x: Tensor) -> Tensor:
        """Eq. (7): `F_enc^L (B, C, h, w)` at the coarsest scale.

        x `(B, 4, H, W)`: masked picture in [-1, 1] and hole in [0, 1], padded.
        """
        return self.descent(x)[-1]

    def forward(self, x: Tensor, priors: Sequence[Tensor], noise: Sequence[Tensor] = ()) -> Tensor:
        """Eq. (9): colours `(B, 3, H, W)` in [0, 1], float32.

        x from `encode`; priors finest first; noise `(B, 1, h, w)` of each scale, finest first, or none.
        """
        waiting, drawn = list(priors), iter(list(zip(self.noise, reversed(noise))))

        def add_noise(x: Tensor) -> Tensor:
            """Add what is next of it, if there is any."""
            return next((add(x, one) for add, one in drawn), x)

        prior = waiting.pop()
        x = add_noise(x)
        for block in self.blocks:
            x = block(x, prior)
        for block in self.rise:
            x = add_noise(F.interpolate(x, scale_factor=2.0, mode="nearest"))
            x = block(x, waiting.pop() if waiting else None)
        return F.pixel_shuffle(self.leave(F.leaky_relu(x, SLOPE)), self.fold).float().sigmoid()
