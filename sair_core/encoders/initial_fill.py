"""What a hole holds before the network sees it.

The paper feeds zeros. `pull_push` starts the hole from a smooth interpolation of its surroundings instead
(Gortler et al., The Lumigraph, 1996): the network then learns only what interpolation gets wrong, and a
decoder with a long skip starts from it. A pyramid costs a few percent of the encoder.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def zero(rgb01: Tensor, hole01: Tensor) -> Tensor:
    """Return the paper's input, `I * (1 - M)`.

    rgb01 `(B, 3, H, W)`, hole01 `(B, 1, H, W)`; same shape as rgb01.
    """
    return rgb01 * (1 - hole01)


def pull_push(rgb01: Tensor, hole01: Tensor) -> Tensor:
    """Fill holes by averaging the known pixels down a pyramid and interpolating back up it.

    rgb01 `(B, 3, H, W)` in [0, 1], hole01 `(B, 1, H, W)` in {0, 1}; same shape as rgb01, known pixels
    unchanged. A picture that is all hole comes out black.
    """
    weight = 1 - hole01
    colour = rgb01 * weight  # premultiplied
    levels = [(colour, weight)]
    while max(weight.shape[-2:]) > 1:
        kernel = [min(2, n) for n in weight.shape[-2:]]
        colour = F.avg_pool2d(colour, kernel, ceil_mode=True)
        weight = F.avg_pool2d(weight, kernel, ceil_mode=True)
        # A cell with any known part is trusted more than what lies above it in the pyramid.
        trusted = (weight * 2).clamp_max(1)
        colour, weight = colour * (trusted / weight.clamp_min(1e-6)), trusted
        levels.append((colour, weight))
    filled = levels[-1][0] / levels[-1][1].clamp_min(1e-6)
    for colour, weight in reversed(levels[:-1]):
        above = F.interpolate(filled, colour.shape[-2:], mode="bilinear", align_corners=False)
        filled = colour + (1 - weight) * above
    return torch.where(hole01 > 0, filled, rgb01)


INITIAL_FILLS = {"zero": zero, "pull_push": pull_push}
