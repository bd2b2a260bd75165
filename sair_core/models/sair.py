"""SAIR: semantic-aware implicit representation of a photo with a hole.

`features = model.encode(rgb01, hole01)` once, then `model.decode(features, coords_yx, cell)` for any
coordinates: the whole picture, the hole only, a viewport.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sair_core.checkpoint import CheckpointModel
from sair_core.config import from_dict, require, to_dict
from sair_core.coords import grid_coords, sample
from sair_core.decoders import DECODERS
from sair_core.encoders import APPEARANCE_ENCODERS
from sair_core.encoders.initial_fill import INITIAL_FILLS
from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder
from sair_core.models.air import Air
from sair_core.models.sir import Sir, SirConfig

SEMANTICS = ("full", "none", "unfilled", "only")
# Activations of one chunk of queries: on a CPU they should stay in its caches, elsewhere they need to fit.
CPU_DECODE_BYTES, DECODE_BYTES = 12 * 2**20, 256 * 2**20


@dataclass(frozen=True)
class Part:
    """An entry of a registry and the arguments of its config, e.g. `Part("unet", {"out_channels": 64})`."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SairConfig:
    """What a SAIR is made of.

    semantics: "full" (CLIP, SIR, AIR); "none", which is LIIF on a masked picture; "unfilled", the paper's
    NFS: CLIP's tokens of the masked picture go to AIR as they are, without SIR; "only", the paper's OUS: AIR
    sees completed semantics alone, and there is no appearance encoder.
    semantic_stride_px: AIR gets semantics evaluated once every so many pixels, at least 1. None: on the grid
    of the appearance features, or with "only" on that of the tokens. "unfilled" has nothing to evaluate: its
    grid is that of the tokens.
    initial_fill: what the encoder finds in the hole, a name from `INITIAL_FILLS`; the paper uses "zero".
    long_skip: the decoder adds to that picture instead of predicting colour alone.
    """

    appearance: Part = Part("table4")
    decoder: Part = Part("liif")
    semantics: str = "full"
    semantic: SemanticConfig | None = SemanticConfig()
    sir: SirConfig = SirConfig()
    semantic_stride_px: int | None = None
    initial_fill: str = "zero"
    long_skip: bool = False

    def __post_init__(self) -> None:
        # Written out in full, so that a checkpoint does not depend on what the defaults are when it is read.
        appearance = _resolved(self.appearance, APPEARANCE_ENCODERS, "appearance encoder")
        object.__setattr__(self, "appearance", appearance)
        object.__setattr__(self, "decoder", _resolved(self.decoder, DECODERS, "decoder"))
        _known(self.initial_fill, INITIAL_FILLS, "initial_fill")
        _known(self.semantics, SEMANTICS, "semantics")
        require(
            self.semantics == "none" or self.semantic is not None,
            f'semantics="{self.semantics}" needs a semantic encoder',
        )
        require(
            self.semantic_stride_px is None or self.semantic_stride_px >= 1,
            f"semantic_stride_px must be at least 1 or None, got {self.semantic_stride_px}",
        )
        require(
            self.semantics != "only" or not self.sir.edge_aware,
            'semantics="only" has no appearance features: set edge_aware=False',
        )


@dataclass(frozen=True)
class SairFeatures:
    """All that decoding needs of one batch of photos and masks.

    projected: `(B, hidden, h, w)`; start01: `(B, 3, H, W)`; tokens: text-aligned `(B, D, h, w)`, completed
    where there is a SIR, never mixed with words; edges: `(B, hidden, h, w)` for an edge-aware SIR.
    """

    projected: Tensor
    start01: Tensor
    tokens: Tensor | None = None
    edges: Tensor | None = None


class Sair(CheckpointModel):
    """Photo and hole in, colours (and meanings) at continuous coordinates out."""

    model_type = "sair"
    config_class = SairConfig
    frozen_prefixes = ("semantic_encoder.",)  # rebuilt from its own weights, never saved twice

    def __init__(self, config: SairConfig, semantic_encoder: nn.Module | None = None):
        """semantic_encoder: built from `config.semantic` unless given; kept frozen."""
        super().__init__()
        self.config = config
        self.appearance_encoder = self.semantic_encoder = self.sir = None
        channels = embed_dim = 0
        if config.semantics != "only":
            encoder_class, encoder_config = APPEARANCE_ENCODERS[config.appearance.name]
            self.appearance_encoder = encoder_class(from_dict(encoder_config, config.appearance.arguments))
            channels = self.appearance_encoder.out_channels
        if config.semantics != "none":
            self.semantic_encoder = semantic_encoder or build_semantic_encoder(config.semantic)
            self.semantic_encoder.requires_grad_(False)
            embed_dim = self.semantic_encoder.embed_dim
        if config.semantics in ("full", "only"):
            self.sir = Sir(embed_dim, config.sir, channels)
        decoder_class, decoder_config = DECODERS[config.decoder.name]
        decoder = decoder_class(channels + embed_dim, 3, from_dict(decoder_config, config.decoder.arguments))
        self.air = Air(decoder, config.long_skip)
        self.initial_fill = INITIAL_FILLS[config.initial_fill]

    def encode(
        self, rgb01: Tensor, hole01: Tensor, *, words: Tensor | None = None, strength: float = 1.0
    ) -> SairFeatures:
        """rgb01 `(B, 3, H, W)` in [0, 1], hole01 `(B, 1, H, W)`; colours inside the hole are never used.

        words: what to fill with, a text-aligned embedding `(B or 1, D)`, or a map of them `(B or 1, D, h, w)`
        over the whole picture, of any norm. The semantics that AIR sees in the hole are mixed with it by
        strength in [0, 1]: 1 replaces them.
        Raises ValueError for other shapes and values, ConfigError for words with semantics="none".
        """
        if rgb01.ndim != 4 or rgb01.shape[1] != 3 or hole01.shape != (len(rgb01), 1, *rgb01.shape[-2:]):
            raise ValueError(
                "want rgb01 (B, 3, H, W) and hole01 (B, 1, H, W), "
                f"got {tuple(rgb01.shape)} and {tuple(hole01.shape)}"
            )
        if words is not None:
            self._check_words(words, strength, len(rgb01))
        start01 = self.initial_fill(rgb01, hole01)
        z = self.appearance_encoder(start01, hole01) if self.appearance_encoder is not None else None
        if self.semantic_encoder is None:
            return SairFeatures(self.air.project(z, None), start01)
        tokens, edges, c = self._semantics(rgb01, hole01, z)
        # CLIP's embeddings have any norm and those of words have one: AIR sees directions, entries about 1.
        c = F.normalize(c.float(), dim=1)
        if words is not None:
            c = _toward(c, words, hole01, strength)
        c = (math.sqrt(c.shape[1]) * c).to(tokens.dtype)
        return SairFeatures(self.air.project(z, c), start01, tokens, edges)

    def _semantics(
        self, rgb01: Tensor, hole01: Tensor, z: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Tokens `(B, D, h, w)`, edges, and semantics `(B, D, h', w')` on the grid that AIR gets them."""
        tokens = self.semantic_encoder(rgb01 * (1 - hole01), hole01)
        if self.sir is None:
            return tokens, None, tokens
        tokens = self.sir.complete(tokens, hole01)
        edges = self.sir.project_edges(z)
        stride_px = self.config.semantic_stride_px
        size = (tokens if z is None else z).shape[-2:]
        if stride_px is not None:
            size = tuple(-(-n // stride_px) for n in rgb01.shape[-2:])
        coords = grid_coords(size, device=tokens.device).flatten(0, 1).expand(len(tokens), -1, -1)
        return tokens, edges, self.sir(tokens, coords, edges).transpose(1, 2).unflatten(2, size)

    def _check_words(self, words: Tensor, strength: float, batch: int) -> None:
        require(
            self.semantic_encoder is not None,
            'this model has semantics="none": words cannot tell it what to fill with',
        )
        embed_dim = self.semantic_encoder.embed_dim
        if words.ndim not in (2, 4) or len(words) not in (1, batch) or words.shape[1] != embed_dim:
            raise ValueError(
                f"want words ({batch} or 1, {embed_dim}) or ({batch} or 1, {embed_dim}, h, w), "
                f"got {tuple(words.shape)}"
            )
        if not 0 <= strength <= 1:
            raise ValueError(f"strength must be in [0, 1], got {strength}")

    def decode(self, features: SairFeatures, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """Colours `(B, N, 3)`, not clipped, at coords_yx `(B, N, 2)` in [-1, 1] with cell `(B, 2)`."""
        return self.air(features.projected, features.start01, coords_yx, cell)

    def decode_semantics(self, features: SairFeatures, coords_yx: Tensor) -> Tensor:
        """Text-aligned embeddings `(B, N, D)`, not normalised, at coords_yx `(B, N, 2)`.

        With semantics="unfilled" these are the encoder's tokens, interpolated. Raises ConfigError for "none".
        """
        require(self.semantic_encoder is not None, 'this model has semantics="none": it knows no meanings')
        if self.sir is None:
            return sample(features.tokens.float(), coords_yx)
        return self.sir(features.tokens, coords_yx, features.edges)

    def forward(self, rgb01: Tensor, hole01: Tensor, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """`decode(encode(rgb01, hole01), coords_yx, cell)`."""
        return self.decode(self.encode(rgb01, hole01), coords_yx, cell)


def decode_chunked(model: Sair, features: SairFeatures, coords_yx: Tensor, cell: Tensor) -> Tensor:
    """`model.decode`, float32 `(B, N, 3)`, in chunks sized by the memory they take; the same numbers."""
    room = CPU_DECODE_BYTES if coords_yx.device.type == "cpu" else DECODE_BYTES
    # Four neighbours, and about three activations of the hidden width alive at once.
    per_query = 4 * 3 * features.projected.shape[1] * features.projected.element_size() * len(coords_yx)
    chunks = coords_yx.split(max(1, room // per_query), dim=1)
    return torch.cat([model.decode(features, chunk, cell) for chunk in chunks], dim=1).float()


def _toward(c: Tensor, words: Tensor, hole01: Tensor, strength: float) -> Tensor:
    """Unit-norm c `(B, D, h, w)` mixed with words, in each cell by strength times its share of hole.

    So cells without hole stay exactly as they are, and a hole thinner than a cell counts, too.
    """
    size = c.shape[-2:]
    words = words.float() if words.ndim == 4 else words.float()[..., None, None]
    target = F.normalize(F.interpolate(words, size, mode="bilinear", align_corners=False), dim=1)
    share = strength * F.adaptive_avg_pool2d(hole01.float(), size)
    mixed = F.normalize(torch.lerp(c, target.expand_as(c), share), dim=1)
    return torch.where(share > 0, mixed, c)


def _resolved(part: Part, registry: dict[str, tuple[type, type]], what: str) -> Part:
    _known(part.name, registry, what)
    return Part(part.name, to_dict(from_dict(registry[part.name][1], part.arguments)))


def _known(name: str, known: Any, what: str) -> None:
    require(name in known, f"unknown {what} {name!r}; known are {sorted(known)}")
