"""SAIR: semantic-aware implicit representation of a photo with a hole.

`features = model.encode(rgb01, hole01)` once, then `model.decode(features, coords_yx, cell)` for any
coordinates: the whole picture, the hole only, a viewport.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from sair_core.config import require, strict_dataclass
from sair_core.coords import grid_coords, sample
from sair_core.decoders import DECODERS
from sair_core.decoders.chunks import in_chunks
from sair_core.encoders import APPEARANCE_ENCODERS, AppearanceEncoder
from sair_core.encoders.dense_clip import DenseClip
from sair_core.encoders.initial_fill import INITIAL_FILLS
from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder
from sair_core.encoders.unet import TRUNK_REDUCTIONS
from sair_core.errors import ConfigError
from sair_core.holes import check_shapes, hole_share
from sair_core.models.air import Air
from sair_core.models.detail import Detail, DetailConfig
from sair_core.models.parts import Part, build, check_known, resolve
from sair_core.models.sir import Sir, SirConfig
from sair_core.stages import stage
from sair_core.weights.checkpoint import CheckpointModel

SEMANTICS = ("full", "none", "unfilled", "only")
# In px, multiples of what encoders halve: a U-Net's context, and what a few 3x3 convolutions reach.
WIDE_MARGIN_PX, DETAIL_MARGIN_PX = 64, 16


@strict_dataclass
class SairConfig:
    """What a SAIR is made of.

    appearance: what gives z. A U-Net may also see maps of the semantic encoder's trunk of the picture it
    starts from (`trunk_channels`), and be modulated by the completed semantics (`semantic_channels`).
    semantics: "full" (CLIP, SIR, AIR); "none", which is LIIF on a masked picture; "unfilled", the paper's
    NFS: CLIP's tokens of the masked picture go to AIR as they are, without SIR; "only", the paper's OUS: AIR
    sees completed semantics alone, and there is no appearance encoder.
    semantic_stride_px: AIR gets semantics evaluated once every so many pixels, at least 1. None: on the grid
    of the appearance features, or with "only" on that of the tokens. "unfilled" has nothing to evaluate: its
    grid is that of the tokens.
    initial_fill: what the encoder finds in the hole, a name from `INITIAL_FILLS`; the paper uses "zero".
    long_skip: the decoder adds to that picture instead of predicting colour alone.
    detail: what draws between the pixels of a photo that has no hole (left), for views. None: the function
    that fills does this, too.
    """

    appearance: Part = Part("table4")
    decoder: Part = Part("liif")
    semantics: str = "full"
    semantic: SemanticConfig | None = SemanticConfig()
    sir: SirConfig = SirConfig()
    semantic_stride_px: int | None = None
    initial_fill: str = "zero"
    long_skip: bool = False
    detail: DetailConfig | None = None

    def __post_init__(self) -> None:
        appearance = resolve(self.appearance, APPEARANCE_ENCODERS, "appearance encoder")
        object.__setattr__(self, "appearance", appearance)
        object.__setattr__(self, "decoder", resolve(self.decoder, DECODERS, "decoder"))
        check_known(self.initial_fill, INITIAL_FILLS, "initial_fill")
        check_known(self.semantics, SEMANTICS, "semantics")
        require(
            self.semantics == "none" or self.semantic is not None,
            f'semantics="{self.semantics}" needs a semantic encoder: name one, or set semantics="none"',
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

    projected: `(B, hidden, h, w)`; start01: `(B, 3, H, W)`, None where `detail` answers; tokens: text-aligned
    `(B, D, h, w)`, completed where there is a SIR, never mixed with words; edges: `(B, hidden, h, w)` for an
    edge-aware SIR; seen: the tokens before they were completed.
    """

    projected: Tensor
    start01: Tensor | None = None
    tokens: Tensor | None = None
    edges: Tensor | None = None
    seen: Tensor | None = None

    def first(self, count: int) -> SairFeatures:
        """Return those of the first `count` photos."""
        kept = {
            field.name: part[:count]
            for field in fields(self)
            if (part := getattr(self, field.name)) is not None
        }
        return replace(self, **kept)


class Sair(CheckpointModel):
    """Photo and hole in, colours (and meanings) at continuous coordinates out."""

    model_type = "sair"
    config_class = SairConfig
    frozen_prefixes = ("semantic_encoder.",)  # rebuilt from its own weights, never saved twice

    def __init__(self, config: SairConfig, semantic_encoder: DenseClip | None = None):
        """semantic_encoder: built from `config.semantic` unless given; kept frozen."""
        super().__init__()
        self.config = config
        self.appearance_encoder: AppearanceEncoder | None = None
        self.semantic_encoder: DenseClip | None = None
        self.sir: Sir | None = None
        channels = embed_dim = 0
        if config.semantics != "only":
            self.appearance_encoder = build(config.appearance, APPEARANCE_ENCODERS)
            channels = self.appearance_encoder.out_channels
        if config.semantics != "none":
            assert config.semantic is not None
            self.semantic_encoder = semantic_encoder or build_semantic_encoder(config.semantic)
            self.semantic_encoder.requires_grad_(False)
            embed_dim = self.semantic_encoder.embed_dim
        if self.appearance_encoder is not None:
            _check_sight(self.appearance_encoder, self.semantic_encoder)
        if config.semantics in ("full", "only"):
            self.sir = Sir(embed_dim, config.sir, channels)
        decoder = build(config.decoder, DECODERS, channels + embed_dim, 3)
        self.air = Air(decoder, config.long_skip)
        self.initial_fill = INITIAL_FILLS[config.initial_fill]
        self.detail = None if config.detail is None else Detail(config.detail)

    def encode(
        self, rgb01: Tensor, hole01: Tensor, *, words: Tensor | None = None, strength: float = 1.0
    ) -> SairFeatures:
        """rgb01 `(B, 3, H, W)` in [0, 1], hole01 `(B, 1, H, W)`; colours inside the hole are never used.

        words: what to fill with, a text-aligned embedding `(B or 1, D)`, or a map of them `(B or 1, D, h, w)`
        over the whole picture, of any norm. The semantics that AIR sees in the hole are mixed with it by
        strength in [0, 1]: 1 replaces them.
        Raises ValueError for other shapes and values, ConfigError for words with semantics="none".
        """
        check_shapes(rgb01, hole01)
        if words is not None:
            self._check_words(words, strength, len(rgb01))
        start01 = self.initial_fill(rgb01, hole01)
        if self.semantic_encoder is None:
            assert self.appearance_encoder is not None  # semantics="none"
            return SairFeatures(self.air.project(self.appearance_encoder(start01, hole01), None), start01)
        with stage("semantics"):
            seen = self.semantic_encoder(rgb01 * (1 - hole01), hole01)
            tokens = seen if self.sir is None else self.sir.complete(seen, hole01)
        z = self._appearance(start01, hole01, lambda: self._direct(tokens, hole01, words, strength))
        with stage("semantics"):
            edges, c = self._semantics(tokens, hole01, z)
        c = self._direct(c, hole01, words, strength).to(tokens.dtype)
        return SairFeatures(self.air.project(z, c), start01, tokens, edges, seen)

    def _appearance(self, start01: Tensor, hole01: Tensor, meanings: Callable[[], Tensor]) -> Tensor | None:
        """Return z of the picture that the encoder starts from, None with semantics="only".

        meanings: what an encoder that is modulated sees, on the grid of the tokens.
        """
        encoder = self.appearance_encoder
        if encoder is None:
            return None
        maps: Sequence[Tensor] = ()
        if encoder.trunk_channels:
            assert self.semantic_encoder is not None  # `_check_sight`
            with stage("trunk maps"):
                maps = self.semantic_encoder.stage_maps(start01, TRUNK_REDUCTIONS)
        if not (encoder.trunk_channels or encoder.semantic_channels):
            return encoder(start01, hole01)
        return encoder(start01, hole01, maps, meanings() if encoder.semantic_channels else None)

    @staticmethod
    def _direct(c: Tensor, hole01: Tensor, words: Tensor | None, strength: float) -> Tensor:
        """Return directions of c `(B, D, h, w)`, float32 with entries of about 1, in holes mixed with words.

        CLIP's embeddings have any norm and those of words have one.
        """
        c = F.normalize(c.float(), dim=1)
        if words is not None:
            c = _mix_toward(c, words, hole01, strength)
        return math.sqrt(c.shape[1]) * c

    def _semantics(self, tokens: Tensor, hole01: Tensor, z: Tensor | None) -> tuple[Tensor | None, Tensor]:
        """Return edges, and semantics `(B, D, h', w')` on the grid of AIR; tokens: completed."""
        if self.sir is None:
            return None, tokens
        edges = self.sir.project_edges(z)
        stride_px = self.config.semantic_stride_px
        size: Sequence[int] = (tokens if z is None else z).shape[-2:]
        if stride_px is not None:
            size = [-(-n // stride_px) for n in hole01.shape[-2:]]
        coords = grid_coords(size, device=tokens.device).flatten(0, 1).expand(len(tokens), -1, -1)
        return edges, self.sir(tokens, coords, edges).transpose(1, 2).unflatten(2, size)

    def _check_words(self, words: Tensor, strength: float, batch: int) -> None:
        if self.semantic_encoder is None:
            raise ConfigError(
                'this model has semantics="none": words cannot tell it what to fill with, so leave them out'
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
        """Return colours `(B, N, 3)`, not clipped, at coords_yx `(B, N, 2)` in [-1, 1] with cell `(B, 2)`."""
        return self.air(features.projected, features.start01, coords_yx, cell)

    def encode_view(self, rgb01: Tensor) -> SairFeatures:
        """Compute what `decode_view` needs of photos without a hole: rgb01 `(B, 3, H, W)` in [0, 1]."""
        if self.detail is None:
            return self.encode(rgb01, torch.zeros_like(rgb01[:, :1]))
        return SairFeatures(self.detail.project(rgb01))

    def decode_view(self, features: SairFeatures, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """Return a function `(B, N, 3)` that goes on between a photo's pixels as the photo does.

        Up to what an interpolation of the pixels can add. Arguments as in `decode`, features from
        `encode_view`.
        """
        if self.detail is None:
            return self.decode(features, coords_yx, cell)
        return self.detail.query(features.projected, coords_yx, cell)

    @property
    def view_margin_px(self) -> int:
        """Pixels around a part of a photo that matter for what is seen in it."""
        return WIDE_MARGIN_PX if self.detail is None else DETAIL_MARGIN_PX

    def decode_semantics(self, features: SairFeatures, coords_yx: Tensor) -> Tensor:
        """Return text-aligned embeddings `(B, N, D)`, not normalised, at coords_yx `(B, N, 2)`.

        With semantics="unfilled" these are the encoder's tokens, interpolated. Raises ConfigError for "none".
        """
        if features.tokens is None:
            raise ConfigError(
                'this model has semantics="none": it knows no meanings, so choose one with semantics'
            )
        if self.sir is None:
            return sample(features.tokens.float(), coords_yx)
        return self.sir(features.tokens, coords_yx, features.edges)

    def forward(self, rgb01: Tensor, hole01: Tensor, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """`decode(encode(rgb01, hole01), coords_yx, cell)`."""
        return self.decode(self.encode(rgb01, hole01), coords_yx, cell)


def _check_sight(encoder: AppearanceEncoder, semantic: DenseClip | None) -> None:
    """Raise ConfigError when an appearance encoder wants what the semantic encoder does not have."""
    if not (encoder.trunk_channels or encoder.semantic_channels):
        return
    require(
        semantic is not None,
        'the appearance encoder sees semantics, and this model has semantics="none": set trunk_channels=() '
        "and semantic_channels=0",
    )
    assert semantic is not None
    channels = semantic.stage_channels(TRUNK_REDUCTIONS) if encoder.trunk_channels else ()
    require(
        tuple(encoder.trunk_channels) == channels,
        f"the semantic encoder's maps have {channels} channels: set trunk_channels to that or to ()",
    )
    require(
        encoder.semantic_channels in (0, semantic.embed_dim),
        f"the semantic encoder's vectors have {semantic.embed_dim} entries: set semantic_channels to that or "
        "to 0",
    )


Decode = Callable[[SairFeatures, Tensor, Tensor], Tensor]  # Sair.decode or decode_view


def decode_chunked(decode: Decode, features: SairFeatures, coords_yx: Tensor, cell: Tensor) -> Tensor:
    """Return what a model's `decode` gives, float32 `(B, N, 3)`, in chunks sized by the memory they take."""
    return in_chunks(lambda part: decode(features, part, cell), coords_yx, features.projected).float()


def _mix_toward(c: Tensor, words: Tensor, hole01: Tensor, strength: float) -> Tensor:
    """Mix unit-norm c `(B, D, h, w)` with words, in each cell by strength times its share of hole.

    So cells without hole stay exactly as they are, and a hole thinner than a cell counts, too.
    """
    size = c.shape[-2:]
    words = words.float() if words.ndim == 4 else words.float()[..., None, None]
    target = F.normalize(F.interpolate(words, size, mode="bilinear", align_corners=False), dim=1)
    share = strength * hole_share(hole01, size)
    mixed = F.normalize(torch.lerp(c, target.expand_as(c), share), dim=1)
    return torch.where(share > 0, mixed, c)
