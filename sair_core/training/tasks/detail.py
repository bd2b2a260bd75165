"""The task of a SAIR's `detail`, what lies between a photo's pixels: from reduced photos to their originals.

It reads and trains `Sair.detail` alone. A model's fills and semantics stay as they are, to the bit.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from sair_core.config import require, to_dict
from sair_core.coords import cell_of, grid_coords, sample_lanczos
from sair_core.errors import ConfigError
from sair_core.evaluation.metrics import psnr
from sair_core.evaluation.samples import centre_square
from sair_core.models.load import load_model
from sair_core.models.presets import preset
from sair_core.models.sair import Sair, SairConfig
from sair_core.photos.degrade import parse_degradation
from sair_core.photos.photo import load_photo
from sair_core.seeds import Stream, stream_generator
from sair_core.training.average import Average
from sair_core.training.backend import Backend
from sair_core.training.config import DetailTrainConfig
from sair_core.training.data.loader import Batch, Batches, load_pictures
from sair_core.training.data.photos import TrainPhoto
from sair_core.training.data.samples import PictureSamples, SampleSpec
from sair_core.training.data.store import load_split
from sair_core.training.optimisers import Learner, adamw
from sair_core.training.start import choose_model_config
from sair_core.training.tasks.validation import SHOWN
from sair_core.weights.checkpoint import save_checkpoint, start_from
from sair_core.window import Window
from sair_core.zoom.cache import FeatureCache, model_key
from sair_core.zoom.function import PhotoFunction

Enlarge = Callable[[np.ndarray, float], np.ndarray]  # a photo and a scale to the larger photo, uint8

logger = logging.getLogger(__name__)

SCALES = (2.0, 3.0, 4.0)  # of validation, in turn
VALIDATED_PX = 192  # side of its squares: a whole number of pixels at every scale


class DetailTask:
    """Training of a SAIR's `detail`: finer pixels of reduced photos."""

    def __init__(self, config: DetailTrainConfig, backend: Backend, resume: bool = False):
        """resume: no weights are needed to begin with, those of the run will be loaded."""
        self.backend = backend
        torch.manual_seed(config.seed)
        self.model = _build_model(config, resume)
        self.photos, held = load_split(config, None, backend)
        self.config = config = config.with_epochs(len(self.photos), backend.processes)
        self.pixels = self.photos.load_pixels(backend.device)
        backend.place(self.model).requires_grad_(False)
        detail = self.model.detail
        assert detail is not None  # the model was built with one
        detail.requires_grad_(True)
        self.scale_max = detail.config.largest_scale
        self.validation = DetailValidation(held)
        self.loss = backend.prepare(DetailLoss(self.model))
        optimiser = adamw(self.model, config.learning_rate, config.weight_decay, config.betas)
        self.learners = {"detail": Learner(self.model, optimiser)}
        self.average = Average(self.model, config.ema)
        self.facts = {"train": to_dict(config), "model": to_dict(self.model.config)}
        count = sum(p.numel() for p in detail.parameters())
        logger.info("%.0f thousand parameters on %s, %s", count / 1e3, backend.device, backend.precision)

    def loader(self, phase: int, first_sample: int) -> Batches:
        size_px, batch = self.config.shape(phase)
        samples = FinerSamples(self.photos, size_px, self.config.queries, self.scale_max, self.config.seed)
        share, workers = self.backend.share, self.config.workers
        return load_pictures(samples, batch, first_sample, workers, share, self.pixels)

    def step(self, batch: Batch, first_sample: int) -> float:
        optimiser = self.learners["detail"].optimiser
        return self.backend.optimise(
            self.loss, optimiser, batch, first_sample, clip_norm=self.config.clip_norm
        )

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        return self.validation(self.enlarge)

    def enlarge(self, rgb: np.ndarray, scale: float) -> np.ndarray:
        """Return a whole photo as a view at that scale shows it, uint8."""
        photo, cache = load_photo(rgb), FeatureCache()
        function = PhotoFunction(
            self.model, photo, cache, device=self.backend.device, bf16=self.config.bf16, key=model_key()
        )
        return function.render(Window.whole(photo.size_px, scale))

    def export(self, folder: Path) -> None:
        save_checkpoint(folder, self.average.to_half(), self.model.model_type, self.model.config)


def _build_model(config: DetailTrainConfig, resume: bool) -> Sair:
    """Return the model to begin with; where it has no `detail`, with the preset's, untrained."""
    if resume:
        return Sair(choose_model_config(config, SairConfig, preset, resume))
    start = Sair(preset(config.preset or "lite")) if config.start is None else load_model(config.start)
    if not isinstance(start, Sair):
        raise ConfigError(f"{config.start} is no SAIR. Name one with --from, such as sair-lite.")
    if start.detail is not None:
        return start
    detail = preset(config.preset or "lite").detail
    require(detail is not None, "this preset has no detail to train. Name another, such as lite.")
    model = Sair(dataclasses.replace(start.config, detail=detail), start.semantic_encoder)
    start_from(model, start.own_state())
    return model


class FinerSamples(PictureSamples):
    """Samples by number, as `FillSamples`: squares of photos at their own resolution, reduced by 1 to
    `scale_max`, without a hole."""

    def __init__(self, photos: Sequence[TrainPhoto], size_px: int, queries: int, scale_max: float, seed: int):
        self.photos, self.size_px, self.queries = photos, size_px, queries
        self.degradation, self.seed = parse_degradation(f"scale:1-{scale_max:g}"), seed

    def __getitem__(self, index: int) -> list[SampleSpec]:
        rng = stream_generator(self.seed, Stream.DETAIL_SAMPLE, index)
        photo = int(rng.integers(len(self.photos)))
        height, width = self.photos[photo].rgb.shape[:2]
        size_px, short = self.size_px, min(height, width)
        ((_, scale),) = self.degradation.draw(rng)
        # As fine as was asked, or as the photo is; one that is smaller than the picture is enlarged to it.
        fine_px = max(size_px, min(short, round(size_px * scale)))
        side = min(short, fine_px)
        top, left = (int(rng.integers(n - side + 1)) for n in (height, width))
        no_hole = np.zeros((size_px, size_px), bool)
        queries = rng.integers(fine_px**2, size=self.queries)
        return [SampleSpec(photo, top, left, side, bool(rng.random() < 0.5), fine_px, no_hole, queries)]


class DetailLoss(nn.Module):
    """L1 of the colours that a view shows (see `sair_core.zoom.function`)."""

    def __init__(self, model: Sair):
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, first_sample: int) -> Tensor:
        """Return the loss of a batch as `load_pictures` yields it, without holes."""
        rgb01 = batch["rgb01"]
        size = rgb01.shape[-2:]
        features = self.model.encode_view(rgb01)
        found = self.model.decode_view(features, batch["coords_yx"], batch["cell"])
        pixels = grid_coords(size, device=rgb01.device).flatten(0, 1).expand(len(rgb01), -1, -1)
        at_pixels = self.model.decode_view(
            features, pixels, cell_of(size, device=rgb01.device).expand(len(rgb01), -1)
        )
        missing = rgb01 - at_pixels.transpose(1, 2).unflatten(2, size)
        return (found + sample_lanczos(missing, batch["coords_yx"]) - batch["target01"]).abs().mean()


class DetailValidation:
    """Centre squares of held-back photos, reduced by 2, 3 and 4 in turn, and enlarged again."""

    def __init__(self, photos: Sequence[TrainPhoto]):
        side = VALIDATED_PX
        self.photos = [_crop_centre(p.rgb, side) for p in photos]
        self.scales = [SCALES[i % len(SCALES)] for i in range(len(photos))]
        self.small = [_resize(p, round(side / s)) for p, s in zip(self.photos, self.scales)]
        self.plain = [_resize(small, side, Image.Resampling.LANCZOS) for small in self.small]

    def __call__(self, enlarge: Enlarge) -> tuple[dict[str, float], Image.Image]:
        """Return figures and a picture of enlargements.

        Figures: mean PSNR in dB, and how much that is over Lanczos, overall and at each scale (`over_x2`).
        The picture has rows Lanczos, the model, true.
        """
        found = [enlarge(small, scale) for small, scale in zip(self.small, self.scales)]
        scores = [psnr(one, true) for one, true in zip(found, self.photos)]
        over = [score - psnr(plain, true) for score, plain, true in zip(scores, self.plain, self.photos)]
        figures = {"psnr": float(np.mean(scores)), "over": float(np.mean(over))}
        for i, scale in enumerate(SCALES):
            if over[i :: len(SCALES)]:
                figures[f"over_x{scale:g}"] = float(np.mean(over[i :: len(SCALES)]))
        rows = (self.plain, found, self.photos)
        grid = np.concatenate([np.concatenate(row[:SHOWN], axis=1) for row in rows])
        return figures, Image.fromarray(grid)


def _crop_centre(rgb: np.ndarray, side: int) -> np.ndarray:
    """Return the middle of a photo at its own resolution; one that is smaller is enlarged."""
    if min(rgb.shape[:2]) < side:
        return centre_square(rgb, side)
    top, left = ((n - side) // 2 for n in rgb.shape[:2])
    return rgb[top : top + side, left : left + side]


def _resize(rgb: np.ndarray, side: int, method: Image.Resampling = Image.Resampling.BICUBIC) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb).resize((side, side), method))
