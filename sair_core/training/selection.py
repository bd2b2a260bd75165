"""Train what selects the object under points: `python -m sair_core.training.selection`.

The encoder reads every photo once; after that a step costs the small network alone. A sample is a square part
of a photo with one object in it, and up to four clicks: the first inside, each next one into the largest
region that the network has wrong (Sofiiuk et al. 2022).
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor
from tqdm import tqdm

from sair_core.command_line import Option, run_command
from sair_core.config import require, strict_dataclass
from sair_core.evaluation.clicks import largest_region, wrong_region
from sair_core.evaluation.objects import list_objects
from sair_core.holes import to_rgb01
from sair_core.models.selection import Meaning, SelectionNet, click_maps
from sair_core.photos.folders import list_labelled_photos, read_classes, read_label_map
from sair_core.photos.photo import load_photo
from sair_core.semantics.reader import SemanticReader
from sair_core.semantics.selector import read_meaning
from sair_core.weights.checkpoint import save_checkpoint

ROUNDS = (0.45, 0.25, 0.15, 0.15)  # of steps with 0, 1, 2 and 3 further clicks
SIDE = (0.45, 1.0)  # of a square, in units of the photo's short side
CELLS = 20  # of the meaning of a square, each way
VISIBLE = (0.01, 0.97)  # of a square, that its object takes
BCE_WEIGHT = 2.0  # beside 1 for the Dice loss
LOGGED = 100  # steps


@strict_dataclass
class SelectionTrainConfig:
    """Train what selects the object under points."""

    labelled: Annotated[Path, Option(metavar="FOLDER")]
    """folder of photos with label maps (NAME.jpg, NAME.png), and classes.json in it or above"""
    output: Annotated[Path, Option(metavar="FOLDER")]
    """folder to write the model into"""
    start: Annotated[Path | None, Option("--from", metavar="FOLDER")] = None
    """model whose weights to begin with"""
    minutes: float = 18.0
    """length of the training, after the photos were read"""
    batch: int = 8
    """squares a step"""
    size_px: int = 160
    """side of a square; a multiple of 16"""
    learning_rate: float = 2e-3
    """highest learning rate"""
    warmup_steps: int = 50
    """steps until it is reached"""
    weight_decay: float = 0.01
    """AdamW's weight decay"""
    ema: float = 0.99
    """decay of the weights' moving average"""
    seed: int = 0
    """of weights and samples"""

    def __post_init__(self) -> None:
        for name in ("minutes", "batch", "size_px", "learning_rate", "warmup_steps"):
            require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}")
        require(self.size_px % 16 == 0, f"size_px must be a multiple of 16, got {self.size_px}")


@dataclass(frozen=True, eq=False)
class ReadPhoto:
    """rgb: uint8 `(H, W, 3)`; meaning: of the photo, in float16; objects: bool `(H, W)` each."""

    rgb: np.ndarray
    meaning: Meaning
    objects: list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Square:
    """rgb01 `(3, S, S)`, meaning `(s, s)` and object, bool `(S, S)`, of a part of a photo."""

    rgb01: Tensor
    meaning: Meaning
    mask: np.ndarray


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.training.selection") -> int:
    """Run the command line and return its exit status."""
    return run_command(_train, SelectionTrainConfig, argv, prog=prog)


def _train(config: SelectionTrainConfig) -> None:
    photos = read_photos(config.labelled, SemanticReader.from_pretrained(mirror=False))
    require(bool(photos), f"{config.labelled} shows no object. Label things such as cars and persons.")
    model = train(photos, config)
    save_checkpoint(config.output, model.own_state(), model.model_type, model.config)
    print(f"The model is in {config.output}.")


def read_photos(folder: Path, reader: SemanticReader) -> list[ReadPhoto]:
    """Return the photos that show objects, with what the encoder makes of them. Raises DataError."""
    classes, photos = read_classes(folder), []
    for photo, label_map in tqdm(list_labelled_photos(folder), unit="photo", disable=None):
        loaded = load_photo(photo)
        rgb, count = loaded.rgb, len(classes.names)
        ids = read_label_map(label_map, loaded.size_px, count, orientation=loaded.orientation)
        objects = list_objects(ids, classes)
        if objects:
            read = read_meaning(reader, rgb)
            meaning = Meaning(read.vectors.half(), read.shares.half(), read.things)
            photos.append(ReadPhoto(rgb, meaning, [one.mask for one in objects]))
    return photos


def train(photos: Sequence[ReadPhoto], config: SelectionTrainConfig) -> SelectionNet:
    """Return a network that was trained on photos for so many minutes; with averaged weights."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    model = SelectionNet() if config.start is None else SelectionNet.from_pretrained(config.start)
    optimiser = torch.optim.AdamW(model.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    started, step, share, logged = time.perf_counter(), 0, 0.0, 0.0
    with tqdm(total=100, unit="%", disable=None) as bar:
        while share < 1:
            share = min(1.0, (time.perf_counter() - started) / 60 / config.minutes)
            cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share))
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * cosine * min(1.0, (step + 1) / config.warmup_steps)
            maps, wanted = draw_batch(photos, model, config, rng)
            loss = selection_loss(model(maps), wanted)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            step += 1
            decay = min(config.ema, step / (step + 9))
            for name, value in model.state_dict().items():
                average[name].lerp_(value, 1 - decay)
            logged += loss.item() / LOGGED
            if step % LOGGED == 0:
                bar.set_postfix(step=step, loss=f"{logged:.3f}")
                logged = 0.0
            bar.update(int(100 * share) - bar.n)
    model.load_state_dict(average)
    return model.eval()


def draw_batch(
    photos: Sequence[ReadPhoto], model: SelectionNet, config: SelectionTrainConfig, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return the maps of clicks `(B, C, S, S)`, and the objects that they are on, `(B, 1, S, S)`."""
    squares = [draw_square(photos, config.size_px, rng) for _ in range(config.batch)]
    clicks = [[(*draw_point(square.mask, rng), True)] for square in squares]
    for _ in range(int(rng.choice(len(ROUNDS), p=ROUNDS))):
        with torch.no_grad():
            found = model(_stack(squares, clicks))[:, 0].numpy() > 0
        for square, given, mask in zip(squares, clicks, found):
            wrong = wrong_region(mask, square.mask)
            if wrong is not None:
                x, y = draw_point(wrong, rng)
                given.append((x, y, bool(square.mask[int(y), int(x)])))
    wanted = torch.from_numpy(np.stack([square.mask for square in squares]))[:, None].float()
    return _stack(squares, clicks), wanted


def draw_square(photos: Sequence[ReadPhoto], size_px: int, rng: np.random.Generator) -> Square:
    """Return a random square with an object in it, mirrored and in other colours at times."""
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
        rgb01, reduced = pair[:3], pair[3].numpy() > 0.5
        shift = torch.from_numpy(rng.uniform(-0.08, 0.08, (3, 1, 1))).float()
        rgb01 = ((rgb01 - 0.5) * rng.uniform(0.8, 1.2) + 0.5 + shift).clamp(0, 1)
        if rng.random() < 0.1:
            rgb01 = rgb01.mean(dim=0, keepdim=True).expand(3, -1, -1)
        if reduced.any():
            return Square(rgb01, meaning, reduced)


def draw_point(region: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Return x and y, in px, of a random place well inside a mask's True part."""
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    places = np.argwhere(depth >= depth.max() * rng.uniform(0.3, 1.0))
    row, column = places[rng.integers(len(places))]
    return float(column) + 0.5, float(row) + 0.5


def selection_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return cross-entropy and Dice loss of logits, both `(B, 1, H, W)`."""
    share = logits.sigmoid()
    both = (share * wanted).sum(dim=(1, 2, 3))
    dice = (2 * both + 1) / (share.sum(dim=(1, 2, 3)) + wanted.sum(dim=(1, 2, 3)) + 1)
    return BCE_WEIGHT * F.binary_cross_entropy_with_logits(logits, wanted) + (1 - dice).mean()


def _stack(squares: Sequence[Square], clicks: Sequence[Sequence[tuple[float, float, bool]]]) -> Tensor:
    maps = []
    for square, given in zip(squares, clicks):
        values = torch.tensor(given)
        places = values[:, :2] / square.rgb01.shape[-1]
        maps.append(click_maps(square.rgb01, square.meaning, places, values[:, 2] > 0))
    return torch.stack(maps)


if __name__ == "__main__":
    sys.exit(main())
