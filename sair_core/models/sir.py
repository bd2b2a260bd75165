"""Semantic implicit representation: `c_p = sum_q w_q f_theta(x_q, d(p, q))` (SAIR paper, Eq. 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sair_core.config import require, strict_dataclass
from sair_core.coords import sample
from sair_core.decoders.chunks import in_chunks
from sair_core.decoders.liif import LiifConfig, LiifDecoder
from sair_core.encoders.blocks import AttentionBlock, start_at_zero
from sair_core.holes import hole_share


@strict_dataclass
class SirConfig:
    """`context_blocks` = 0 is the paper's pure local MLP.

    A hole larger than a cell's four neighbours cannot be completed by a local MLP; with `context_blocks`
    the tokens are completed by self-attention first, hole tokens replaced by a learned one.
    edge_aware: f_theta also sees the appearance features at p, so that the map follows object borders.
    """

    hidden: int = 256
    layers: int = 4
    context_blocks: int = 0
    context_width: int = 256
    heads: int = 8
    edge_aware: bool = False

    def __post_init__(self) -> None:
        require(self.context_blocks >= 0, f"context_blocks must not be negative, got {self.context_blocks}")
        require(self.heads >= 1, f"heads must be at least 1, got {self.heads}")
        require(
            self.context_width % self.heads == 0,
            f"context_width={self.context_width} is no multiple of heads={self.heads}: choose others",
        )


class Sir(nn.Module):
    """Dense text-aligned tokens `(B, D, h, w)` to embeddings at any coordinate, in the same space."""

    def __init__(self, embed_dim: int, config: SirConfig = SirConfig(), appearance_channels: int = 0):
        """appearance_channels: of the features that an edge-aware SIR sees; ConfigError if it has none."""
        super().__init__()
        require(not config.edge_aware or appearance_channels > 0, "edge_aware needs appearance features")
        self.config = config
        self.embed_dim = embed_dim
        if config.context_blocks:
            width = config.context_width
            self.mask_token = nn.Parameter(torch.zeros(1, embed_dim, 1, 1))
            self.enter = nn.Conv2d(embed_dim, width, 1)
            self.context = nn.Sequential(
                *(AttentionBlock(width, config.heads) for _ in range(config.context_blocks))
            )
            self.leave = nn.Conv2d(width, embed_dim, 1)
            start_at_zero(self.leave)  # as the paper's form
        if config.edge_aware:
            self.edges = nn.Conv2d(appearance_channels, config.hidden, 1, bias=False)
            start_at_zero(self.edges)  # as the form that does not see them
        self.function = LiifDecoder(
            embed_dim, embed_dim, LiifConfig(config.hidden, config.layers, use_cell=False)
        )

    def complete(self, tokens: Tensor, hole01: Tensor) -> Tensor:
        """Return tokens with what the hole destroyed filled in from the others.

        tokens `(B, D, h, w)`, hole01 `(B, 1, H, W)`; same shape as tokens. The identity in the paper's form.
        """
        if not self.config.context_blocks:
            return tokens
        lost = hole_share(hole01, tokens.shape[-2:]) > 0.5
        tokens = torch.where(lost, self.mask_token.to(tokens.dtype), tokens)
        return tokens + self.leave(self.context(self.enter(tokens)))

    def project_edges(self, z: Tensor | None) -> Tensor | None:
        """Return the first layer's part for appearance features `(B, C, h, w)`, computed once.

        Returns float32 `(B, hidden, h, w)`, because sampling rounds coordinates to the precision of the map;
        None unless `edge_aware`.
        """
        return self.edges(z).float() if self.config.edge_aware else None

    def forward(self, tokens: Tensor, coords_yx: Tensor, edges: Tensor | None = None) -> Tensor:
        """Return embeddings `(B, N, D)` at coords_yx `(B, N, 2)`.

        tokens `(B, D, h, w)` from `complete`; edges from `project_edges`, on a grid of its own.
        """
        projected, cell = self.function.project(tokens), coords_yx.new_zeros(len(coords_yx), 2)

        def query(coords_yx: Tensor) -> Tensor:
            shared = None if edges is None else sample(edges, coords_yx)
            return self.function.query(projected, coords_yx, cell, shared)

        return query(coords_yx) if torch.is_grad_enabled() else in_chunks(query, coords_yx, projected)
