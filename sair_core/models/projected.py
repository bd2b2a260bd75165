"""The projected discriminator, which judges by maps of a frozen network; never part of a saved model.

Sauer et al., Projected GANs Converge Faster (2021).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTH = 64  # of the mixed maps, at most
SLOPE = 0.2  # of the leaky ReLUs


class MapNorm(nn.Module):
    """Maps of a frozen network with zero mean and unit variance a channel, by what photos have."""

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        # Without momentum the statistics are those of everything since the beginning.
        self.norms = nn.ModuleList(nn.BatchNorm2d(c, affine=False, momentum=None) for c in channels)
        self.train(False)

    def train(self, mode: bool = True) -> MapNorm:
        """As in torch, but it stays in evaluation mode: only `measure` changes the statistics."""
        return super().train(False)

    @torch.no_grad()
    def measure(self, maps: Sequence[Tensor]) -> None:
        """Take in the statistics of photos' maps `(B, channels[i], h_i, w_i)`."""
        for norm, one in zip(self.norms, maps, strict=True):
            norm.training = True
            norm(one.float())
            norm.training = False

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return maps of the same shapes."""
        return [norm(one) for norm, one in zip(self.norms, maps, strict=True)]


class Projection(nn.Module):
    """Random mixing across channels (1 x 1) and, from coarse to fine, across scales (3 x 3); never trained.

    It keeps the discriminator from resting on the few channels and scales that tell fakes most easily.
    """

    def __init__(self, channels: Sequence[int], seed: int = 0):
        """channels: of the maps, finest first."""
        super().__init__()
        self.widths = tuple(min(2 * c, WIDTH) for c in channels)
        generator = torch.Generator().manual_seed(seed)
        for i, (entering, width) in enumerate(zip(channels, self.widths)):
            self._add(f"mix{i}", (width, entering, 1, 1), generator)
            if i + 1 < len(channels):
                self._add(f"rise{i}", (width, self.widths[i + 1], 3, 3), generator)

    def _add(self, name: str, shape: tuple[int, int, int, int], generator: torch.Generator) -> None:
        weight = nn.init.kaiming_normal_(torch.empty(shape), nonlinearity="linear", generator=generator)
        self.register_buffer(name, weight)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """maps: normalised `(B, channels[i], h_i, w_i)`; returns `(B, widths[i], h_i, w_i)`, finest first."""
        mixed: list[Tensor] = []
        for i in reversed(range(len(maps))):
            x = F.conv2d(maps[i], getattr(self, f"mix{i}").to(maps[i].dtype))
            if mixed:
                below = F.conv2d(mixed[0], getattr(self, f"rise{i}").to(x.dtype), padding=1)
                up = F.interpolate(below, x.shape[-2:], mode="bilinear", align_corners=False)
                x = (x + up) / 2**0.5  # so that every scale has unit variance
            mixed.insert(0, x)
        return mixed


class ProjectedDiscriminator(nn.Module):
    """A small head a scale, on mixed maps; every convolution with spectral norm."""

    def __init__(self, widths: Sequence[int]):
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(width, WIDTH, 4, stride=2, padding=1)),
                nn.LeakyReLU(SLOPE),
                spectral_norm(nn.Conv2d(WIDTH, WIDTH, 3, padding=1)),
                nn.LeakyReLU(SLOPE),
                spectral_norm(nn.Conv2d(WIDTH, 1, 3, padding=1)),
            )
            for width in widths
        )

    def forward(self, mixed: Sequence[Tensor]) -> list[Tensor]:
        """mixed: of `Projection`. Returns logits a scale, `(B, 1, h_i / 2, w_i / 2)`; positive = real."""
        return [head(one) for head, one in zip(self.heads, mixed, strict=True)]
