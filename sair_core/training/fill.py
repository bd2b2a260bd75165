"""Training of a SAIR: photos with holes in, colours at queried coordinates out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sair_core.checkpoint import save_checkpoint, start_from
from sair_core.config import to_dict
from sair_core.coords import cell_of, grid_coords, sample_cubic
from sair_core.devices import autocast, has_bf16, keep_freed_memory, pick_device
from sair_core.errors import ConfigError, DataError
from sair_core.folders import Classes, classes_file, photo_files, read_classes
from sair_core.hub import load_model
from sair_core.models.presets import preset
from sair_core.models.sair import Sair, SairFeatures
from sair_core.training.config import TrainConfig
from sair_core.training.data import FillSamples, TrainPhoto, batches, load_photos, split
from sair_core.training.loop import Batch, begin_folder, optimise, run, write_configuration
from sair_core.training.meaning import Meaning
from sair_core.training.state import Average, parameter_groups
from sair_core.training.validation import Validation

logger = logging.getLogger(__name__)


def train(config: TrainConfig, *, resume: bool = False, show_progress: bool = True) -> Path:
    """Train a SAIR; returns the folder of the trained model, `OUTPUT/model`.

    The run folder holds `train.json` (the effective configuration), what `loop.run` promises, and `model/`
    (averaged weights, loadable by the pipeline at any time).

    Raises DataError for folders without photos, ConfigError when OUTPUT already holds a run and `resume` is
    not set, CheckpointError when there is nothing to resume or the loss stopped being a number.
    """
    keep_freed_memory()
    folder = begin_folder(config.output, resume)
    task = FillTask(config, None if resume else config.start)
    write_configuration(folder, train=to_dict(config), model=to_dict(task.model.config))
    run(task, config, folder, resume=resume, show_progress=show_progress)
    return folder / "model"


class FillTask:
    """Colours of queried pixels, four in five of them inside a hole."""

    def __init__(self, config: TrainConfig, start: str | None):
        """start: a model whose weights to begin with."""
        self.config = config
        self.device = pick_device(config.device)
        torch.manual_seed(config.seed)
        changes = {"semantics": config.semantics} if config.semantics else {}
        self.model = Sair(preset(config.preset, **changes))
        named = self.model.semantic_encoder is not None
        classes = _classes(config.data) if named else None
        self.photos, self.validation = _photos(config, classes)
        if start:
            _begin_with(self.model, start)
        self.model.to(self.device, memory_format=torch.channels_last)
        self.meaning = Meaning(self.model, classes, config.semantic_queries) if named else None
        self.optimiser = torch.optim.AdamW(
            parameter_groups(self.model, config.weight_decay),
            lr=config.learning_rate,
            betas=config.betas,
            fused=self.device.type != "mps",
        )
        self.average = Average(self.model, config.ema)
        count = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
        precision = "bfloat16" if config.bf16 and has_bf16(self.device) else "float32"
        logger.info("%.1f M parameters on %s, %s", count / 1e6, self.device, precision)

    def loader(self, phase: int, first_sample: int) -> Iterator[tuple[int, Batch]]:
        size_px, batch, queries = self.config.shape(phase)
        samples = FillSamples(
            self.photos,
            size_px=size_px,
            queries=queries,
            hole_share=self.config.hole_share,
            batch=batch,
            scale_share=self.config.scale_share,
            scale_max=self.config.scale_max,
            seed=self.config.seed,
        )
        return batches(samples, batch, first_sample, self.config.workers)

    def step(self, batch: Batch, first_sample: int) -> float:
        config = self.config
        # By sample number, so that a resumed run draws what it would have drawn.
        rng = np.random.default_rng([config.seed, 9, first_sample])
        with autocast(self.device, config.bf16):
            teacher = words = None
            if self.meaning is not None:
                teacher = self.meaning.teach(batch["rgb01"])
                if rng.random() < config.guide_share:
                    words = self.meaning.words(rng, teacher, batch)
            features = self.model.encode(batch["rgb01"], batch["hole01"], words=words)
            rgb = self.model.decode(features, batch["coords_yx"], batch["cell"])
            if self._finer(batch):
                rgb = rgb + self._missing(features, batch)
            error = rgb - batch["target01"]  # the hole's weight is its share of the queries
            loss = error.abs().mean() + config.squared_weight * error.square().mean()
            if self.model.sir is not None:
                distance, labels = self.meaning.losses(features, teacher, batch)
                loss = loss + config.semantic_weight * distance + config.label_weight * labels
        return optimise(self.model, self.optimiser, loss, config.clip_norm)

    @staticmethod
    def _finer(batch: Batch) -> bool:
        """Whether pixels are asked for that are finer than the picture's."""
        return bool((batch["cell"][:, 0] < 1.999 / batch["rgb01"].shape[-1]).any())

    def _missing(self, features: SairFeatures, batch: Batch) -> Tensor:
        """What a view adds to the function outside the hole: its error at the picture's own pixels,
        interpolated (see `sair_core.zoom`). `(B, Q, 3)`."""
        rgb01 = batch["rgb01"]
        size = rgb01.shape[-2:]
        coords = grid_coords(size, device=rgb01.device).flatten(0, 1).expand(len(rgb01), -1, -1)
        found = self.model.decode(features, coords, cell_of(size, device=rgb01.device).expand(len(rgb01), -1))
        missing = (rgb01 - found.transpose(1, 2).unflatten(2, size)) * (1 - batch["hole01"])
        return sample_cubic(missing, batch["coords_yx"]) * ~batch["inside"].unsqueeze(-1)

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        return self.validation(self.model, self.device, self.config.bf16)

    def export(self, folder: Path) -> None:
        half = {k: v.half() if v.is_floating_point() else v for k, v in self.average.state.items()}
        save_checkpoint(folder / "model", half, self.model.model_type, self.model.config)


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


def _photos(config: TrainConfig, classes: Classes | None) -> tuple[list[TrainPhoto], Validation]:
    photos = load_photos(photo_files(config.data), classes)
    if config.val:
        held = load_photos(photo_files(config.val))
    else:
        photos, held = split(photos, config.val_share, config.seed)
    validation = Validation(held, config.final_size_px, config.seed)
    logger.info("%d photos to train on, %d to validate with", len(photos), len(validation.photos))
    return photos, validation


def _begin_with(model: Sair, start: str) -> None:
    missing, unexpected = start_from(model, load_model(start).own_state())
    sizes = {k: v.numel() for k, v in model.own_state().items()}
    share = 1 - sum(sizes[k] for k in missing) / sum(sizes.values())
    if share < 0.5:
        raise ConfigError(
            f"Only {share:.0%} of the weights of {start} fit this preset. Name the preset it was made with."
        )
    logger.info("begin with the weights of %s (%.0f %% of this model's)", start, 100 * share)
    for what, keys in (("not in it, new", missing), ("in it, not used", unexpected)):
        if keys:
            logger.warning("%s: %s", what, ", ".join(keys))
