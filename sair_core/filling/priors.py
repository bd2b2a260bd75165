"""What an SPN expects inside a hole: its priors as a few kinds of place (SPN paper, Figures 10 and 11)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor

from sair_core.devices import autocast
from sair_core.filling.adapters import draw_noise
from sair_core.filling.fill import MAX_HOLE_WORK_PX
from sair_core.filling.plan import plan_crops
from sair_core.holes import reduce_known, to_hole01, to_rgb01
from sair_core.models.spn import Spn, composite
from sair_core.photos.photo import Photo

CLUSTERS = 8  # as the paper
ROUNDS = 15  # of k-means; what is seen does not change after about ten


@dataclass(frozen=True, eq=False)
class PriorView:
    """What an SPN expected and painted for one seed, in one crop at its working size.

    levels: uint8 `(h_l, w_l)` each, coarsest first: the cluster of every cell of a prior. A number means the
    same kind of place in the views of all seeds, and another one at every level. strides_px: how many pixels
    wide a cell of each level is. rgb: uint8 `(h, w, 3)`, the fill; outside the hole the photo.
    """

    seed: int
    levels: tuple[np.ndarray, ...] = field(repr=False)
    strides_px: tuple[int, ...]
    rgb: np.ndarray = field(repr=False)


@torch.inference_mode()
def read_priors(
    model: Spn,
    photo: Photo,
    hole: np.ndarray,
    seeds: Sequence[int],
    clusters: int = CLUSTERS,
    *,
    device: torch.device,
    bf16: bool,
) -> list[PriorView]:
    """Return the priors of the crop with the most hole, a view for each seed. hole: bool `(H, W)`."""
    crop, _ = max(plan_crops(hole, max_hole_work_px=MAX_HOLE_WORK_PX), key=lambda pair: pair[1].sum())
    rgb01, hole01 = to_rgb01(photo.rgb[crop.slices], device), to_hole01(hole[crop.slices], device)
    with autocast(device, bf16):
        rgb01, hole01 = reduce_known(rgb01, hole01, crop.work_px)
        features = model.encode(rgb01.contiguous(memory_format=torch.channels_last), hole01)
        fills = [model.decode(features, draw_noise(model, features.size_px, seed)) for seed in seeds]
    strides_px = model.config.prior_strides_px[::-1]
    pyramids = zip(*(fill.priors[::-1] for fill in fills))  # by level, then by seed
    levels = [cluster(torch.cat(priors), clusters) for priors in pyramids]
    views = []
    for i, (seed, fill) in enumerate(zip(seeds, fills)):
        rgb = composite(fill.rgb01, rgb01, hole01)[0].permute(1, 2, 0).mul(255).round().byte()
        views.append(PriorView(seed, tuple(level[i] for level in levels), strides_px, rgb.cpu().numpy()))
    return views


def cluster(features: Tensor, count: int) -> np.ndarray:
    """Cluster all cells of `(B, C, h, w)` by k-means: uint8 `(B, h, w)`, the largest cluster first.

    The same features always give the same clusters; there are fewer where fewer cells differ.
    """
    points = features.float().permute(0, 2, 3, 1).flatten(0, 2).cpu().numpy()  # (N, C)
    count = min(count, len(np.unique(points, axis=0)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One of the clusters is empty")  # it keeps its centre: that is fine
        _, nearest = kmeans2(points, count, iter=ROUNDS, minit="++", seed=0)
    rank = np.argsort(np.argsort(-np.bincount(nearest, minlength=count), kind="stable"))
    batch, _, height, width = features.shape
    return rank[nearest].reshape(batch, height, width).astype(np.uint8)
