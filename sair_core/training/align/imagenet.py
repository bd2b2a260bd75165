"""The ImageNet classifier as a teacher: its soft labels, and its class vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sair_core.holes import to_rgb01
from sair_core.seeds import Stream, stream_generator

if TYPE_CHECKING:  # timm takes seconds to import
    from timm.models.efficientnet import EfficientNet

WINDOW_CELLS = 4  # side of the windows that are classified beside the whole crop
# Of made-up features: how much is left of a photo's, and the length of what makes them of a class. Chosen by
# how well a projection that learned from them names photos of the training set that it was not shown.
GROUND_SHARE, CLASS_LENGTH = 0.7, 3.0
DRAWN = 256  # of them, and of photos' features, a step
FIT_STEPS, FIT_RATE = 2000, 1e-3  # of the projection alone
MEETINGS = 2  # how often names and projection are fitted to each other


class ImageNetTeacher(nn.Module):
    """A frozen classifier that says which of 1000 classes a crop shows, whole and window by window.

    It also makes up features of classes that no photo shows. For classes that are normal distributions with
    one covariance S, a linear classifier's weights are `w_k = S^-1 mu_k` up to a constant (linear
    discriminant analysis), so `S w_k` points to the mean of a class: it is added to features of other photos.
    """

    mean: Tensor
    std: Tensor
    seen: Tensor
    centre: Tensor
    directions: Tensor

    def __init__(self, network: EfficientNet, photos: Sequence[np.ndarray]):
        """photos: uint8 `(H, W, 3)`, of which the features' mean and covariance are measured."""
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        cfg: Any = network.pretrained_cfg
        self.register_buffer("mean", torch.tensor(cfg["mean"]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(cfg["std"]).view(1, 3, 1, 1))
        found = torch.cat([self.features(to_rgb01(rgb, torch.device("cpu")))[0] for rgb in photos])
        self.register_buffer("seen", found)  # (N, C)
        self.register_buffer("centre", found.mean(dim=0))
        weight = network.get_classifier().weight
        directions = weight if len(found) < 2 else weight @ torch.cov(found.T)
        self.register_buffer("directions", directions)  # (1000, C)

    def train(self, mode: bool = True) -> ImageNetTeacher:
        """Stay in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def features(self, rgb01: Tensor) -> Tensor:
        """Return the trunk's features `(B, N, C)`, float32, at the N places of `pool_places`.

        rgb01: `(B, 3, H, W)` in [0, 1].
        """
        return pool_places(self.network.forward_features((rgb01 - self.mean) / self.std).float())

    @torch.no_grad()
    def shares(self, features: Tensor) -> Tensor:
        """Return the shares of the classes `(..., 1000)` that features `(..., C)` are of."""
        return self.network.get_classifier()(features).float().softmax(dim=-1)

    def class_features(self) -> Tensor:
        """Return made-up features of every class on the ground of all photos, `(classes, C)`."""
        return self.centre + CLASS_LENGTH * self.directions

    def make_prototypes(self, rng: np.random.Generator, features: Tensor) -> tuple[Tensor, Tensor]:
        """Make up features of classes drawn at random, on the ground of features `(N, C)` of photos.

        Returns `(DRAWN, C)` and the classes `(DRAWN,)`.
        """
        classes = torch.from_numpy(rng.integers(len(self.directions), size=DRAWN)).to(features.device)
        ground = features[torch.from_numpy(rng.integers(len(features), size=DRAWN)).to(features.device)]
        return GROUND_SHARE * (ground - self.centre) + self.class_features()[classes], classes


def pool_places(cells: Tensor) -> Tensor:
    """Average a map `(B, C, h, w)` over the whole of it and over windows: `(B, 1 + windows, C)`.

    Where it has at least twice a window's cells a side, windows overlap by half.
    """
    whole = cells.mean(dim=(2, 3))[:, None]
    if min(cells.shape[-2:]) < 2 * WINDOW_CELLS:
        return whole
    windows = F.avg_pool2d(cells, WINDOW_CELLS, WINDOW_CELLS // 2).flatten(2).transpose(1, 2)
    return torch.cat([whole, windows], dim=1)


def teacher_loss(embedded: Tensor, shares: Tensor, names: Tensor, scale: Tensor) -> Tensor:
    """Return how far places are named from how a classifier names them (Kullback-Leibler divergence, mean).

    embedded `(..., D)`, of any norm; shares `(..., classes)` as `ImageNetTeacher` returns them; names
    `(classes, D)`: unit vectors of the classes' names.
    """
    found = (scale * F.normalize(embedded, dim=-1) @ names.T).log_softmax(dim=-1)
    return F.kl_div(found.flatten(0, -2), shares.flatten(0, -2), reduction="batchmean")


def prototype_loss(embedded: Tensor, classes: Tensor, names: Tensor, scale: Tensor) -> Tensor:
    """Return the cross-entropy of projected features `(N, D)` of classes `(N,)` to the classes' names."""
    return F.cross_entropy(scale * F.normalize(embedded, dim=-1) @ names.T, classes)


def fit_projection(head: nn.Module, teacher: ImageNetTeacher, names: Tensor, scale: float, seed: int) -> None:
    """Train the projection of a tower alone, from the classifier's features to the names of its classes.

    So the training of the tower begins with what the classifier knows. Seconds: there are features of a few
    hundred photos, which the teacher has measured, and those that are made up of them.
    """
    rng = stream_generator(seed, Stream.PROJECTION)
    optimiser = torch.optim.Adam(head.parameters(), FIT_RATE)
    factor, shares = torch.tensor(scale), teacher.shares(teacher.seen)
    head.train()
    for _ in range(FIT_STEPS):
        rows = torch.from_numpy(rng.integers(len(shares), size=DRAWN)).to(shares.device)
        made_up, classes = teacher.make_prototypes(rng, teacher.seen)
        loss = teacher_loss(head(teacher.seen[rows]), shares[rows], names, factor)
        loss = loss + prototype_loss(head(made_up), classes, names, factor)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()


def meet_names(
    head: nn.Module, teacher: ImageNetTeacher, names: Tensor, share: float, scale: float, seed: int
) -> Tensor:
    """Return where the names `(classes, D)` of the classes should lie, unit vectors, and fit the projection.

    Sentences say little about looks: a projection can tell apart only what lies apart as a word, too. So the
    names go a share of the way to where the projection puts what the classifier means by them, and the
    projection is fitted again to where they are then.
    """
    met = names
    for _ in range(MEETINGS):
        fit_projection(head, teacher, met, scale, seed)
        with torch.no_grad():
            seen = head(teacher.class_features())
        met = F.normalize(torch.lerp(names, F.normalize(seen - seen.mean(dim=0), dim=-1), share), dim=-1)
    return met
