"""How real a fill looks: three figures that PSNR cannot see, from the features of `features.py`.

- *distance* compares each place with the truth: LPIPS's form without its learned weights (Zhang et al. 2018).
- *Fréchet* compares the features of all filled places with those of the true ones as two Gaussians, as FID
  does with whole pictures (Heusel et al. 2017). It needs no place to be as it was, and sees wrong texture
  statistics, blur above all.
- *gradients* is the sharpness: the mean length of the brightness gradient, filled over true; 1 is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sair_core.evaluation.features import Maps
from sair_core.holes import hole_share, to_hole01

FILLED_SHARE = 0.6  # a place counts as filled when more of it than this is hole
MIN_STD = 1e-6  # of a channel that the true features do not use


def feature_distance(filled: Maps, true: Maps, hole: np.ndarray | None = None) -> float:
    """Squared difference of unit-normalised features: mean over places, then over maps; 0 for equal pictures.

    filled, true: maps of the two pictures. hole: bool `(H, W)`; places then weigh by their share of hole, so
    that the known part does not count. Not empty.
    """
    values = []
    for a, b in zip(filled, true):
        squares = (F.normalize(a, dim=0) - F.normalize(b, dim=0)).square().sum(dim=0)  # (h, w)
        if hole is None:
            values.append(squares.mean())
        else:
            share = share_of_hole(hole, squares.shape)
            values.append((squares * share).sum() / share.sum())
    return float(torch.stack(values).mean())


def gradient_ratio(filled: np.ndarray, true: np.ndarray, mask: np.ndarray) -> float | None:
    """Mean length of the gradient of brightness in the mask, filled over true; None where the truth has none.

    filled, true: uint8 `(H, W, 3)`; mask: bool `(H, W)`, not empty. By central differences, so that the
    gradients of the outermost pixels of a hole look at the photo around it.
    """
    lengths = [_mean_gradient(picture, mask) for picture in (filled, true)]
    return lengths[0] / lengths[1] if lengths[1] else None


def _mean_gradient(picture: np.ndarray, mask: np.ndarray) -> float:
    down, right = np.gradient(picture.mean(axis=2))
    return float(np.hypot(down, right)[mask].mean())


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, sum `(C,)` and sum of outer products `(C, C)` of feature vectors, float64.

    They add up: the Gaussian of any number of photos takes no more memory than that of one.
    """

    count: int
    total: np.ndarray
    outer: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> Moments:
        """vectors: float `(N, C)`."""
        vectors = vectors.astype(np.float64)
        return cls(len(vectors), vectors.sum(axis=0), vectors.T @ vectors)

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.outer + other.outer)

    @property
    def mean(self) -> np.ndarray:
        return self.total / self.count

    @property
    def covariance(self) -> np.ndarray:
        """`(C, C)`, with n - 1 as divisor."""
        return (self.outer - np.outer(self.total, self.mean)) / (self.count - 1)


Texture = tuple[Moments, ...]  # of each map's feature vectors, finest first


def texture(maps: Maps, places: Sequence[Tensor | None]) -> Texture:
    """Moments of the feature vectors at places: bool `(h, w)` for each map, None = everywhere."""
    found = []
    for features, chosen in zip(maps, places):
        vectors = features.flatten(1) if chosen is None else features[:, chosen]  # (C, N)
        found.append(Moments.of(vectors.T.numpy()))
    return tuple(found)


def filled_places(maps: Maps, hole: np.ndarray) -> list[Tensor]:
    """For each map the places, bool `(h, w)`, that are mostly hole."""
    return [share_of_hole(hole, features.shape[-2:]) > FILLED_SHARE for features in maps]


def share_of_hole(hole: np.ndarray, size_cells: Sequence[int]) -> Tensor:
    """float32 `size_cells`: the share of hole, bool `(H, W)`, in each cell."""
    height, width = size_cells
    return hole_share(to_hole01(hole), (height, width))[0, 0]


def add_textures(a: Texture | None, b: Texture) -> Texture:
    """The texture of both sets of places; a may be nothing yet."""
    return b if a is None else tuple(x + y for x, y in zip(a, b))


def frechet(filled: Texture, true: Texture) -> float | None:
    """Fréchet distance of two textures: mean over maps, per channel, in units of the true deviations.

    None unless there are two vectors of each map on both sides.
    """
    if min(one.count for one in (*filled, *true)) < 2:
        return None
    values = []
    for a, b in zip(filled, true):
        scale = 1 / np.sqrt(np.diag(b.covariance)).clip(MIN_STD)
        both = [(one.mean * scale, one.covariance * np.outer(scale, scale)) for one in (a, b)]
        values.append(gaussian_frechet(*both[0], *both[1]) / len(scale))
    return float(np.mean(values))


def gaussian_frechet(
    mean_a: np.ndarray, covariance_a: np.ndarray, mean_b: np.ndarray, covariance_b: np.ndarray
) -> float:
    """Squared Fréchet distance of two Gaussians (Dowson and Landau 1982): means `(C,)`, covariances `(C, C)`.

    |m_a - m_b|^2 + tr(A + B - 2 (A B)^(1/2)). The root's trace is that of (A^(1/2) B A^(1/2))^(1/2), which is
    symmetric: it stays real where covariances are singular, as they are with few vectors.
    """
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariance_b @ root).clip(0)).sum()
    distance = np.square(mean_a - mean_b).sum() + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross
    return float(max(distance, 0.0))
