"""SPN, the Semantic Pyramid Network: fills with texture and, when probabilistic, several for one hole.

`features = model.encode(rgb01, hole01)` once, then `model.decode(features, z)` for each fill wanted, z from
`model.latent(size_px, generator)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sair_core.config import require, strict_dataclass
from sair_core.devices import upload
from sair_core.encoders.blocks import pad_to_multiple
from sair_core.encoders.initial_fill import INITIAL_FILLS
from sair_core.encoders.pretext import PretextConfig
from sair_core.errors import ConfigError
from sair_core.holes import check_shapes
from sair_core.models.prior import PriorConfig, PriorLearner, VariationalConfig
from sair_core.models.pyramid import SCALES
from sair_core.models.spade import Generator, GeneratorConfig
from sair_core.weights.checkpoint import CheckpointModel


@strict_dataclass
class SpnConfig:
    """What an SPN is made of.

    widths: of the three scales, finest first, of priors and features alike. stride_px: photo pixels a cell of
    the finest scale; the paper's is 1, and the coarsest is four times that.
    scales: how many priors are learnt and used, the coarsest first (Table 3); 1 is SPL.
    probabilistic: with the variational module.
    pretext: what the priors are distilled from in training; None = nothing ("w/o ASL").
    initial_fill: what both branches find in the hole, a name from `INITIAL_FILLS`; the paper uses "zero".
    """

    widths: tuple[int, int, int] = (64, 128, 256)
    stride_px: int = 1
    scales: int = SCALES
    prior: PriorConfig = PriorConfig()
    generator: GeneratorConfig = GeneratorConfig()
    probabilistic: bool = False
    variational: VariationalConfig = VariationalConfig()
    pretext: PretextConfig | None = PretextConfig()
    initial_fill: str = "zero"

    def __post_init__(self) -> None:
        require(min(self.widths) > 0, f"widths must be positive, got {self.widths}")
        require(self.stride_px in (1, 2, 4), f"stride_px must be 1, 2 or 4, got {self.stride_px}")
        require(1 <= self.scales <= SCALES, f"scales must be in [1, {SCALES}], got {self.scales}")
        require(
            not self.prior.attention_blocks or self.widths[-1] % self.prior.heads == 0,
            f"widths[-1]={self.widths[-1]} is no multiple of heads={self.prior.heads}: choose others",
        )
        require(
            self.initial_fill in INITIAL_FILLS,
            f"unknown initial_fill {self.initial_fill!r}; known are {sorted(INITIAL_FILLS)}",
        )

    @property
    def prior_strides_px(self) -> tuple[int, ...]:
        """Photo pixels a cell of each prior, finest first: the scales that a pretext model must have."""
        return tuple(self.stride_px * 2**i for i in range(SCALES - self.scales, SCALES))

    @property
    def prior_channels(self) -> tuple[int, ...]:
        """Channels of each prior, finest first."""
        return self.widths[SCALES - self.scales :]


@dataclass(frozen=True)
class SpnFeatures:
    """All that decoding needs of one batch of photos and masks.

    image: `F_enc^L (B, C, h, w)`; encoded: `S_enc^l` of the three scales, finest first, all of the padded
    picture; size_px: `(H, W)` of the photo; mean, sigma: of the latent `(B, D, h', w')`, None in a
    deterministic model.
    """

    image: Tensor
    encoded: tuple[Tensor, ...]
    size_px: tuple[int, int]
    mean: Tensor | None = None
    sigma: Tensor | None = None

    def first(self, count: int) -> SpnFeatures:
        """Return those of the first photos of the batch."""
        return SpnFeatures(
            self.image[:count],
            tuple(level[:count] for level in self.encoded),
            self.size_px,
            None if self.mean is None else self.mean[:count],
            None if self.sigma is None else self.sigma[:count],
        )


@dataclass(frozen=True)
class SpnFill:
    """rgb01: the whole picture `(B, 3, H, W)` in [0, 1], known pixels only nearly as they were (`composite`).

    priors: the prior pyramid, finest first, `(B, C_l, ceil(H / stride_l), ceil(W / stride_l))`.
    """

    rgb01: Tensor
    priors: tuple[Tensor, ...]


class Spn(CheckpointModel):
    """Photo and hole in, the filled photo and the priors it was filled by out."""

    model_type = "spn"
    config_class = SpnConfig

    def __init__(self, config: SpnConfig):
        super().__init__()
        self.config = config
        variational = config.variational if config.probabilistic else None
        self.prior = PriorLearner(config.widths, config.stride_px, config.scales, config.prior, variational)
        noise = config.generator.noise and config.probabilistic
        self.generator = Generator(config.widths, config.stride_px, config.scales, config.generator, noise)
        self.initial_fill = INITIAL_FILLS[config.initial_fill]
        halvings = variational.halvings if variational else 0
        # Channels of z: the latent's, and the noise of each scale, finest first, folded into its cells.
        self.z_channels = [config.variational.channels]
        if noise:
            self.z_channels += [4 ** (halvings + SCALES - 1 - i) for i in range(SCALES)]
        self.multiple_px = config.stride_px * 2 ** (SCALES - 1 + halvings)  # photos are padded to one of this

    def encode(self, rgb01: Tensor, hole01: Tensor) -> SpnFeatures:
        """rgb01 `(B, 3, H, W)` in [0, 1], hole01 `(B, 1, H, W)`; colours inside the hole are never used.

        Any size: it is padded by repeating the last row and column, hole where these are hole.
        Raises ValueError for other shapes.
        """
        check_shapes(rgb01, hole01)
        start01 = self.initial_fill(rgb01, hole01)
        x = pad_to_multiple(torch.cat([start01 * 2 - 1, hole01], dim=1), self.multiple_px)
        encoded = self.prior.encode(x)
        mean = sigma = None
        if self.prior.variational is not None:
            mean, sigma = self.prior.variational.distribution(encoded[-1])
        height, width = rgb01.shape[-2:]
        return SpnFeatures(self.generator.encode(x), encoded, (height, width), mean, sigma)

    def latent(
        self, size_px: tuple[int, int], generator: torch.Generator | None = None, batch: int = 1
    ) -> Tensor:
        """Draw z of Eq. (5) for photos of `(height, width)`: standard normal, `(batch, D, h', w')`.

        With noise its channels come after those of the latent.

        Drawn on the generator's device (without one on the CPU) and moved to the model's, so that a CPU
        generator's seed means the same fill everywhere. Raises ConfigError for a deterministic model.
        """
        require(
            self.config.probabilistic,
            "this model is deterministic: it has one fill for a hole, so ask for one",
        )
        cells = [-(-n // self.multiple_px) for n in size_px]
        device = torch.device("cpu") if generator is None else generator.device
        z = torch.randn(batch, sum(self.z_channels), *cells, generator=generator, device=device)
        return upload(z, self.generator.leave.weight.device)

    def decode(self, features: SpnFeatures, z: Tensor | None = None) -> SpnFill:
        """Decode one fill. z: from `latent`; None = zeros, the middle of the distribution, without noise.

        Raises ValueError for a z of another shape, ConfigError for one in a deterministic model.
        """
        sample = features.mean
        noise: Sequence[Tensor] = ()
        if z is not None:
            if sample is None or features.sigma is None:
                raise ConfigError("this model is deterministic: it takes no z, so leave it out")
            want = (len(sample), sum(self.z_channels), *sample.shape[-2:])
            if z.shape != want:
                raise ValueError(f"want z {want}, got {tuple(z.shape)}")
            latent, *noise = z.to(sample).split(self.z_channels, dim=1)
            sample = sample + latent * features.sigma  # Eq. (5)
            noise = [F.pixel_shuffle(one, math.isqrt(one.shape[1])).to(features.image) for one in noise]
        priors = self.prior.decode(features.encoded, sample)
        height, width = features.size_px
        rgb01 = self.generator(features.image, priors, noise)[..., :height, :width]
        strides = self.config.prior_strides_px
        cropped = tuple(p[..., : -(-height // s), : -(-width // s)] for p, s in zip(priors, strides))
        return SpnFill(rgb01, cropped)

    def forward(
        self,
        rgb01: Tensor,
        hole01: Tensor,
        *,
        z: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> SpnFill:
        """`decode(encode(rgb01, hole01), z)`; with a generator and no z, z is drawn by it."""
        features = self.encode(rgb01, hole01)
        if z is None and generator is not None:
            z = self.latent(features.size_px, generator, len(rgb01))
        return self.decode(features, z)


def composite(filled01: Tensor, rgb01: Tensor, hole01: Tensor) -> Tensor:
    """Return the fill inside the hole, the photo bit-identical outside.

    `(B, 3, H, W)`, hole01 `(B, 1, H, W)`.
    """
    return torch.where(hole01 > 0, filled01.to(rgb01.dtype), rgb01)
