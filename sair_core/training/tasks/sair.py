"""Training of a SAIR: photos with holes in, colours at queried coordinates out."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from sair_core.config import to_dict
from sair_core.coords import cell_of, pixel_coords
from sair_core.errors import DataError
from sair_core.models.presets import preset
from sair_core.models.sair import Sair, SairConfig
from sair_core.photos.folders import Classes, classes_file, read_classes
from sair_core.training import loop
from sair_core.training.backend import Batch, Batches, Engine
from sair_core.training.config import TrainConfig
from sair_core.training.data.samples import FillSamples, batches
from sair_core.training.data.store import photos_and_held
from sair_core.training.start import begin_with, configured
from sair_core.training.state import Average, Learner, adamw
from sair_core.training.tasks.semantics import Meaning
from sair_core.training.tasks.validation import Validation, as_tensors, filled_in
from sair_core.weights.checkpoint import save_checkpoint

logger = logging.getLogger(__name__)


def train(config: TrainConfig, *, resume: str | None = None, show_progress: bool = True) -> Path:
    """Train a SAIR; returns the folder of the trained model, `OUTPUT/model`: averaged weights, which the
    pipeline can load at any time. resume: state.LATEST or PREVIOUS, or None.

    Raises DataError for folders without photos, ConfigError when OUTPUT already holds a run and `resume` is
    not set, CheckpointError when there is nothing to resume or the loss stopped being a number.
    """
    return loop.train(FillTask, config, resume=resume, show_progress=show_progress)


class FillTask:
    """Colours of queried pixels, four in five of them inside a hole."""

    def __init__(self, config: TrainConfig, engine: Engine, resume: bool = False):
        """resume: the weights to begin with will be loaded from the run."""
        self.config, self.engine = config, engine
        torch.manual_seed(config.seed)
        chosen = configured(config, SairConfig, preset, resume)
        if config.semantics:
            chosen = dataclasses.replace(chosen, semantics=config.semantics)
        self.model = Sair(chosen)
        named = self.model.semantic_encoder is not None
        classes = _classes(config.data) if named else None
        self.photos, held = photos_and_held(config, classes, engine)
        self.resident = self.photos.resident(engine.device)
        if config.start and not resume:
            begin_with(self.model, config.start)
        self.model.to(engine.device, memory_format=torch.channels_last)
        if self.model.detail is not None:
            self.model.detail.requires_grad_(False)  # a training of its own, `detail.train`
        self.meaning = Meaning(self.model, classes, config.semantic_queries) if named else None
        self.validation = Validation(held, config.final_size_px, config.seed)
        self.loss = engine.prepare(FillLoss(self.model, self.meaning, config))
        optimiser = adamw(self.model, config.learning_rate, config.weight_decay, config.betas)
        self.learners = {"model": Learner(self.model, optimiser)}
        self.average = Average(self.model, config.ema)
        self.facts = {"model": to_dict(self.model.config)}
        count = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
        logger.info("%.1f M parameters on %s, %s", count / 1e6, engine.device, engine.precision)

    def loader(self, phase: int, first_sample: int) -> Batches:
        size_px, batch = self.config.shape(phase)
        samples = FillSamples(
            self.photos,
            size_px=size_px,
            queries=self.config.queries_of(phase),
            hole_share=self.config.hole_share,
            batch=batch * self.engine.processes,
            scale_share=self.config.scale_share,
            scale_max=self.config.scale_max,
            seed=self.config.seed,
        )
        share, workers = self.engine.share, self.config.workers
        return batches(samples, batch, first_sample, workers, share, self.resident)

    def step(self, batch: Batch, first_sample: int) -> float:
        optimiser = self.learners["model"].optimiser
        return self.engine.optimise(
            self.loss, optimiser, batch, first_sample, clip_norm=self.config.clip_norm
        )

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        return self.validation(self.fill)

    @torch.inference_mode()
    def fill(self, photo: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        """The filled photo, and with semantics the map that was completed under the hole."""
        rgb01, hole01 = as_tensors(photo, mask, self.engine.device)
        rows, columns = hole01[0, 0].nonzero(as_tuple=True)
        with self.engine.autocast():
            features = self.model.encode(rgb01, hole01)
            coords = pixel_coords(rows, columns, mask.shape)[None]
            cell = cell_of(mask.shape, device=rgb01.device)[None]
            filled = filled_in(photo, mask, self.model.decode(features, coords, cell)[0])
            found = [] if self.meaning is None else [self.meaning.map(features, mask.shape)]
        return [filled, *found]

    def export(self, folder: Path) -> None:
        save_checkpoint(folder, self.average.half(), self.model.model_type, self.model.config)


class FillLoss(nn.Module):
    """What is minimised: the error of the colours, and with semantics that of the meanings."""

    def __init__(self, model: Sair, meaning: Meaning | None, config: TrainConfig):
        super().__init__()
        self.model, self.meaning, self.config = model, meaning, config

    def forward(self, batch: Batch, first_sample: int) -> Tensor:
        """Batch as `data.batches` makes it, and the number of its first sample: what is drawn here depends on
        that, so that a resumed run draws what it would have drawn, and several processes draw the same."""
        config = self.config
        rng = np.random.default_rng([config.seed, 9, first_sample])
        teacher = words = None
        if self.meaning is not None:
            teacher = self.meaning.teach(batch["rgb01"])
            if rng.random() < config.guide_share:
                words = self.meaning.words(rng, teacher, batch)
        features = self.model.encode(batch["rgb01"], batch["hole01"], words=words)
        rgb = self.model.decode(features, batch["coords_yx"], batch["cell"])
        error = rgb - batch["target01"]  # the hole's weight is its share of the queries
        loss = error.abs().mean() + config.squared_weight * error.square().mean()
        if self.model.sir is not None:
            distance, labels = self.meaning.losses(features, teacher, batch)
            loss = loss + config.semantic_weight * distance + config.label_weight * labels
        return loss


def _classes(folders: Sequence[str]) -> Classes | None:
    """The classes of the folders that have any. Raises DataError when two have different ones."""
    found: Classes | None = None
    for folder in folders:
        if classes_file(folder) is None:
            continue
        classes = read_classes(folder)
        if found is not None and classes.names != found.names:
            raise DataError(
                f"{folder} has other classes than the folders before it. Train on one set of them."
            )
        found = classes
    return found
