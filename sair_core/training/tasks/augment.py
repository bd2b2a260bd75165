"""Differentiable augmentation of what a discriminator sees (Zhao et al. 2020): colour, translation, cutout.

The same for a fill and its photo, so that maps of both can still be compared place by place.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

NUMBERS = 7  # a photo: brightness, saturation, contrast, and places of the translation and of the cutout
# Colours change little: a generator learns what augmentation does to photos, too. With the paper's factors
# (0 to 2 of saturation, 0.5 to 1.5 of contrast) fills had glowing red bars, which photos so changed do show.
BRIGHTNESS = 0.05  # at most, up or down, of colours in [0, 1]
SATURATION = 0.2  # at most, up or down, of 1
CONTRAST = 0.15  # at most, up or down, of 1
SHIFT = 1 / 8  # of the side, at most
CUT = 0.3  # side of the square that is cut out, of the picture's


class Augmentation:
    """One augmentation a photo of a batch, given by `numbers (B, NUMBERS)`, uniform in [0, 1)."""

    def __init__(self, numbers: Tensor):
        self.numbers = numbers

    def colours(self, rgb01: Tensor) -> Tensor:
        """Return photos `(B, 3, H, W)` in other colours, at other places, each with a square of it black."""
        brightness, saturation, contrast = self.numbers[:, :3].T[..., None, None, None]
        x = rgb01 + BRIGHTNESS * (2 * brightness - 1)
        grey = x.mean(dim=1, keepdim=True)
        x = torch.lerp(grey, x, 1 + SATURATION * (2 * saturation - 1))
        middle = x.mean(dim=(1, 2, 3), keepdim=True)
        return self.places(torch.lerp(middle, x, 1 + CONTRAST * (2 * contrast - 1)))

    def places(self, maps: Tensor) -> Tensor:
        """Return maps `(B, C, H, W)` moved as the photos are; zero where nothing of them is left."""
        height, width = maps.shape[-2:]
        moved = []
        for one, (down, right, top, left) in zip(maps, self.numbers[:, 3:].tolist()):
            dy, dx = (round((2 * u - 1) * SHIFT * n) for u, n in ((down, height), (right, width)))
            kept = torch.ones_like(one[:1])
            y, x = (round(u * (1 - CUT) * n) for u, n in ((top, height), (left, width)))
            kept[:, y : y + round(CUT * height), x : x + round(CUT * width)] = 0
            moved.append(F.pad(one, (dx, -dx, dy, -dy)) * kept)
        return torch.stack(moved)
