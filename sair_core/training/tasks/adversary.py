"""What an SPN is trained against: the paper's patch discriminator, or one on maps of a classifier."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from sair_core.encoders.pretext import FrozenFeatures
from sair_core.errors import CheckpointError
from sair_core.holes import to_rgb01
from sair_core.models.discriminator import PatchDiscriminator
from sair_core.models.projected import MapNorm, ProjectedDiscriminator, Projection
from sair_core.training.data.loader import Batch
from sair_core.training.tasks.augment import NUMBERS, Augmentation
from sair_core.training.tasks.spn_losses import (
    adversarial_loss,
    discriminator_loss,
    feature_loss,
    generator_hinge_loss,
    hinge_loss,
)

REDUCTIONS = (2, 4, 8, 16)  # photo pixels a cell of the maps that fills are judged by


class Adversary(Protocol):
    """An `nn.Module` whose parameters are trained to tell fills from photos.

    `compare` is part of the generator's step. What it returns beside the terms is the batch of the step of
    the adversary, of which a call returns the loss. numbers: how many `compare` wants for each photo,
    uniform in [0, 1), as `batch["augment"]`.
    """

    numbers: int

    def compare(self, shown01: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Batch]:
        """Return the terms of what is shown, "adversarial" and perhaps "feature", and the adversary's batch.

        shown01 `(B, 3, H, W)`: fills in their photos; batch: rgb01, hole01.
        """
        ...

    def perceive(self, rgb01: Tensor) -> list[Tensor]:
        """Return the maps by which two fills are compared, Eq. (14)."""
        ...

    def __call__(self, judged: Batch) -> Tensor: ...


class WholeState(nn.Module):
    """A module whose own state is all of its state."""

    def own_state(self) -> dict[str, Tensor]:
        return self.state_dict()

    def load_own_state(self, state: dict[str, Tensor], where: str) -> None:
        """Load what `own_state` returned. Raises CheckpointError when it does not fit."""
        try:
            self.load_state_dict(state)
        except RuntimeError as error:
            raise CheckpointError(
                f"{where} does not fit its configuration. Fetch it again: {error}"
            ) from error


class PatchAdversary(WholeState):
    """The paper's: Eq. (11), and Eq. (13) on the discriminator's maps and those of a perceptual network."""

    numbers = 0

    def __init__(self, perceptual: FrozenFeatures | None):
        """perceptual: None leaves Eq. (13) out, as in Eq. (12)."""
        super().__init__()
        self.discriminator = PatchDiscriminator()
        self._frozen = (perceptual,)  # in a tuple, so that it is no part of this module's state

    def compare(self, shown01: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Batch]:
        """As `Adversary`."""
        rgb01, (perceptual,) = batch["rgb01"], self._frozen
        with freeze(self.discriminator):
            logits, maps = self.discriminator(shown01)
        terms = {"adversarial": adversarial_loss(logits)}
        if perceptual is not None:
            with torch.no_grad():
                true_maps, true_features = self.discriminator(rgb01)[1], perceptual(rgb01)
            terms["feature"] = feature_loss(maps, true_maps) + feature_loss(
                perceptual(shown01), true_features
            )
        return terms, {"real01": rgb01, "fake01": shown01.detach()}

    def perceive(self, rgb01: Tensor) -> list[Tensor]:
        """As `Adversary`."""
        (perceptual,) = self._frozen
        assert perceptual is not None  # of a probabilistic model
        return perceptual(rgb01)

    def forward(self, judged: Batch) -> Tensor:
        """Return Eq. (11). judged: real01 and fake01 `(B, 3, H, W)`."""
        real, fake = (self.discriminator(judged[name])[0] for name in ("real01", "fake01"))
        return discriminator_loss(real, fake)


class ProjectedAdversary(WholeState):
    """Heads on mixed maps of a frozen classifier, which sees fill and photo through the same augmentation.

    Fills are judged where there is hole. Eq. (13) and (14) are on the classifier's maps, in units of their
    deviations on photos.
    """

    numbers = NUMBERS

    def __init__(self, features: FrozenFeatures, photos: Sequence[np.ndarray]):
        """features: maps at REDUCTIONS; photos: some, uint8 `(n, n, 3)`, to measure their maps."""
        super().__init__()
        self.norm = MapNorm(features.channels)
        self.norm.measure(features(torch.cat([to_rgb01(one) for one in photos])))
        self.projection = Projection(features.channels)
        self.discriminator = ProjectedDiscriminator(self.projection.widths)
        self._frozen = (features,)  # in a tuple, so that it is no part of this module's state

    def compare(self, shown01: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Batch]:
        """As `Adversary`. batch: also augment `(B, NUMBERS)`."""
        augmentation = Augmentation(batch["augment"])
        hole01 = augmentation.places(batch["hole01"])
        maps = self.perceive(augmentation.colours(shown01))
        with torch.no_grad():
            true_maps = self.perceive(augmentation.colours(batch["rgb01"]))
            real = self.projection(true_maps)
        fake = self.projection(maps)
        with freeze(self.discriminator):
            logits = self.discriminator(fake)
        terms = {
            "adversarial": generator_hinge_loss(logits, hole01),
            "feature": feature_loss(maps, true_maps),
        }
        judged = {"hole01": hole01}
        judged |= {f"real{i}": one for i, one in enumerate(real)}
        judged |= {f"fake{i}": one.detach() for i, one in enumerate(fake)}
        return terms, judged

    def perceive(self, rgb01: Tensor) -> list[Tensor]:
        """As `Adversary`."""
        (features,) = self._frozen
        return self.norm(features(rgb01))

    def forward(self, judged: Batch) -> Tensor:
        """Return the hinge loss. judged: hole01 and, a scale i, the mixed maps real{i} and fake{i}."""
        real, fake = (
            self.discriminator([judged[f"{kind}{i}"] for i in range(len(REDUCTIONS))])
            for kind in ("real", "fake")
        )
        return hinge_loss(real, fake, judged["hole01"])


@contextlib.contextmanager
def freeze(module: nn.Module) -> Iterator[None]:
    """Let gradients pass through a module inside a `with` block, and leave none for its weights."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
