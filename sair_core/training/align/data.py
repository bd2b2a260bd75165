"""Crops of photos with the class of each pixel, or with one word for the whole photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from sair_core.photos.folders import VOID, Classes, list_labelled_photos, list_photos
from sair_core.photos.photo import load_photo
from sair_core.seeds import Stream, stream_generator
from sair_core.semantics.file_names import word_of
from sair_core.training.data.photos import TrainPhoto, load_photos

LABEL_STEP_PX = 4  # the loss is asked at every fourth pixel of a crop
RARE = 0.1  # classes in fewer photos than this share are shown more often (repeat factor, LVIS 2019)
NO_WORD = -1


@dataclass(frozen=True)
class NamedPhoto:
    """rgb uint8 `(H, W, 3)`; word: what it shows somewhere, None where the file name does not say."""

    rgb: np.ndarray
    word: str | None


def load_labelled(folders: Sequence[str | Path], classes: Classes) -> list[TrainPhoto]:
    """Open photos that have label maps; unusable ones are logged. Raises DataError when none is left."""
    photos = load_photos([photo for folder in folders for photo, _ in list_labelled_photos(folder)], classes)
    return [photo for photo in photos if photo.ids is not None]


def load_named(folders: Sequence[str | Path], *, all_photos: bool = False) -> list[NamedPhoto]:
    """Open photos whose file names say what they show, and with `all_photos` the others, too."""
    words = {path: word_of(path.stem) for path in (list_photos(folders) if folders else ())}
    return [NamedPhoto(load_photo(path).rgb, word) for path, word in words.items() if word or all_photos]


def label_ids(photo: TrainPhoto) -> np.ndarray:
    """Return the label map of a photo that has one, uint8 `(H, W)`."""
    assert photo.ids is not None  # as `load_labelled` leaves none without
    return photo.ids


def photo_weights(photos: Sequence[TrainPhoto], classes: int) -> np.ndarray:
    """Return each photo's share of the draws, `(N,)`: more for rare classes, half for partial sources."""
    shown = np.array([np.bincount(label_ids(p).ravel(), minlength=256)[:classes] > 0 for p in photos])
    repeat = np.sqrt(RARE / shown.mean(axis=0).clip(1e-6)).clip(1, None)
    weights = np.where(shown, repeat, 1).max(axis=1) * np.where([p.partial for p in photos], 0.5, 1.0)
    return weights / weights.sum()


def class_weights(photos: Sequence[TrainPhoto], classes: int) -> torch.Tensor:
    """Return the weight of each class, `(classes,)`: bounded inverse fourth root of its share of pixels.

    More would name rare things more often than they are there, as rare ones are shown more often already.
    """
    counts = np.sum([np.bincount(label_ids(p).ravel(), minlength=256)[:classes] for p in photos], axis=0)
    share = counts / counts.sum()
    return torch.from_numpy((share.max() / share.clip(1e-9)) ** 0.25).clamp(1, 3).float()


def collate(samples: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Join samples into a batch."""
    return {name: torch.cat([sample[name] for sample in samples]) for name in samples[0]}


class AlignSamples(Dataset[dict[str, torch.Tensor]]):
    """Sample `i` depends on `(seed, i)` alone: `batch` labelled crops, `named_batch` named ones, in turn.

    A sample is `rgb01 (1, 3, S, S)`, `ids (1, S / 4, S / 4)` (255 = void), `word (1,)`, an index of `words`
    or NO_WORD, and `labelled (1,)`, whether it is one of the first kind.
    """

    def __init__(
        self,
        labelled: list[TrainPhoto],
        named: list[NamedPhoto],
        words: Sequence[str],
        classes: int,
        *,
        size_px: int,
        enlarge: tuple[float, float],
        batch: int,
        named_batch: int,
        seed: int,
    ):
        self.labelled, self.named = labelled, named
        self.size_px, self.enlarge, self.seed = size_px, enlarge, seed
        self.batch, self.named_batch = batch, named_batch if named else 0
        self.indices = {word: i for i, word in enumerate(words)}
        self.weights = photo_weights(labelled, classes)
        counts = np.sum([np.bincount(label_ids(p).ravel(), minlength=256) for p in labelled], axis=0)
        self.rarity = np.argsort(np.argsort(counts)) + np.where(np.arange(256) == VOID, 1000, 0)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng = stream_generator(self.seed, Stream.SAMPLE, index)
        word = NO_WORD
        labelled = index % (self.batch + self.named_batch) < self.batch
        if labelled:
            photo = self.labelled[rng.choice(len(self.labelled), p=self.weights)]
            rgb, ids = photo.rgb, label_ids(photo)
        else:
            named = self.named[rng.integers(len(self.named))]
            rgb, ids = named.rgb, np.full(named.rgb.shape[:2], VOID, np.uint8)
            word = NO_WORD if named.word is None else self.indices[named.word]
        rgb, ids = self._crop(rng, rgb, ids)
        rgb01 = recolour(rng, torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1))).float() / 255)
        return {
            "rgb01": rgb01[None],
            "ids": torch.from_numpy(ids.astype(np.int64))[None],
            "word": torch.tensor([word]),
            "labelled": torch.tensor([labelled]),
        }

    def _crop(
        self, rng: np.random.Generator, rgb: np.ndarray, ids: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        height, width = ids.shape
        enlarge = np.exp(rng.uniform(*np.log(self.enlarge)))
        stretch = np.exp(rng.uniform(-0.1, 0.1))
        tall = min(height, round(self.size_px / (enlarge * stretch)))
        wide = min(width, round(self.size_px * stretch / enlarge))
        top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
        if rng.random() < 0.3:  # around a pixel of the photo's rarest class
            present = np.unique(ids)
            rarest = present[self.rarity[present].argmin()]
            if rarest != VOID:
                rows, columns = np.nonzero(ids == rarest)
                chosen = rng.integers(len(rows))
                top = int(np.clip(rows[chosen] - rng.integers(tall), 0, height - tall))
                left = int(np.clip(columns[chosen] - rng.integers(wide), 0, width - wide))
        box = np.s_[top : top + tall, left : left + wide]
        rgb, ids = rgb[box], ids[box]
        if rng.random() < 0.5:
            rgb, ids = rgb[:, ::-1], ids[:, ::-1]
        side, small = self.size_px, self.size_px // LABEL_STEP_PX
        picture = Image.fromarray(np.ascontiguousarray(rgb)).resize((side, side), Image.Resampling.BICUBIC)
        labels = Image.fromarray(np.ascontiguousarray(ids)).resize((small, small), Image.Resampling.NEAREST)
        return np.asarray(picture), np.asarray(labels)


def recolour(rng: np.random.Generator, rgb01: torch.Tensor) -> torch.Tensor:
    """Change gamma, exposure, contrast, saturation and tint at random; `(3, H, W)` in [0, 1] in and out."""
    gamma, gain, contrast = np.exp(rng.normal(0, [0.2, 0.15, 0.15]))
    saturation = 0.0 if rng.random() < 0.05 else np.exp(rng.normal(0, 0.3))
    tint = torch.from_numpy(np.exp(rng.normal(0, 0.06, (3, 1, 1)))).float()
    x = rgb01.pow(float(gamma)) * float(gain) * tint
    grey = x.mean(dim=0, keepdim=True)
    x = grey + (x - grey) * float(saturation)
    return (x.mean() + (x - x.mean()) * float(contrast)).clamp(0, 1)
