"""Encoders: appearance (`APPEARANCE_ENCODERS`) and semantic (`semantic`, `dense_clip`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from sair_core.encoders.edsr import EdsrConfig, EdsrEncoder
from sair_core.encoders.table4 import Table4Config, Table4Encoder
from sair_core.encoders.unet import UNetConfig, UNetEncoder


class AppearanceEncoder(Protocol):
    """What an appearance encoder offers: an `nn.Module` of its config. A cell is `reduction` pixels wide.

    trunk_channels: of the maps of a semantic encoder that it wants beside the picture; () = none.
    semantic_channels: of the map of meanings that it wants; 0 = none.
    """

    out_channels: int
    reduction: int
    trunk_channels: tuple[int, ...]
    semantic_channels: int

    def __call__(
        self,
        rgb01: Tensor,
        hole01: Tensor,
        trunk_maps: Sequence[Tensor] = ...,
        meanings: Tensor | None = ...,
    ) -> Tensor:
        """rgb01 `(B, 3, H, W)` with the hole's content already replaced, hole01 `(B, 1, H, W)`, to features
        `(B, out_channels, ceil(H / reduction), ceil(W / reduction))`."""


# name -> (module, config). A new encoder is one file and one line here; the contract test covers every entry.
APPEARANCE_ENCODERS: dict[str, tuple[Callable[..., AppearanceEncoder], type]] = {
    "table4": (Table4Encoder, Table4Config),
    "unet": (UNetEncoder, UNetConfig),
    "edsr": (EdsrEncoder, EdsrConfig),
}
