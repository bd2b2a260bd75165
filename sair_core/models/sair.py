"""SAIR: semantic-aware implicit representation of a photo with a hole.

`features = model.encode(rgb01, hole01)` once, then `model.decode(features, coords_yx, cell)` for any
coordinates: the whole picture, the hole only, a viewport.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from sair_core.checkpoint import CheckpointModel
from sair_core.config import from_dict, require, to_dict
from sair_core.coords import grid_coords
from sair_core.decoders import DECODERS
from sair_core.encoders import APPEARANCE_ENCODERS
from sair_core.encoders.initial_fill import INITIAL_FILLS
from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder
from sair_core.models.air import Air
from sair_core.models.sir import Sir, SirConfig


@dataclass(frozen=True)
class Part:
    """An entry of a registry and the arguments of its config, e.g. `Part("unet", {"out_channels": 64})`."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SairConfig:
    """What a SAIR is made of.

    semantics: "full" (CLIP, SIR, AIR) or "none", which is LIIF on a masked picture.
    initial_fill: what the encoder finds in the hole, a name from `INITIAL_FILLS`; the paper uses "zero".
    long_skip: the decoder adds to that picture instead of predicting colour alone.
    """

    appearance: Part = Part("table4")
    decoder: Part = Part("liif")
    semantics: str = "full"
    semantic: SemanticConfig | None = SemanticConfig()
    sir: SirConfig = SirConfig()
    initial_fill: str = "zero"
    long_skip: bool = False

    def __post_init__(self) -> None:
        # Written out in full, so that a checkpoint does not depend on what the defaults are when it is read.
        appearance = _resolved(self.appearance, APPEARANCE_ENCODERS, "appearance encoder")
        object.__setattr__(self, "appearance", appearance)
        object.__setattr__(self, "decoder", _resolved(self.decoder, DECODERS, "decoder"))
        _known(self.initial_fill, INITIAL_FILLS, "initial_fill")
        _known(self.semantics, ("full", "none"), "semantics")
        require(
            self.semantics == "none" or self.semantic is not None, 'semantics="full" needs a semantic encoder'
        )


@dataclass(frozen=True)
class SairFeatures:
    """All that decoding needs of one batch of photos and masks.

    projected: `(B, hidden, h, w)`; start01: `(B, 3, H, W)`; tokens: completed text-aligned `(B, D, h, w)`.
    """

    projected: Tensor
    start01: Tensor
    tokens: Tensor | None


class Sair(CheckpointModel):
    """Photo and hole in, colours (and meanings) at continuous coordinates out."""

    model_type = "sair"
    config_class = SairConfig
    frozen_prefixes = ("semantic_encoder.",)  # rebuilt from its own weights, never saved twice

    def __init__(self, config: SairConfig, semantic_encoder: nn.Module | None = None):
        """semantic_encoder: built from `config.semantic` unless given; kept frozen."""
        super().__init__()
        self.config = config
        encoder_class, encoder_config = APPEARANCE_ENCODERS[config.appearance.name]
        self.appearance_encoder = encoder_class(from_dict(encoder_config, config.appearance.arguments))
        channels = self.appearance_encoder.out_channels
        self.semantic_encoder = self.sir = None
        if config.semantics == "full":
            self.semantic_encoder = semantic_encoder or build_semantic_encoder(config.semantic)
            self.semantic_encoder.requires_grad_(False)
            self.sir = Sir(self.semantic_encoder.embed_dim, config.sir)
            channels += self.semantic_encoder.embed_dim
        decoder_class, decoder_config = DECODERS[config.decoder.name]
        decoder = decoder_class(channels, 3, from_dict(decoder_config, config.decoder.arguments))
        self.air = Air(decoder, config.long_skip)
        self.initial_fill = INITIAL_FILLS[config.initial_fill]

    def encode(self, rgb01: Tensor, hole01: Tensor) -> SairFeatures:
        """rgb01 `(B, 3, H, W)` in [0, 1], hole01 `(B, 1, H, W)`; colours inside the hole are never used."""
        if rgb01.ndim != 4 or rgb01.shape[1] != 3 or hole01.shape != (len(rgb01), 1, *rgb01.shape[-2:]):
            raise ValueError(
                "want rgb01 (B, 3, H, W) and hole01 (B, 1, H, W), "
                f"got {tuple(rgb01.shape)} and {tuple(hole01.shape)}"
            )
        start01 = self.initial_fill(rgb01, hole01)
        z = self.appearance_encoder(start01, hole01)
        tokens = c = None
        if self.sir is not None:
            tokens = self.sir.complete(self.semantic_encoder(rgb01 * (1 - hole01), hole01), hole01)
            coords = grid_coords(z.shape[-2:], device=z.device).flatten(0, 1).expand(len(z), -1, -1)
            c = self.sir(tokens, coords).transpose(1, 2).unflatten(2, z.shape[-2:])
        return SairFeatures(self.air.project(z, c), start01, tokens)

    def decode(self, features: SairFeatures, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """Colours `(B, N, 3)`, not clipped, at coords_yx `(B, N, 2)` in [-1, 1] with cell `(B, 2)`."""
        return self.air(features.projected, features.start01, coords_yx, cell)

    def decode_semantics(self, features: SairFeatures, coords_yx: Tensor) -> Tensor:
        """Text-aligned embeddings `(B, N, D)` at coords_yx `(B, N, 2)`; only with semantics="full"."""
        require(self.sir is not None, 'this model has semantics="none": it knows no meanings')
        return self.sir(features.tokens, coords_yx)

    def forward(self, rgb01: Tensor, hole01: Tensor, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """`decode(encode(rgb01, hole01), coords_yx, cell)`."""
        return self.decode(self.encode(rgb01, hole01), coords_yx, cell)


def _resolved(part: Part, registry: dict[str, tuple[type, type]], what: str) -> Part:
    _known(part.name, registry, what)
    return Part(part.name, to_dict(from_dict(registry[part.name][1], part.arguments)))


def _known(name: str, known: Any, what: str) -> None:
    require(name in known, f"unknown {what} {name!r}; known are {sorted(known)}")
