"""The object under points, from what of a photo is like them: a small U-Net over dense similarities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn

from sair_core.config import require, strict_dataclass
from sair_core.encoders.blocks import MULTIPLE_PX
from sair_core.weights.checkpoint import CheckpointModel

MAX_POINTS = 64  # of one label, that are compared with the photo; of more, so many spread over all
COLOUR_SCALE = 0.15  # at which colours in [0, 1] begin to differ
REACHES = (0.02, 0.2)  # of a point, in units of the long side
CHANNELS = 3 + 1 + 2 * (3 + len(REACHES))


@dataclass(frozen=True, eq=False)
class Meaning:
    """What a text-aligned encoder makes of a photo or of a part of it.

    vectors: unit vectors `(D, h, w)`; shares: softmax shares `(K, h, w)` of K words; things: how many
    of them, the first ones, are countable things rather than stuff.
    """

    vectors: Tensor
    shares: Tensor
    things: int

    def sample(self, grid_xy: Tensor) -> Meaning:
        """Return the meaning at places `(h', w', 2)` in [0, 1], x and y, linear between the cells."""
        both = torch.cat([self.vectors, self.shares])[None].float()
        both = F.grid_sample(both, 2 * grid_xy[None] - 1, align_corners=False, padding_mode="border")[0]
        vectors, shares = both.split([len(self.vectors), len(self.shares)])
        return Meaning(F.normalize(vectors, dim=0), shares, self.things)


@strict_dataclass
class SelectionConfig:
    """widths: channels at 1/2, 1/4, 1/8 and 1/16 of the photo; blocks: convolutions at each; work_px: long
    side at which a photo is searched."""

    widths: tuple[int, ...] = (24, 48, 96, 128)
    blocks: int = 2
    work_px: int = 192

    def __post_init__(self) -> None:
        require(len(self.widths) == 4, f"widths must be four, got {self.widths}")
        fits = all(w % 8 == 0 and w > 8 for w in self.widths)  # the groups of each norm
        require(fits, f"widths must be 16, 24, 32 and so on, got {self.widths}")
        require(self.blocks >= 1, f"blocks must be at least 1, got {self.blocks}")
        require(self.work_px >= MULTIPLE_PX, f"work_px must be at least {MULTIPLE_PX}, got {self.work_px}")


class SelectionNet(CheckpointModel):
    """Points inside and outside of an object to a logit for every place.

    It sees the photo's colours and, for the points of each label, how alike to them every place is (of dense
    embeddings, of the words that name it and of colours) and how near, and everywhere the share of words for
    things. Similarities alone come in from the encoder: nothing depends on its dimensions, or on which one it
    is.
    """

    model_type = "selection"
    config_class = SelectionConfig

    def __init__(self, config: SelectionConfig = SelectionConfig()):
        super().__init__()
        self.config = config
        widths, blocks = config.widths, config.blocks
        self.stem = nn.Conv2d(CHANNELS, widths[0], 4, stride=2, padding=1)
        self.down = nn.ModuleList(_stage(w, w, blocks) for w in widths)
        self.shrink = nn.ModuleList(
            nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in zip(widths, widths[1:])
        )
        self.widen = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in zip(widths, widths[1:]))
        self.up = nn.ModuleList(_stage(w, w, blocks) for w in widths[:-1])
        self.whole = nn.Linear(widths[-1], widths[-1])
        self.out = nn.Conv2d(widths[0], 1, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """maps: `(B, CHANNELS, H, W)` of `click_maps`, sides multiples of 16.

        Return logits `(B, 1, H, W)`.
        """
        x, skips = self.stem(maps), []
        for i, stage in enumerate(self.down):
            x = stage(x)
            if i < len(self.shrink):
                skips.append(x)
                x = self.shrink[i](x)
        x = x + self.whole(x.mean(dim=(2, 3)))[..., None, None]
        for i in reversed(range(len(skips))):
            x = F.interpolate(self.widen[i](x), scale_factor=2, mode="bilinear", align_corners=False)
            x = self.up[i](x + skips[i])
        return F.interpolate(self.out(x), scale_factor=2, mode="bilinear", align_corners=False)

    def work_size(self, size_px: tuple[int, ...]) -> tuple[int, int]:
        """Return the `(height, width)` at which a photo of another size is searched."""
        scale = min(1.0, self.config.work_px / max(size_px))
        height, width = (MULTIPLE_PX * max(1, round(n * scale / MULTIPLE_PX)) for n in size_px)
        return height, width


def _stage(channels_in: int, channels: int, blocks: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(blocks):
        layers += [
            nn.Conv2d(channels if i else channels_in, channels, 3, padding=1),
            nn.GroupNorm(8, channels),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


def click_maps(rgb01: Tensor, meaning: Meaning, places_xy: Tensor, inside: Tensor) -> Tensor:
    """Return what points say of every place, `(CHANNELS, H, W)`.

    rgb01: `(3, H, W)` in [0, 1]; meaning: of the same photo; places_xy: `(N, 2)` in [0, 1) of its width and
    height; inside: bool `(N,)`; both on the CPU. Nothing is like points that are not given.
    """
    things = meaning.shares[: meaning.things].sum(dim=0, keepdim=True)
    maps = [rgb01 - 0.5, _enlarge(things, rgb01)]
    for chosen in (places_xy[inside], places_xy[~inside]):
        if len(chosen) > MAX_POINTS:
            chosen = chosen[torch.linspace(0, len(chosen) - 1, MAX_POINTS).long()]
        if len(chosen):
            alike, named = _alike(meaning.vectors, chosen), _named(meaning.shares, chosen)
            maps += [
                _enlarge(torch.cat([alike, named]), rgb01),
                _coloured(rgb01, chosen),
                _near(rgb01, chosen),
            ]
        else:
            maps.append(rgb01.new_zeros(3 + len(REACHES), *rgb01.shape[1:]))
    return torch.cat(maps)


def _enlarge(maps: Tensor, rgb01: Tensor) -> Tensor:
    return F.interpolate(maps[None], rgb01.shape[1:], mode="bilinear", align_corners=False)[0]


def _alike(vectors: Tensor, places_xy: Tensor) -> Tensor:
    """Return how alike to the most similar point, `(1, h, w)`: 1 like it, 0 as the photo is on average."""
    columns, rows = _cells(places_xy, vectors)
    cosine = torch.einsum("dn,dhw->nhw", vectors[:, rows, columns], vectors)
    mean = cosine.mean(dim=(1, 2), keepdim=True)
    return ((cosine - mean) / (1 - mean).clamp_min(1e-3)).amax(dim=0, keepdim=True).clamp_min(-1)


def _named(shares: Tensor, places_xy: Tensor) -> Tensor:
    """Return how much the words of the most similar point name each place, `(1, h, w)` in [0, 1].

    The Bhattacharyya coefficient of the words' shares.
    """
    columns, rows = _cells(places_xy, shares)
    roots = shares.sqrt()
    return torch.einsum("kn,khw->nhw", roots[:, rows, columns], roots).amax(dim=0, keepdim=True)


def _coloured(rgb01: Tensor, places_xy: Tensor) -> Tensor:
    """Return how alike in colour to the most similar point, `(1, H, W)` in [0, 1]."""
    columns, rows = _cells(places_xy, rgb01)
    smooth = F.avg_pool2d(rgb01[None], 3, stride=1, padding=1, count_include_pad=False)[0]
    apart = (rgb01[:, None] - smooth[:, rows, columns][..., None, None]).square().sum(dim=0)
    return torch.exp(-apart.amin(dim=0, keepdim=True) / (2 * COLOUR_SCALE**2))


def _near(rgb01: Tensor, places_xy: Tensor) -> Tensor:
    """Return how near the next point is, `(len(REACHES), H, W)` in (0, 1]."""
    columns, rows = _cells(places_xy, rgb01)
    apart = torch.ones(rgb01.shape[1:], dtype=torch.bool)
    apart[rows, columns] = False
    away = torch.from_numpy(ndimage.distance_transform_edt(apart.numpy())).to(rgb01)
    return torch.stack([torch.exp(-away / (reach * max(away.shape))) for reach in REACHES])


def _cells(places_xy: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Return the columns and rows of places in a grid `(C, H, W)`."""
    height, width = grid.shape[1:]
    return (places_xy[:, 0] * width).long(), (places_xy[:, 1] * height).long()
