"""The dense form of open_clip's ViT towers: its blocks computed here, with holes that are never keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from sair_core.encoders.refine import smooth_by_keys

if TYPE_CHECKING:
    from open_clip.transformer import Attention, ResidualAttentionBlock, VisionTransformer

MOSTLY_HOLE = 0.5  # a token whose patch is hole by more than this is no key


def dense_vit(
    tower: VisionTransformer, image: Tensor, hole: Tensor | None = None, *, key_smoothing: bool = False
) -> Tensor:
    """image: `(B, 3, h * patch, w * patch)`; hole: `(B, 1, ...)` of the same size. Returns `(B, D, h, w)`.

    The tower's patch dropout is left out on purpose: every cell needs its token.
    """
    x = tower.conv1(image)
    batch, _, h, w = x.shape
    x = x.flatten(2).transpose(1, 2)  # (B, h w, C)
    x = torch.cat([tower.class_embedding.to(x.dtype).expand(batch, 1, -1), x], dim=1)
    x = tower.ln_pre(x + _position_embedding(tower, (h, w)).to(x.dtype))
    keys = None if hole is None else _key_mask(hole, tower.patch_size[0])
    *early, last = tower.transformer.resblocks
    for block in early:
        x = _residual_block(block, x, keys)
    tokens = x[:, 1:]
    x = tower.ln_post(_residual_block(last, tokens, values_only=True))
    if tower.proj is not None:
        x = x @ tower.proj
    if key_smoothing:
        known = None if keys is None else keys[:, 0, 0, 1:]
        x = smooth_by_keys(x, _keys(last.attn, last.ln_1(tokens)), known)
    return x.transpose(1, 2).reshape(batch, -1, h, w)


def _position_embedding(tower: VisionTransformer, size: tuple[int, int]) -> Tensor:
    """Return the position embeddings for a grid of `size`, `(1 + h w, C)`, resized as open_clip does."""
    from timm.layers import resample_abs_pos_embed

    return resample_abs_pos_embed(tower.positional_embedding[None], list(size), list(tower.grid_size))[0]


def _key_mask(hole: Tensor, patch_px: int) -> Tensor:
    """Say which tokens may be keys: `(B, 1, 1, 1 + h w)` bool.

    The class token always may, so no row is empty.
    """
    known = F.avg_pool2d(hole, patch_px).flatten(1) <= MOSTLY_HOLE  # (B, h w)
    return F.pad(known, (1, 0), value=True)[:, None, None]


def _residual_block(
    block: ResidualAttentionBlock, x: Tensor, keys: Tensor | None = None, *, values_only: bool = False
) -> Tensor:
    """Compute open_clip's residual block, plain or custom, over `x (B, N, C)` with our attention inside."""
    mixed = _attention(block.attn, block.ln_1(x), keys, values_only=values_only)
    if hasattr(block, "ln_attn"):
        mixed = block.ln_attn(mixed)
    x = x + block.ls_1(mixed)
    return x + block.ls_2(block.mlp(block.ln_2(x)))


def _attention(attn: Attention, x: Tensor, keys: Tensor | None, *, values_only: bool) -> Tensor:
    """Compute self-attention with the weights of torch's MultiheadAttention or open_clip's Attention.

    Their own `forward` would need the mask as (B heads, N, N), which does not fit large photos.
    values_only: each token gets its own value, and query and key are not computed.
    """
    weight, bias = attn.in_proj_weight, attn.in_proj_bias
    if values_only:
        width = x.shape[-1]
        mixed = _heads(F.linear(x, weight[-width:], None if bias is None else bias[-width:]), attn.num_heads)
    else:
        q, k, v = (_heads(t, attn.num_heads) for t in F.linear(x, weight, bias).chunk(3, dim=-1))
        if hasattr(attn, "ln_q"):
            q, k = attn.ln_q(q), attn.ln_k(k)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=keys)
    if getattr(attn, "head_scale", None) is not None:
        mixed = mixed * attn.head_scale
    mixed = mixed.transpose(1, 2).flatten(2)  # (B, N, C)
    if hasattr(attn, "ln_inner"):
        mixed = attn.ln_inner(mixed)
    return attn.out_proj(mixed)


def _keys(attn: Attention, x: Tensor) -> Tensor:
    """Return the keys of an attention over `x (B, N, C)`, all heads side by side: `(B, N, C)`."""
    width, bias = x.shape[-1], attn.in_proj_bias
    part = slice(width, 2 * width)
    keys = F.linear(x, attn.in_proj_weight[part], None if bias is None else bias[part])
    if hasattr(attn, "ln_k"):
        keys = attn.ln_k(_heads(keys, attn.num_heads)).transpose(1, 2).flatten(2)
    return keys


def _heads(x: Tensor, heads: int) -> Tensor:
    """`(B, N, C)` -> `(B, heads, N, C / heads)`."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)
