"""The photo at ever smaller sizes, with what is known, wanted and allowed at each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from sair_core.devices import upload
from sair_core.filling.texture.config import TextureConfig
from sair_core.photos.masks import bounding_box

# Rec. 601 luma and two colour differences: patches are compared in them.
LUMA_CHROMA = ((0.299, 0.587, 0.114), (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))


@dataclass(frozen=True)
class Scene:
    """A crop of the photo at one size.

    colours: `(C, h, w)`, used where known. known: bool `(h, w)`, has a colour. wanted: bool `(h, w)`, to be
    filled; pixels that are neither are filled as far as patches need them, and forgotten. usable: bool
    `(h, w)`, may be copied. guide: `(C, h, w)` in the same colours, or None. thickness_px: of the hole.
    """

    colours: Tensor
    known: Tensor
    wanted: Tensor
    usable: Tensor
    guide: Tensor | None
    thickness_px: float

    def halved(self) -> Scene:
        """Return the scene at half the size. A cell is known or usable if all of it is, wanted if any is."""
        known = ~_any_of_four(~self.known, True)
        guide = None
        if self.guide is not None:
            seen = torch.where(self.known, self.colours, self.guide)
            guide = _mean_of_four(seen, torch.ones_like(self.known))
        return Scene(
            _mean_of_four(self.colours, self.known),
            known,
            _any_of_four(self.wanted, False),
            ~_any_of_four(~self.usable, True),
            guide,
            self.thickness_px / 2,
        )


def match_colours(photo01: Tensor) -> Tensor:
    """The colours that patches are compared in: luma and chroma of RGB, other channels as they are."""
    if len(photo01) < 3:
        return photo01
    turned = torch.einsum("ij,jhw->ihw", upload(torch.tensor(LUMA_CHROMA), photo01.device), photo01[:3])
    return torch.cat([turned, photo01[3:]])


def build_pyramid(scene: Scene, config: TextureConfig) -> list[Scene]:
    """Return the scene and its smaller versions, finest first, as many as have enough to copy from.

    The list is empty when even the photo itself has no whole patch to copy from.
    """
    halvings = max(0, round(math.log2(max(scene.thickness_px / config.coarsest_px, 1))))
    scenes = [scene]
    while len(scenes) <= halvings:
        scenes.append(scenes[-1].halved())
    while scenes and count_sources(scenes[-1], config) < (config.min_sources if len(scenes) > 1 else 1):
        scenes.pop()
    return scenes


def count_sources(scene: Scene, config: TextureConfig) -> int:
    """How many patches of the scene may be copied."""
    return int(grown(~scene.usable, config.reach_px, outside=True).logical_not().sum())


def grown(mask: Tensor, by_px: int, *, outside: bool = False) -> Tensor:
    """The mask `(h, w)` and all within by_px of it, diagonals included; outside: whether what lies beyond the
    picture belongs to it."""
    padded = F.pad(mask.float()[None, None], (by_px,) * 4, value=float(outside))
    side = 2 * by_px + 1
    return F.max_pool2d(F.max_pool2d(padded, (1, side), 1), (side, 1), 1)[0, 0] > 0.5


def thickness_px(hole: Tensor) -> float:
    """Twice the largest distance from inside a hole to what is outside it, such as beyond the edge."""
    padded = F.pad(hole, (1,) * 4).cpu().numpy()
    box = bounding_box(padded, margin_px=1)  # nothing outside is nearer than what is around the hole
    return 0.0 if box is None else 2 * float(ndimage.distance_transform_edt(padded[box]).max())


def _even(x: Tensor, value: float) -> Tensor:
    return F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2), value=value)


def _any_of_four(mask: Tensor, beyond: bool) -> Tensor:
    return F.max_pool2d(_even(mask.float()[None], float(beyond)), 2)[0] > 0.5


def _mean_of_four(colours: Tensor, known: Tensor) -> Tensor:
    weight = known.to(colours.dtype)[None]
    total = F.avg_pool2d(_even(colours * weight, 0), 2)
    return total / F.avg_pool2d(_even(weight, 0), 2).clamp_min(1e-3)
