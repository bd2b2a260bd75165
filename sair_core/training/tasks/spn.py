"""The task of an SPN: priors from a pretext model, fills against a discriminator (SPN paper, 3.3)."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from sair_core.config import to_dict
from sair_core.encoders.pretext import FrozenFeatures, Pretext, build_pretext
from sair_core.errors import CheckpointError
from sair_core.models.discriminator import PatchDiscriminator
from sair_core.models.presets import spn_preset
from sair_core.models.prior import DistillationHeads
from sair_core.models.spn import Spn, SpnConfig, SpnFeatures, composite
from sair_core.training.average import Average
from sair_core.training.backend import Backend
from sair_core.training.config import SpnTrainConfig
from sair_core.training.data.loader import Batch, Batches, load_pictures
from sair_core.training.data.samples import FillSamples
from sair_core.training.data.store import load_split
from sair_core.training.optimisers import Learner, adam
from sair_core.training.start import choose_model_config, load_start_weights
from sair_core.training.tasks.perceptual import build_perceptual
from sair_core.training.tasks.spn_losses import (
    SpnWeights,
    adversarial_loss,
    discriminator_loss,
    diversity_loss,
    feature_loss,
    image_loss,
    kl_loss,
    prior_loss,
)
from sair_core.training.tasks.validation import Validation, paste_fill, to_tensors
from sair_core.weights.checkpoint import save_checkpoint

logger = logging.getLogger(__name__)

EPSILON = 0.02  # of Eq. (14): with the paper's 1e-5 two equal fills, as all are at first, cost 100,000
SHOWN_SEEDS = (1, 2)


class SpnTask:
    """Training of an SPN: generator and discriminator take a step each on every batch."""

    def __init__(self, config: SpnTrainConfig, backend: Backend, resume: bool = False):
        """resume: no weights are needed to begin with, those of the run will be loaded."""
        self.config, self.backend = config, backend
        torch.manual_seed(config.seed)
        chosen = choose_model_config(config, SpnConfig, partial(spn_preset, probabilistic=True), resume)
        if config.probabilistic is not None:
            chosen = dataclasses.replace(chosen, probabilistic=config.probabilistic)
        self.model = Spn(chosen)
        pretext, heads = _build_pretext_and_heads(self.model)
        perceptual, name = build_perceptual() if chosen.probabilistic else (None, None)
        self.facts = {"train": to_dict(config), "model": to_dict(chosen), "perceptual": name}
        generator, opponent = Generator(self.model, heads), DiscriminatorLoss()
        self.photos, held = load_split(config, None, backend)
        self.pixels = self.photos.load_pixels(backend.device)
        if config.start and not resume:
            load_start_weights(self.model, config.start)
        for module in (generator, opponent, pretext, perceptual):
            if isinstance(module, nn.Module):
                backend.place(module)
        self.validation = Validation(held, config.final_size_px, config.seed)
        loss = SpnLoss(generator, opponent.discriminator, pretext, perceptual, config)
        self.fills = loss.fills
        self.loss, self.discriminator_loss = backend.prepare(loss), backend.prepare(opponent)
        self.learners = {
            "generator": Learner(generator, adam(generator, config.learning_rate, config.betas)),
            "discriminator": Learner(opponent, adam(opponent, config.learning_rate, config.betas)),
        }
        self.average = Average(generator, config.ema)
        count = sum(p.numel() for p in self.model.parameters())
        logger.info("%.1f M parameters on %s, %s", count / 1e6, backend.device, backend.precision)

    def loader(self, phase: int, first_sample: int) -> Batches:
        size_px, batch = self.config.shape(phase)
        samples = FillSamples(
            self.photos,
            size_px=size_px,
            queries=1,  # the whole picture is filled
            hole_share=1.0,
            batch=batch * self.backend.processes,
            seed=self.config.seed,
        )
        share, workers = self.backend.share, self.config.workers
        return load_pictures(samples, batch, first_sample, workers, share, self.pixels)

    def step(self, batch: Batch, first_sample: int) -> float:
        generator, discriminator = (one.optimiser for one in self.learners.values())
        clip_norm = self.config.clip_norm
        real = {name: batch[name] for name in ("rgb01", "hole01")}
        if self.model.config.probabilistic:
            real |= self._draw_noise(batch["rgb01"], first_sample)
        self.fills.clear()
        loss = self.backend.optimise(self.loss, generator, real, first_sample, clip_norm=clip_norm)
        pairs = {"real01": batch["rgb01"], "fake01": torch.cat(self.fills)}
        other = self.backend.optimise(self.discriminator_loss, discriminator, pairs, clip_norm=clip_norm)
        return loss if math.isfinite(other) else math.nan

    def _draw_noise(self, rgb01: Tensor, first_sample: int) -> Batch:
        """Draw two latents for each picture, seeded by the number of this process's first one."""
        count, _, height, width = rgb01.shape
        first = first_sample + self.backend.rank * count
        latents = {}
        for place, name in enumerate(("noise", "other_noise")):
            seed = (self.config.seed * 1_000_003 + first) * 2 + place
            drawn = self.model.latent((height, width), torch.Generator().manual_seed(seed), count)
            latents[name] = drawn.to(self.backend.device)
        return latents

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        return self.validation(self.fill)

    @torch.inference_mode()
    def fill(self, photo: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        """Return a fill as the pipeline would draw it, another one, and that of the most likely latent."""
        rgb01, hole01 = to_tensors(photo, mask, self.backend.device)
        with self.backend.autocast():
            features = self.model.encode(rgb01, hole01)
            noises: list[Tensor | None] = [None]
            if self.model.config.probabilistic:
                generators = [torch.Generator().manual_seed(seed) for seed in SHOWN_SEEDS]
                drawn = [self.model.latent(features.size_px, generator) for generator in generators]
                noises = [*drawn, None]
            return [paste_fill(photo, mask, self.model.decode(features, z).rgb01[0]) for z in noises]

    def export(self, folder: Path) -> None:
        save_checkpoint(folder, self.average.to_half("model."), self.model.model_type, self.model.config)


def _build_pretext_and_heads(model: Spn) -> tuple[Pretext | None, DistillationHeads | None]:
    """Return the pretext model that the configuration names, and the heads that lead to its maps."""
    config = model.config
    if config.pretext is None:
        return None, None
    pretext = build_pretext(config.pretext, config.prior_strides_px)
    return pretext, DistillationHeads(config.prior_channels, pretext.channels)


class WholeState(nn.Module):
    """A module whose own state is all of its state."""

    def own_state(self) -> dict[str, Tensor]:
        return self.state_dict()

    def load_own_state(self, state: dict[str, Tensor], where: str) -> None:
        """Load what `own_state` returned. Raises CheckpointError when it does not fit."""
        try:
            self.load_state_dict(state)
        except RuntimeError as error:
            raise CheckpointError(f"{where} does not fit its configuration: {error}") from error


class Generator(WholeState):
    """An SPN, and the distillation heads that exist in training only."""

    def __init__(self, model: Spn, heads: DistillationHeads | None):
        super().__init__()
        self.model, self.heads = model, heads


class DiscriminatorLoss(WholeState):
    """The discriminator, and its loss: Eq. (11)."""

    def __init__(self) -> None:
        super().__init__()
        self.discriminator = PatchDiscriminator()

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss. batch: real01 and fake01 `(B, 3, H, W)`."""
        real, fake = (self.discriminator(batch[name])[0] for name in ("real01", "fake01"))
        return discriminator_loss(real, fake)


class SpnLoss(nn.Module):
    """What the generator minimises: Eq. (12), or Eq. (15) when probabilistic."""

    def __init__(
        self,
        generator: Generator,
        discriminator: PatchDiscriminator,
        pretext: Pretext | None,
        perceptual: FrozenFeatures | None,
        config: SpnTrainConfig,
    ):
        super().__init__()
        self.generator, self.config = generator, config
        # In a tuple, so that they are no part of this module: what is trained here is the generator.
        self.others = (discriminator, pretext, perceptual)
        self.weights = SpnWeights(
            config.prior_weight, config.image_weight, config.adversarial_weight,
            config.feature_weight, config.diverse_weight, config.kl_weight,
        )  # fmt: skip
        self.fills: list[Tensor] = []  # of the present batch, for the discriminator's turn

    def forward(self, batch: Batch, first_sample: int) -> Tensor:
        """Return the loss of rgb01 `(B, 3, H, W)`, hole01 `(B, 1, H, W)` and, if probabilistic, latents."""
        discriminator, pretext, perceptual = self.others
        model, rgb01, hole01 = self.generator.model, batch["rgb01"], batch["hole01"]
        features = model.encode(rgb01, hole01)
        fill = model.decode(features, batch.get("noise"))
        # The discriminator sees what is used: the fill in the hole, the photo around it.
        shown = composite(fill.rgb01, rgb01, hole01)
        self.fills.append(shown.detach())
        with _freeze(discriminator):
            logits, maps = discriminator(shown)
        terms = {
            "image": image_loss(fill.rgb01, rgb01, hole01),
            "adversarial": adversarial_loss(logits),
        }
        if pretext is not None and self.generator.heads is not None:
            terms["prior"] = prior_loss(self.generator.heads(fill.priors), pretext(rgb01), hole01)
        if perceptual is not None:
            with torch.no_grad():
                true_maps, true_features = discriminator(rgb01)[1], perceptual(rgb01)
            shown_features = perceptual(shown)
            terms["feature"] = feature_loss(maps, true_maps) + feature_loss(shown_features, true_features)
            terms |= self._variational_terms(features, shown, batch, perceptual)
        return self.weights.total(terms)

    def _variational_terms(
        self, features: SpnFeatures, shown: Tensor, batch: Batch, perceptual: FrozenFeatures
    ) -> dict[str, Tensor]:
        """Return the terms of Eq. (15) on the latent: its distribution, and that fills by it differ."""
        assert features.mean is not None and features.sigma is not None  # of a probabilistic model
        terms = {"kl": kl_loss(features.mean, features.sigma)}
        twice = math.ceil(self.config.twice_share * len(shown))
        if twice:
            again = self.generator.model.decode(features.first(twice), batch["other_noise"][:twice]).rgb01
            again = composite(again, batch["rgb01"][:twice], batch["hole01"][:twice])
            # Halved, because noise from pixel to pixel would be the cheapest way to differ.
            first, second = (perceptual(F.avg_pool2d(one, 2)) for one in (shown[:twice], again))
            terms["diverse"] = diversity_loss(first, second, batch["hole01"][:twice], EPSILON)
        return terms


@contextlib.contextmanager
def _freeze(module: nn.Module) -> Iterator[None]:
    """Let gradients pass through a module inside a `with` block, and leave none for its weights."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
