"""Implicit functions: feature maps to values at continuous coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from sair_core.decoders.liif import LiifConfig, LiifDecoder
from sair_core.decoders.lte import LteConfig, LteDecoder


class Decoder(Protocol):
    """What an implicit function offers: an `nn.Module` of `(in_channels, out_channels, config)`."""

    last: nn.Linear

    def project(self, features: Tensor, more: Tensor | None = None) -> Tensor:
        """Compute what is needed of a map `(B, C, h, w)` for any query.

        more: further channels, `(B, in_channels - C, h', w')`, on a grid of their own.
        """

    def query(self, projected: Tensor, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """Return values `(B, N, out_channels)` at coords_yx `(B, N, 2)` in [-1, 1] with cell `(B, 2)`."""


# name -> (module, config). A new implicit function is one file and one line here.
DECODERS: dict[str, tuple[Callable[..., Decoder], type]] = {
    "liif": (LiifDecoder, LiifConfig),
    "lte": (LteDecoder, LteConfig),
}
