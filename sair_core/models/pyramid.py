"""The convolutions at the start of the SPN's prior learner and of its generator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALES = 3  # the paper's L


class Descent(nn.Module):
    """A wide convolution, then 4 x 4 ones of stride 2, ReLU after each.

    With `fold` > 1 the picture's pixels are folded into channels first: narrow layers at full resolution
    waste a CPU, and a 3 x 3 kernel then sees about what a 7 x 7 one does without.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], fold: int):
        super().__init__()
        self.fold = fold
        kernel = wide_kernel(fold)
        self.first = nn.Conv2d(in_channels * fold * fold, widths[0], kernel, padding=kernel // 2)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(widths, widths[1:]))

    def forward(self, x: Tensor) -> list[Tensor]:
        """x `(B, C, H, W)`, sides multiples of `fold 2^len(down)`. One map for each width, finest first."""
        x = F.pixel_unshuffle(x, self.fold).contiguous(memory_format=torch.channels_last)
        levels = [F.relu(self.first(x))]
        for down in self.down:
            levels.append(F.relu(down(levels[-1])))
        return levels


def wide_kernel(fold: int) -> int:
    """Return the side of the first and the last kernel on a picture folded so often."""
    return 7 if fold == 1 else 3
