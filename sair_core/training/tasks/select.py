"""The task of what selects the object under points: squares of labelled photos, and simulated clicks.

The encoder reads every photo once; after that a step costs the small network alone. A sample is a square part
of a photo with one object in it. It is clicked up to four times: the first click is inside, each next one in
the largest region that the network has wrong (Sofiiuk et al. 2022).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate
from tqdm import tqdm

from sair_core.config import to_dict
from sair_core.encoders.semantic import find_encoder
from sair_core.errors import DataError
from sair_core.evaluation.clicks import iou, largest_region, select_after, wrong_region
from sair_core.evaluation.objects import list_objects
from sair_core.holes import to_rgb01
from sair_core.models.load import find_folder
from sair_core.models.selection import Meaning, SelectionNet, click_maps
from sair_core.photos.folders import Classes
from sair_core.seeds import Stream, stream_generator
from sair_core.semantics.reader import SemanticReader
from sair_core.semantics.selector import read_meaning
from sair_core.training.average import Average
from sair_core.training.backend import Backend
from sair_core.training.config import SelectionTrainConfig
from sair_core.training.data.loader import Batch, Batches, load_batches
from sair_core.training.data.photos import TrainPhoto, read_common_classes
from sair_core.training.data.store import load_split
from sair_core.training.optimisers import Learner, adamw
from sair_core.training.tasks.validation import SHOWN
from sair_core.weights.checkpoint import save_checkpoint

logger = logging.getLogger(__name__)

ROUNDS = (0.45, 0.25, 0.15, 0.15)  # of steps with 0, 1, 2 and 3 further clicks
SIDE = (0.45, 1.0)  # of a square, in units of the photo's short side
CELLS = 20  # of the meaning of a square, each way
VISIBLE = (0.01, 0.97)  # of a square, that its object takes
BCE_WEIGHT = 2.0  # beside 1 for the Dice loss
VALIDATED = 96  # squares
CLICKS = (1, 3)  # after which they are compared with their objects

Click = tuple[float, float, bool]  # x and y in px, and whether it is inside the object


class SelectionTask:
    """Training of a `SelectionNet` on the objects of photos with label maps."""

    def __init__(self, config: SelectionTrainConfig, backend: Backend, resume: bool = False):
        """resume: no weights are needed to begin with, those of the run will be loaded.

        Raises DataError for photos without classes or without objects, and what building the encoder raises.
        """
        self.backend = backend
        torch.manual_seed(config.seed)
        if config.start and not resume:
            self.model = SelectionNet.from_pretrained(find_folder(config.start) or config.start)
        else:
            self.model = SelectionNet()
        classes = read_common_classes(config.data)
        if classes is None:
            raise DataError(
                "There is no classes.json in the folders or above them. Give photos with label maps."
            )
        photos, held = load_split(config, classes, backend, held_classes=classes)
        reader = SemanticReader.from_pretrained(find_encoder(config.encoder), device=str(backend.device))
        self.photos = read_photos(photos, classes, reader)
        self.config = config = config.with_epochs(len(self.photos), backend.processes)
        self.validation = SelectionValidation(read_photos(held, classes, reader), config.size_px, config.seed)
        backend.place(self.model)
        self.loss = backend.prepare(SelectionLoss(self.model))
        optimiser = adamw(self.model, config.learning_rate, config.weight_decay, config.betas)
        self.learners = {"model": Learner(self.model, optimiser)}
        self.average = Average(self.model, config.ema)
        self.facts = {"train": to_dict(config), "model": to_dict(self.model.config)}
        count = sum(p.numel() for p in self.model.parameters())
        logger.info("%.0f thousand parameters on %s, %s", count / 1e3, backend.device, backend.precision)

    def loader(self, phase: int, first_sample: int) -> Batches:
        size_px, batch = self.config.shape(phase)
        samples = SquareSamples(self.photos, size_px, self.config.seed)
        share, workers = self.backend.share, self.config.workers
        return load_batches(samples, batch, first_sample, workers, share, default_collate)

    def step(self, batch: Batch, first_sample: int) -> float:
        process, _ = self.backend.share
        rng = stream_generator(self.config.seed, Stream.CLICKS, first_sample, process)
        clicked = {"maps": self.click(batch, rng), "mask": batch["mask"]}
        optimiser = self.learners["model"].optimiser
        return self.backend.optimise(
            self.loss, optimiser, clicked, first_sample, clip_norm=self.config.clip_norm
        )

    def click(self, batch: Batch, rng: np.random.Generator) -> Tensor:
        """Return what the clicks on the objects of a batch say of every place, `(B, CHANNELS, S, S)`."""
        wanted = batch["mask"][:, 0].cpu().numpy() > 0
        clicks: list[list[Click]] = [[(*draw_point(mask, rng), True)] for mask in wanted]
        for _ in range(int(rng.choice(len(ROUNDS), p=ROUNDS))):
            found = self.select(_stack(batch, clicks))
            for given, mask, true in zip(clicks, found, wanted):
                wrong = wrong_region(mask, true)
                if wrong is not None:
                    x, y = draw_point(wrong, rng)
                    given.append((x, y, bool(true[int(y), int(x)])))
        return _stack(batch, clicks)

    def select(self, maps: Tensor) -> np.ndarray:
        """Return what is selected, bool `(B, S, S)`. maps: `(B, CHANNELS, S, S)`."""
        with torch.no_grad(), self.backend.autocast():
            found: np.ndarray = (self.model(maps)[:, 0] > 0).cpu().numpy()
        return found

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        return self.validation(self)

    def export(self, folder: Path) -> None:
        save_checkpoint(folder, self.average.to_half(), self.model.model_type, self.model.config)


@dataclass(frozen=True, eq=False)
class ReadPhoto:
    """rgb: uint8 `(H, W, 3)`; meaning: of the photo, in float16; objects: bool `(H, W)` each."""

    rgb: np.ndarray
    meaning: Meaning
    objects: list[np.ndarray]


def read_photos(photos: Iterable[TrainPhoto], classes: Classes, reader: SemanticReader) -> list[ReadPhoto]:
    """Return the photos that show objects, with what the encoder makes of them.

    Raises DataError where none does.
    """
    read = []
    for photo in tqdm(photos, unit="photo", disable=None):
        objects = [] if photo.ids is None else list_objects(photo.ids, classes)
        if objects:
            meaning = read_meaning(reader, photo.rgb)
            meaning = Meaning(meaning.vectors.half(), meaning.shares.half(), meaning.things)
            read.append(ReadPhoto(photo.rgb, meaning, [one.mask for one in objects]))
    if not read:
        raise DataError(
            "No photo shows an object that takes 1 % of it. Label things such as cars and persons, or hold "
            "back more photos with --val-share."
        )
    return read


class SquareSamples(Dataset[dict[str, Tensor]]):
    """Sample `i` depends on `(seed, i)` alone: a square of a photo with an object, as `draw_square` says."""

    def __init__(self, photos: Sequence[ReadPhoto], size_px: int, seed: int):
        self.photos, self.size_px, self.seed = photos, size_px, seed

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return draw_square(
            self.photos, self.size_px, stream_generator(self.seed, Stream.SELECTION_SAMPLE, index)
        )


def draw_square(photos: Sequence[ReadPhoto], size_px: int, rng: np.random.Generator) -> dict[str, Tensor]:
    """Return a random square with an object in it, mirrored and in other colours at times.

    `rgb01 (3, S, S)` in [0, 1]; `mask (1, S, S)`, 1 where the object is; its meaning: `vectors (D, s, s)`,
    `shares (K, s, s)`, and `things ()`, as in `Meaning`.
    """
    while True:
        photo = photos[int(rng.integers(len(photos)))]
        whole = photo.objects[int(rng.integers(len(photo.objects)))]
        size = np.array(whole.shape)
        side = max(1, round(size.min() * rng.uniform(*SIDE)))
        places = np.argwhere(whole)
        corner = places[rng.integers(len(places))] - rng.uniform(0.15, 0.85, 2) * side
        top, left = corner.round().clip(0, size - side).astype(int)
        rows, columns = slice(top, top + side), slice(left, left + side)
        mask = largest_region(whole[rows, columns])
        if mask is None or not VISIBLE[0] < mask.mean() < VISIBLE[1]:
            continue
        pair = torch.cat([to_rgb01(photo.rgb[rows, columns]), torch.from_numpy(mask)[None, None].float()], 1)
        pair = F.interpolate(pair, (size_px, size_px), mode="bilinear", antialias=True)[0]
        y, x = (
            (first + (torch.arange(CELLS) + 0.5) * side / CELLS) / n for first, n in zip((top, left), size)
        )
        if rng.random() < 0.5:
            pair, x = pair.flip(-1), x.flip(0)
        meaning = photo.meaning.sample(torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).float())
        rgb01, reduced = pair[:3], (pair[3:] > 0.5).float()
        shift = torch.from_numpy(rng.uniform(-0.08, 0.08, (3, 1, 1))).float()
        rgb01 = ((rgb01 - 0.5) * rng.uniform(0.8, 1.2) + 0.5 + shift).clamp(0, 1)
        if rng.random() < 0.1:
            rgb01 = rgb01.mean(dim=0, keepdim=True).expand(3, -1, -1)
        if reduced.any():
            return {
                "rgb01": rgb01,
                "mask": reduced,
                "vectors": meaning.vectors,
                "shares": meaning.shares,
                "things": torch.tensor(meaning.things),
            }


def draw_point(region: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Return x and y, in px, of a random place well inside a mask's True part."""
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    places = np.argwhere(depth >= depth.max() * rng.uniform(0.3, 1.0))
    row, column = places[rng.integers(len(places))]
    return float(column) + 0.5, float(row) + 0.5


class SelectionLoss(nn.Module):
    """The loss of a network's selections."""

    def __init__(self, model: SelectionNet):
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, first_sample: int) -> Tensor:
        """Return the loss of `maps (B, CHANNELS, S, S)` whose objects are `mask (B, 1, S, S)`."""
        return selection_loss(self.model(batch["maps"]).float(), batch["mask"])


def selection_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return cross-entropy and Dice loss of logits, both `(B, 1, H, W)`."""
    share = logits.sigmoid()
    both = (share * wanted).sum(dim=(1, 2, 3))
    dice = (2 * both + 1) / (share.sum(dim=(1, 2, 3)) + wanted.sum(dim=(1, 2, 3)) + 1)
    return BCE_WEIGHT * F.binary_cross_entropy_with_logits(logits, wanted) + (1 - dice).mean()


class SelectionValidation:
    """Squares of held-back photos, the same every time, clicked in the middle of what is wrong."""

    def __init__(self, photos: Sequence[ReadPhoto], size_px: int, seed: int):
        rng = stream_generator(seed, Stream.VALIDATION_SQUARES)
        self.squares = [draw_square(photos, size_px, rng) for _ in range(VALIDATED)]

    def __call__(self, task: SelectionTask) -> tuple[dict[str, float], Image.Image]:
        """Return figures and a picture of selections.

        Figures: mean intersection over union after CLICKS. The picture has rows photo, object, and what is
        selected after each of CLICKS.
        """
        ious: list[list[float]] = []
        columns: list[np.ndarray] = []
        for square in self.squares:
            batch = {name: value[None].to(task.backend.device) for name, value in square.items()}
            true = square["mask"][0].numpy() > 0

            def select(points: np.ndarray, labels: np.ndarray, batch: Batch = batch) -> np.ndarray:
                clicks = [(x, y, bool(inside)) for (x, y), inside in zip(points.tolist(), labels)]
                found: np.ndarray = task.select(_stack(batch, [clicks]))[0]
                return found

            after = select_after(true, select, CLICKS)
            ious.append([iou(found, true) for found in after])
            if len(columns) < SHOWN:
                rgb = (255 * square["rgb01"].permute(1, 2, 0).numpy()).round().astype(np.uint8)
                shown = [np.where(one[..., None], rgb, rgb // 4) for one in (true, *after)]
                columns.append(np.concatenate([rgb, *shown]))
        means = np.mean(ious, axis=0)
        figures = {f"iou_{n}": float(value) for n, value in zip(CLICKS, means)}
        return figures, Image.fromarray(np.concatenate(columns, axis=1))


def _stack(batch: Batch, clicks: Sequence[Sequence[Click]]) -> Tensor:
    """Return the maps of clicks on a batch, `(B, CHANNELS, S, S)` on its device."""
    maps = []
    for rgb01, vectors, shares, things, given in zip(
        batch["rgb01"], batch["vectors"], batch["shares"], batch["things"].tolist(), clicks
    ):
        values = torch.tensor(given)
        places = values[:, :2] / rgb01.shape[-1]
        maps.append(click_maps(rgb01, Meaning(vectors, shares, things), places, values[:, 2] > 0))
    return torch.stack(maps)
