"""The task of an SPN: priors from a pretext model, fills against an adversary (SPN paper, 3.3)."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from sair_core.config import to_dict
from sair_core.devices import upload
from sair_core.encoders.pretext import Pretext, PretextConfig, packaged_features
from sair_core.models.presets import spn_preset
from sair_core.models.prior import DistillationHeads
from sair_core.models.spn import Spn, SpnConfig, SpnFeatures, composite
from sair_core.models.teacher import build_teacher
from sair_core.seeds import Stream, stream_generator
from sair_core.training.average import Average
from sair_core.training.backend import Backend
from sair_core.training.config import SpnTrainConfig
from sair_core.training.data.loader import Batch, Batches, load_pictures
from sair_core.training.data.masks import MaskFolder
from sair_core.training.data.samples import FillSamples
from sair_core.training.data.store import PhotoStore, load_split
from sair_core.training.optimisers import Learner, adam
from sair_core.training.start import choose_model_config, load_start_weights
from sair_core.training.tasks.adversary import (
    REDUCTIONS,
    Adversary,
    PatchAdversary,
    ProjectedAdversary,
    WholeState,
)
from sair_core.training.tasks.perceptual import build_perceptual, take_measured
from sair_core.training.tasks.spn_losses import (
    SpnWeights,
    choose_weights,
    diversity_loss,
    gamut_loss,
    image_loss,
    kl_loss,
    prior_loss,
)
from sair_core.training.tasks.validation import RealismValidation, Validation, paste_fill, to_tensors
from sair_core.weights.checkpoint import save_checkpoint

logger = logging.getLogger(__name__)

SHOWN_SEEDS = (1, 2)
LEAST_CONTRAST = 0.3  # of a photo that is shown pale, of its own


class SpnTask:
    """Training of an SPN: generator and adversary take a step each on every batch."""

    def __init__(self, config: SpnTrainConfig, backend: Backend, resume: bool = False):
        """resume: no weights are needed to begin with, those of the run will be loaded."""
        self.backend = backend
        torch.manual_seed(config.seed)
        chosen = choose_model_config(config, SpnConfig, partial(spn_preset, probabilistic=True), resume)
        chosen = _change_model(chosen, config)
        self.model = Spn(chosen)
        pretext, heads = _build_pretext_and_heads(self.model)
        self.photos, held = load_split(config, None, backend)
        self.config = config = config.with_epochs(len(self.photos), backend.processes)
        self.pixels = self.photos.load_pixels(backend.device)
        self.masks = None if config.masks is None else MaskFolder(config.masks)
        adversary, name = _build_adversary(config, chosen.probabilistic, self.photos, backend)
        self.facts = {"train": to_dict(config), "model": to_dict(chosen), "perceptual": name}
        generator = Generator(self.model, heads)
        if config.start and not resume:
            load_start_weights(self.model, config.start)
        for module in (generator, adversary, pretext):
            if isinstance(module, nn.Module):
                backend.place(module)
        validation = Validation if config.adversary == "patch" else RealismValidation
        self.validation = validation(held, config.final_size_px, config.seed)
        self.spn_loss = SpnLoss(generator, adversary, pretext, config, backend.processes)
        self.loss, self.adversary_loss = backend.prepare(self.spn_loss), backend.prepare(adversary)
        self.numbers, self.terms = adversary.numbers, defaultdict[str, list[float]](list)
        self.learners = {
            "generator": Learner(generator, adam(generator, config.learning_rate, config.betas)),
            "discriminator": Learner(adversary, adam(adversary, config.learning_rate, config.betas)),
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
            object_share=self.config.object_share,
            masks=self.masks,
            enlarge_max=1.0,  # what is enlarged is blurred, and would be shown as real
            seed=self.config.seed,
        )
        share, workers = self.backend.share, self.config.workers
        return load_pictures(samples, batch, first_sample, workers, share, self.pixels)

    def step(self, batch: Batch, first_sample: int) -> float:
        """As `Task`. The loss is that of the fills without the adversarial term, which has no minimum."""
        generator, discriminator = (one.optimiser for one in self.learners.values())
        clip_norm, loss = self.config.clip_norm, self.spn_loss
        rgb01 = self._make_pale(batch["rgb01"], first_sample)
        real = {"rgb01": rgb01, "hole01": batch["hole01"]}
        real |= self._draw_noise(rgb01, first_sample)
        loss.begin()
        total = self.backend.optimise(self.loss, generator, real, first_sample, clip_norm=clip_norm)
        judged = {name: torch.cat([part[name] for part in loss.judged]) for name in loss.judged[0]}
        other = self.backend.optimise(self.adversary_loss, discriminator, judged, clip_norm=clip_norm)
        if not math.isfinite(total + other):
            return math.nan
        for name, value in {**loss.terms, "adversary": other}.items():
            self.terms[name].append(value)
        return total - self.backend.mean(loss.weights.adversarial * loss.terms.get("adversarial", 0.0))

    def _make_pale(self, rgb01: Tensor, first_sample: int) -> Tensor:
        """Return photos of which `pale_share` are mixed with a grey, seeded as `_draw_noise` is.

        Instance norm tells a generator little about how strong a photo's contrast is; seldom shown a dim one,
        it fills it with the blacks and lights of others.
        """
        share = self.config.pale_share
        if not share:
            return rgb01
        rng = stream_generator(self.config.seed, Stream.PALENESS, self._first(rgb01, first_sample))
        chosen, kept, grey = torch.from_numpy(rng.random((3, len(rgb01), 1, 1, 1), np.float32))
        kept = torch.where(chosen < share, LEAST_CONTRAST + (1 - LEAST_CONTRAST) * kept, torch.ones(()))
        kept, grey = (upload(one, self.backend.device) for one in (kept, grey))
        return torch.lerp(grey, rgb01, kept)

    def _draw_noise(self, rgb01: Tensor, first_sample: int) -> Batch:
        """Draw what is random in the losses of pictures, seeded by the number of this process's first one.

        Two latents if the model is probabilistic, and the numbers of the adversary's augmentation.
        """
        count, _, height, width = rgb01.shape
        first = self._first(rgb01, first_sample)
        seed = (self.config.seed * 1_000_003 + first) * 2
        drawn = {}
        if self.model.config.probabilistic:
            for place, name in enumerate(("noise", "other_noise")):
                generator = torch.Generator().manual_seed(seed + place)
                drawn[name] = self.model.latent((height, width), generator, count)
        if self.numbers:
            rng = stream_generator(self.config.seed, Stream.AUGMENTATION, first)
            drawn["augment"] = torch.from_numpy(rng.random((count, self.numbers), np.float32))
        return {name: upload(value, self.backend.device) for name, value in drawn.items()}

    def _first(self, rgb01: Tensor, first_sample: int) -> int:
        """Return the number of the first sample of this process's share of a batch."""
        return first_sample + self.backend.rank * len(rgb01)

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        """As `Task`; figures are also the terms of the losses, their means since the last validation."""
        figures, picture = self.validation(self.fill)
        figures |= {f"{name}_loss": float(np.mean(values)) for name, values in self.terms.items()}
        self.terms.clear()
        return figures, picture

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


def _change_model(model: SpnConfig, config: SpnTrainConfig) -> SpnConfig:
    """Return a model's configuration with what the run's options change of it."""
    generator = {name: getattr(config, name) for name in ("blocks", "fusion")}
    whole = {name: getattr(config, name) for name in ("probabilistic", "scales")}
    model = dataclasses.replace(
        model,
        generator=dataclasses.replace(model.generator, **_without_none(generator)),
        **_without_none(whole),
    )
    pretext = model.pretext
    if config.pretext is not None:
        named = dataclasses.replace(pretext or PretextConfig(), name=config.pretext)
        pretext = None if config.pretext == "none" else named
    if pretext is not None and config.random_pretext:
        pretext = dataclasses.replace(pretext, pretrained=False)
    return dataclasses.replace(model, pretext=pretext)


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _build_pretext_and_heads(model: Spn) -> tuple[Pretext | None, DistillationHeads | None]:
    """Return the pretext model that the configuration names, and the heads that lead to its maps."""
    config = model.config
    if config.pretext is None:
        return None, None
    pretext = build_teacher(config.pretext, config.prior_strides_px)
    return pretext, DistillationHeads(config.prior_channels, pretext.channels)


def _build_adversary(
    config: SpnTrainConfig, probabilistic: bool, photos: PhotoStore, backend: Backend
) -> tuple[PatchAdversary | ProjectedAdversary, str | None]:
    """Return the adversary that is chosen, and the name of the network whose maps compare pictures."""
    if config.adversary == "patch":
        perceptual, name = build_perceptual() if probabilistic else (None, None)
        return PatchAdversary(None if perceptual is None else backend.place(perceptual)), name
    features = packaged_features(config.judge, REDUCTIONS)
    some = take_measured(photos, config.size_px)
    adversary = ProjectedAdversary(features, some)
    backend.place(features)
    return adversary, config.judge


class Generator(WholeState):
    """An SPN, and the distillation heads that exist in training only."""

    def __init__(self, model: Spn, heads: DistillationHeads | None):
        super().__init__()
        self.model, self.heads = model, heads


class SpnLoss(nn.Module):
    """What the generator minimises: Eq. (12), or Eq. (15) when probabilistic.

    Of the present batch, one a part of it: judged, what the adversary's own step needs; terms: their values.
    """

    def __init__(
        self,
        generator: Generator,
        adversary: Adversary,
        pretext: Pretext | None,
        config: SpnTrainConfig,
        processes: int,
    ):
        super().__init__()
        self.generator, self.config = generator, config
        # In a tuple, so that they are no part of this module: what is trained here is the generator.
        self.others = (adversary, pretext)
        names = [field.name for field in dataclasses.fields(SpnWeights)]
        chosen = {name: getattr(config, f"{name}_weight") for name in names}
        self.weights = choose_weights(config.adversary, chosen)
        self.joins_at = config.image_steps * config.batch * processes  # number of a sample
        self.begin()

    def begin(self) -> None:
        """Forget the batch before."""
        self.judged: list[Batch] = []
        self.terms: dict[str, float] = {}
        self._pictures = 0

    def forward(self, batch: Batch, first_sample: int) -> Tensor:
        """Return the loss of rgb01 `(B, 3, H, W)`, hole01 `(B, 1, H, W)` and what is drawn for them."""
        adversary, pretext = self.others
        model, rgb01, hole01 = self.generator.model, batch["rgb01"], batch["hole01"]
        features = model.encode(rgb01, hole01)
        fill = model.decode(features, batch.get("noise"))
        # The adversary sees what is used: the fill in the hole, the photo around it.
        shown = composite(fill.rgb01, rgb01, hole01)
        terms, judged = adversary.compare(shown, batch)
        self.judged.append(judged)
        terms["image"] = image_loss(fill.rgb01, rgb01, hole01)
        if self.weights.gamut:
            terms["gamut"] = gamut_loss(fill.rgb01, rgb01, hole01)
        if pretext is not None and self.generator.heads is not None:
            terms["prior"] = prior_loss(self.generator.heads(fill.priors), pretext(rgb01), hole01)
        if model.config.probabilistic:
            terms |= self._variational_terms(features, shown, batch)
        if first_sample < self.joins_at:
            # Without a judge fills would differ by streaks.
            terms = {name: term for name, term in terms.items() if name not in ("adversarial", "diverse")}
        self._add(terms, len(rgb01))
        return self.weights.total(terms)

    def _add(self, terms: dict[str, Tensor], pictures: int) -> None:
        """Take the terms of a part of the batch into their means."""
        before, self._pictures = self._pictures, self._pictures + pictures
        for name, term in terms.items():
            mean = self.terms.get(name, 0.0)
            self.terms[name] = (before * mean + pictures * term.item()) / self._pictures

    def _variational_terms(self, features: SpnFeatures, shown: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of Eq. (15) on the latent: its distribution, and that fills by it differ."""
        assert features.mean is not None and features.sigma is not None  # of a probabilistic model
        terms = {"kl": kl_loss(features.mean, features.sigma)}
        twice = math.ceil(self.config.twice_share * len(shown))
        if twice and self.weights.diverse:
            adversary, _ = self.others
            again = self.generator.model.decode(features.first(twice), batch["other_noise"][:twice]).rgb01
            again = composite(again, batch["rgb01"][:twice], batch["hole01"][:twice])
            # Halved, because noise from pixel to pixel would be the cheapest way to differ.
            first, second = (adversary.perceive(F.avg_pool2d(one, 2)) for one in (shown[:twice], again))
            terms["diverse"] = diversity_loss(first, second, batch["hole01"][:twice], self.config.epsilon)
        return terms
