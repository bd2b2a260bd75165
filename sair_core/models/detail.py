"""What lies between the pixels of a photo without a hole, for views and enlargements.

Filling asks for a wide view and gets it from an encoder that halves the picture; fine detail asks for every
pixel and a few around it. So it has an encoder of its own at full resolution, and the same kind of implicit
function on top (LIIF, Chen et al., 2021; LTE). What that predicts is added to an interpolation of the photo,
see `sair_core.zoom.function`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sair_core.config import require, strict_dataclass
from sair_core.coords import cell_of
from sair_core.decoders import DECODERS
from sair_core.encoders import APPEARANCE_ENCODERS
from sair_core.encoders.blocks import start_at_zero
from sair_core.models.parts import Part, build, resolve


@strict_dataclass
class DetailConfig:
    """encoder: appearance encoder of the photo. decoder: implicit function over its features.
    largest_scale: how much finer than the photo training asks; what is finer still is asked as if it were
    that fine, because nothing is known of how the function goes on."""

    encoder: Part = Part("edsr", {"out_channels": 32, "blocks": 4})
    decoder: Part = Part("liif", {"hidden": 48, "layers": 4, "use_cell": True})
    largest_scale: float = 4.0

    def __post_init__(self) -> None:
        encoder = resolve(self.encoder, APPEARANCE_ENCODERS, "appearance encoder")
        object.__setattr__(self, "encoder", encoder)
        object.__setattr__(self, "decoder", resolve(self.decoder, DECODERS, "decoder"))
        require(self.largest_scale >= 1, f"largest_scale must be at least 1, got {self.largest_scale}")


class Detail(nn.Module):
    """Untrained it predicts zero everywhere, which leaves the interpolation as it is."""

    def __init__(self, config: DetailConfig):
        super().__init__()
        self.config = config
        self.encoder = build(config.encoder, APPEARANCE_ENCODERS)
        self.decoder = build(config.decoder, DECODERS, self.encoder.out_channels, 3)
        start_at_zero(self.decoder.last)

    def project(self, rgb01: Tensor) -> Tensor:
        """Turn rgb01 `(B, 3, H, W)` into what the decoder needs of it, `(B, hidden, H, W)`."""
        return self.decoder.project(self.encoder(rgb01, torch.zeros_like(rgb01[:, :1])))

    def query(self, projected: Tensor, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """Return the colour to add `(B, N, 3)` at coords_yx `(B, N, 2)` in [-1, 1] with cell `(B, 2)`."""
        size_px = [n * self.encoder.reduction for n in projected.shape[-2:]]
        pixel = cell_of(size_px, device=cell.device).to(cell.dtype)
        cell = torch.maximum(cell, pixel / self.config.largest_scale)
        return self.decoder.query(projected, coords_yx, cell).float()
