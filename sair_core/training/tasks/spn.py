"""Training of an SPN: priors from a pretext model, fills against a discriminator (SPN paper, 3.3)."""

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
from sair_core.models.spn import Spn, SpnConfig, composite
from sair_core.training import loop
from sair_core.training.backend import Batch, Batches, Engine
from sair_core.training.config import SpnTrainConfig
from sair_core.training.data.samples import FillSamples, batches
from sair_core.training.data.store import photos_and_held
from sair_core.training.start import begin_with, configured
from sair_core.training.state import Average, Learner
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
from sair_core.training.tasks.validation import Validation, as_tensors, filled_in
from sair_core.weights.checkpoint import save_checkpoint

logger = logging.getLogger(__name__)

EPSILON = 0.02  # of Eq. (14): with the paper's 1e-5 two equal fills, as all are at first, cost 100,000
SHOWN_SEEDS = (1, 2)


def train(config: SpnTrainConfig, *, resume: str | None = None, show_progress: bool = True) -> Path:
    """Train an SPN; returns the folder of the trained model, `OUTPUT/model`. As `fill.train`."""
    return loop.train(SpnTask, config, resume=resume, show_progress=show_progress)


class SpnTask:
    """Generator and discriminator, a step each on every batch."""

    def __init__(self, config: SpnTrainConfig, engine: Engine, resume: bool = False):
        """resume: the weights to begin with will be loaded from the run."""
        self.config, self.engine = config, engine
        torch.manual_seed(config.seed)
        chosen = configured(config, SpnConfig, partial(spn_preset, probabilistic=True), resume)
        if config.probabilistic is not None:
            chosen = dataclasses.replace(chosen, probabilistic=config.probabilistic)
        self.model = Spn(chosen)
        pretext, heads = _teacher(self.model)
        perceptual, name = build_perceptual() if chosen.probabilistic else (None, None)
        self.facts = {"model": to_dict(chosen), "perceptual": name}
        judge, trained = Judge(), Distilled(self.model, heads)
        self.photos, held = photos_and_held(config, None, engine)
        self.resident = self.photos.resident(engine.device)
        if config.start and not resume:
            begin_with(self.model, config.start)
        for module in (trained, judge, pretext, perceptual):
            if module is not None:
                module.to(engine.device, memory_format=torch.channels_last)
        self.validation = Validation(held, config.final_size_px, config.seed)
        loss = SpnLoss(trained, judge.discriminator, pretext, perceptual, config)
        self.fills = loss.fills
        self.loss, self.judge = engine.prepare(loss), engine.prepare(judge)
        adam = {"lr": config.learning_rate, "betas": config.betas, "fused": engine.device.type != "mps"}
        self.learners = {
            "generator": Learner(trained, torch.optim.Adam(trained.parameters(), **adam)),
            "discriminator": Learner(judge, torch.optim.Adam(judge.parameters(), **adam)),
        }
        self.average = Average(trained, config.ema)
        count = sum(p.numel() for p in self.model.parameters())
        logger.info("%.1f M parameters on %s, %s", count / 1e6, engine.device, engine.precision)

    def loader(self, phase: int, first_sample: int) -> Batches:
        size_px, batch = self.config.shape(phase)
        samples = FillSamples(
            self.photos,
            size_px=size_px,
            queries=1,  # the whole picture is filled
            hole_share=1.0,
            batch=batch * self.engine.processes,
            seed=self.config.seed,
        )
        share, workers = self.engine.share, self.config.workers
        return batches(samples, batch, first_sample, workers, share, self.resident)

    def step(self, batch: Batch, first_sample: int) -> float:
        generator, discriminator = (one.optimiser for one in self.learners.values())
        clip_norm = self.config.clip_norm
        real = {name: batch[name] for name in ("rgb01", "hole01")}
        if self.model.config.probabilistic:
            real |= self._noise(len(batch["rgb01"]), batch["rgb01"].shape[-2:], first_sample)
        self.fills.clear()
        loss = self.engine.optimise(self.loss, generator, real, first_sample, clip_norm=clip_norm)
        judged = {"real01": batch["rgb01"], "fake01": torch.cat(self.fills)}
        judgement = self.engine.optimise(self.judge, discriminator, judged, clip_norm=clip_norm)
        return loss if math.isfinite(judgement) else math.nan

    def _noise(self, count: int, size_px: tuple[int, int], first_sample: int) -> Batch:
        """Two latents for each picture, by its number: parts and processes draw what the whole would."""
        first = first_sample + self.engine.share[0] * count
        found = {}
        for place, name in enumerate(("noise", "other_noise")):
            seed = (self.config.seed * 1_000_003 + first) * 2 + place
            drawn = self.model.latent(tuple(size_px), torch.Generator().manual_seed(seed), count)
            found[name] = drawn.to(self.engine.device)
        return found

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        return self.validation(self.fill)

    @torch.inference_mode()
    def fill(self, photo: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        """A fill as the pipeline would draw it, another, and the one in the middle of the distribution."""
        rgb01, hole01 = as_tensors(photo, mask, self.engine.device)
        with self.engine.autocast():
            features = self.model.encode(rgb01, hole01)
            noises: list[Tensor | None] = [None]
            if self.model.config.probabilistic:
                generators = [torch.Generator().manual_seed(seed) for seed in SHOWN_SEEDS]
                drawn = [self.model.latent(features.size_px, generator) for generator in generators]
                noises = [*drawn, None]
            return [filled_in(photo, mask, self.model.decode(features, z).rgb01[0]) for z in noises]

    def export(self, folder: Path) -> None:
        save_checkpoint(folder, self.average.half("model."), self.model.model_type, self.model.config)


def _teacher(model: Spn) -> tuple[Pretext | None, DistillationHeads | None]:
    """The pretext model that the configuration names, and the heads that lead to its maps."""
    config = model.config
    if config.pretext is None:
        return None, None
    pretext = build_pretext(config.pretext, config.prior_strides_px)
    return pretext, DistillationHeads(config.prior_channels, pretext.channels)


class Whole(nn.Module):
    """A module all of whose state is saved."""

    def own_state(self) -> dict[str, Tensor]:
        return self.state_dict()

    def load_own_state(self, state: dict[str, Tensor], where: str) -> None:
        """Raises CheckpointError when it does not fit."""
        try:
            self.load_state_dict(state)
        except RuntimeError as error:
            raise CheckpointError(f"{where} does not fit its configuration: {error}") from error


class Distilled(Whole):
    """An SPN and the heads that exist in training only."""

    def __init__(self, model: Spn, heads: DistillationHeads | None):
        super().__init__()
        self.model, self.heads = model, heads


class Judge(Whole):
    """The discriminator with its loss, Eq. (11)."""

    def __init__(self) -> None:
        super().__init__()
        self.discriminator = PatchDiscriminator()

    def forward(self, batch: Batch) -> Tensor:
        """real01, fake01 `(B, 3, H, W)`."""
        real, fake = (self.discriminator(batch[name])[0] for name in ("real01", "fake01"))
        return discriminator_loss(real, fake)


class SpnLoss(nn.Module):
    """What the generator minimises: Eq. (12), or Eq. (15) when probabilistic."""

    def __init__(
        self,
        trained: Distilled,
        discriminator: PatchDiscriminator,
        pretext: Pretext | None,
        perceptual: FrozenFeatures | None,
        config: SpnTrainConfig,
    ):
        super().__init__()
        self.trained, self.config = trained, config
        # In a tuple, so that they are no part of this module: what is trained here is the generator.
        self.others = (discriminator, pretext, perceptual)
        self.weights = SpnWeights(
            config.prior_weight, config.image_weight, config.adversarial_weight,
            config.feature_weight, config.diverse_weight, config.kl_weight,
        )  # fmt: skip
        self.fills: list[Tensor] = []  # of the present batch, for the discriminator's turn

    def forward(self, batch: Batch, first_sample: int) -> Tensor:
        """rgb01 `(B, 3, H, W)`, hole01 `(B, 1, H, W)`, and when probabilistic two latents each."""
        discriminator, pretext, perceptual = self.others
        model, rgb01, hole01 = self.trained.model, batch["rgb01"], batch["hole01"]
        features = model.encode(rgb01, hole01)
        fill = model.decode(features, batch.get("noise"))
        # What is judged is what is used: the fill in the hole, the photo around it.
        shown = composite(fill.rgb01, rgb01, hole01)
        self.fills.append(shown.detach())
        with _constant(discriminator):
            logits, maps = discriminator(shown)
        terms = {
            "image": image_loss(fill.rgb01, rgb01, hole01),
            "adversarial": adversarial_loss(logits),
        }
        if pretext is not None:
            terms["prior"] = prior_loss(self.trained.heads(fill.priors), pretext(rgb01), hole01)
        if model.config.probabilistic:
            with torch.no_grad():
                true_maps, true_seen = discriminator(rgb01)[1], perceptual(rgb01)
            seen = perceptual(shown)
            terms["feature"] = feature_loss(maps, true_maps) + feature_loss(seen, true_seen)
            terms["kl"] = kl_loss(features.mean, features.sigma)
            twice = math.ceil(self.config.twice_share * len(rgb01))
            if twice:
                again = model.decode(features.first(twice), batch["other_noise"][:twice]).rgb01
                again = composite(again, rgb01[:twice], hole01[:twice])
                # Halved, because noise from pixel to pixel would be the cheapest way to differ.
                maps = [perceptual(F.avg_pool2d(one, 2)) for one in (shown[:twice], again)]
                terms["diverse"] = diversity_loss(*maps, hole01[:twice], EPSILON)
        return self.weights.total(terms)


@contextlib.contextmanager
def _constant(module: nn.Module) -> Iterator[None]:
    """Gradients pass through the module and none is kept for its weights."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
