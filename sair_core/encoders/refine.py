"""MaskCLIP's two refinements, which need no training (Zhou et al. 2022, section 3.3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SMOOTHING_BYTES = 64 * 2**20  # for the similarities that exist at one time


def smooth_by_keys(dense: Tensor, keys: Tensor, known: Tensor | None = None) -> Tensor:
    """Smooth by keys: `sum_j s_ij dense_j / sum_j s_ij` with `s_ij = max(0, cos(key_i, key_j))`.

    MaskCLIP writes the sum with plain cosines. Negative ones are left out here: a token says nothing about
    those that are unlike it, and the denominator cannot vanish.
    dense: `(B, N, D)`; keys: `(B, N, C)`; known: `(B, N)` bool, False = this token counts for itself only,
    or None. Same shape and dtype as `dense`; computed in float32, by rows, so that memory stays bounded.
    """
    batch, count, _ = dense.shape
    keys, values = F.normalize(keys.float(), dim=-1), dense.float()
    counts = 1.0 if known is None else known.unsqueeze(1).float()  # (B, 1, N)
    rows = max(1, SMOOTHING_BYTES // (4 * batch * count))
    smooth = []
    for start in range(0, count, rows):
        similarity = (keys[:, start : start + rows] @ keys.transpose(1, 2)).clamp_min(0) * counts
        similarity.diagonal(offset=start, dim1=1, dim2=2).fill_(1)
        smooth.append(similarity @ values / similarity.sum(dim=-1, keepdim=True))
    return torch.cat(smooth, dim=1).to(dense.dtype)


def denoise_prompts(logits: Tensor, threshold: float = 0.5) -> Tensor:
    """Denoise prompts: drop labels that are nowhere in the image likely by `threshold` or more.

    logits: `(..., N)`, all positions of one image against N labels, logit scale applied; their softmax says
    how likely a label is. Returns the logits with those of dropped labels at -inf, so that neither argmax nor
    softmax sees them. Where no label would be left, all stay.
    """
    best = logits.float().softmax(dim=-1).flatten(0, -2).amax(dim=0)  # (N,)
    dropped = best < threshold
    return logits if dropped.all() else logits.masked_fill(dropped, -torch.inf)
