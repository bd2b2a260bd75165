"""Public sets of photos and masks, read in place as they are downloaded: what is for what, its labels.

Known are CelebAMask-HQ, ADE20K (scene parsing), Places2, Paris StreetView, and the masks of Liu et al.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from sair_core.errors import DataError
from sair_core.photos.folders import (
    VOID,
    Classes,
    list_labelled_photos,
    list_photos,
    read_classes,
    read_ids,
    read_label_map,
    sort_files,
)

log = logging.getLogger(__name__)

Use = Literal["train", "test"]

ADE_CLASSES = "objectInfo150.txt"
CELEBA_MAPS = "CelebAMask-HQ-mask-anno"
CELEBA_MAPS_IN_A_FOLDER = 2000
# The parts of a face in the order in which CelebAMask-HQ's own script draws them: later ones lie on top.
CELEBA_PARTS = {
    "skin": "skin", "nose": "nose", "eye_g": "eyeglasses", "l_eye": "left eye", "r_eye": "right eye",
    "l_brow": "left eyebrow", "r_brow": "right eyebrow", "l_ear": "left ear", "r_ear": "right ear",
    "mouth": "mouth", "u_lip": "upper lip", "l_lip": "lower lip", "hair": "hair", "hat": "hat",
    "ear_r": "earring", "neck_l": "necklace", "neck": "neck", "cloth": "clothing",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Files of one use: in one of the folders (below the set's own), so many as were published.

    first, last: of the folder's files in order, as a slice has them, where two uses share a folder.
    """

    use: Use
    folders: tuple[str, ...]
    published: int
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class Layout:
    """How a set lies on disk. marks: folders by which it is known, any of them; labels: what names pixels."""

    name: str
    marks: tuple[str, ...]
    parts: tuple[Part, ...]
    labels: tuple[str, ...] = ()


LAYOUTS = (
    # The SAIR paper trains on 25,000 of the 30,000 and tests on 5,000; which ones it does not say.
    Layout(
        "CelebAMask-HQ",
        ("CelebA-HQ-img",),
        (
            Part("train", ("CelebA-HQ-img",), 25_000, last=25_000),
            Part("test", ("CelebA-HQ-img",), 5_000, first=25_000),
        ),
        (CELEBA_MAPS,),
    ),
    Layout(
        "ADE20K",
        ("images/training", "images/validation"),
        (
            Part("train", ("images/training",), 20_210),
            Part("test", ("images/validation",), 2_000),
        ),
        (ADE_CLASSES, "annotations/training", "annotations/validation"),
    ),
    # Its archives for 256 px, at full size, and the "standard" tree; photos lie in a folder for each scene.
    Layout(
        "Places2",
        ("data_256", "data_large", "val_256", "val_large", "train/airfield", "val/airfield"),
        (
            Part("train", ("data_256", "data_large", "train"), 1_803_460),
            Part("test", ("val_256", "val_large", "val"), 36_500),
        ),
    ),
    Layout(
        "Paris StreetView",
        ("paris_train_original", "paris_eval", "paris_eval_gt"),
        (
            Part("train", ("paris_train_original",), 14_900),
            Part("test", ("paris_eval/paris_eval_gt", "paris_eval_gt"), 100),
        ),
    ),
    Layout(
        "the masks of Liu et al.",
        ("testing_mask_dataset", "mask/testing_mask_dataset", "disocclusion_img_mask"),
        (
            Part("train", ("disocclusion_img_mask", "irregular_mask/disocclusion_img_mask"), 55_116),
            Part("test", ("mask/testing_mask_dataset", "testing_mask_dataset"), 12_000),
        ),
    ),
)


@dataclass(frozen=True)
class Dataset:
    """A set that was found on disk. root: the folder that its parts lie in."""

    root: Path
    layout: Layout

    @property
    def name(self) -> str:
        """As its makers call it."""
        return self.layout.name

    def list_files(self, use: Use) -> list[Path]:
        """Return the files for a use, in the order of the numbers in their names. Raises DataError."""
        part = self._part(use)
        folder = self._folder(part)
        if folder is None:
            where = " or ".join(str(self.root / name) for name in part.folders)
            raise DataError(f"{self.name} lacks its photos for {use}: {where}. Put them there.")
        return _list_files(folder)[part.first : part.last]

    def describe(self, use: Use) -> list[str]:
        """Return in lines how many files there are for a use beside those published, and what is missing."""
        part = self._part(use)
        folder = self._folder(part)
        if folder is None:
            lines = [f"{self.name}, {use}: {' or '.join(part.folders)} is missing"]
        else:
            count = len(self.list_files(use))
            said = "as published" if count == part.published else f"{part.published:,} were published"
            lines = [f"{self.name}, {use}: {count:,} files in {folder.relative_to(self.root)}, {said}"]
        missing = [name for name in self.layout.labels if not (self.root / name).exists()]
        return lines + [f"{self.name}: {name} is missing, so labels cannot be read" for name in missing]

    @property
    def classes(self) -> Classes | None:
        """What the ids of `read_ids` mean; None where what was downloaded has no labels."""
        if any(not (self.root / name).exists() for name in self.layout.labels[:1]):
            return None
        if self.name == "CelebAMask-HQ":
            names = ("background", *CELEBA_PARTS.values())
            return Classes(names, ((),) * len(names))
        return _read_ade_classes(self.root / ADE_CLASSES) if self.name == "ADE20K" else None

    def read_ids(self, photo: Path) -> np.ndarray | None:
        """Return the class ids of a photo of the set as they are stored, uint8 `(H, W)`, 255 = void.

        CelebAMask-HQ's have half the sides of its photos. None where it is not labelled. Raises DataError for
        a map that cannot be read.
        """
        if self.name == "CelebAMask-HQ":
            return self._read_parts(int(photo.stem))
        if self.name != "ADE20K":
            return None
        path = self.root / "annotations" / photo.parent.name / f"{photo.stem}.png"
        if not path.is_file():
            return None
        ids = read_ids(path)
        # Its 0 is whatever is none of the 150 classes, which begin with 1.
        return np.where(ids == 0, VOID, ids - 1).astype(np.uint8)

    def _read_parts(self, number: int) -> np.ndarray | None:
        """Lay the masks of a face's parts over each other; None where it has none."""
        folder = self.root / CELEBA_MAPS / str(number // CELEBA_MAPS_IN_A_FOLDER)
        ids: np.ndarray | None = None
        for i, part in enumerate(CELEBA_PARTS, start=1):
            path = folder / f"{number:05d}_{part}.png"
            if path.is_file():
                mask = read_ids(path)
                ids = np.zeros_like(mask) if ids is None else ids
                ids[mask > 0] = i
        return ids

    def _part(self, use: Use) -> Part:
        return next(part for part in self.layout.parts if part.use == use)

    def _folder(self, part: Part) -> Path | None:
        return next((self.root / name for name in part.folders if (self.root / name).is_dir()), None)


def find_dataset(folder: str | Path) -> Dataset | None:
    """Return the set that lies in a folder; None where it is a folder like any other."""
    root = Path(folder)
    for layout in LAYOUTS:
        if any((root / mark).is_dir() for mark in layout.marks):
            return Dataset(root, layout)
    return None


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo and what names its pixels: a set it belongs to, or the PNG beside it."""

    path: Path
    source: Dataset | Path

    def read_ids(self, size_px: tuple[int, int], classes: Classes, orientation: int = 1) -> np.ndarray:
        """Return class ids, uint8 `size_px`, 255 = void; otherwise as `read_label_map`. Raises DataError."""
        if isinstance(self.source, Path):
            return read_label_map(self.source, size_px, len(classes.names), orientation=orientation)
        return _resize(self._read_stored(self.source), size_px)

    def list_ids(self) -> np.ndarray:
        """Return the ids that its map holds, each once, void included. Raises DataError."""
        ids = read_ids(self.source) if isinstance(self.source, Path) else self._read_stored(self.source)
        return np.unique(ids)

    def _read_stored(self, dataset: Dataset) -> np.ndarray:
        ids = dataset.read_ids(self.path)
        if ids is None:
            raise DataError(f"{self.path} has no labels in {dataset.root}. Fetch them, too.")
        return ids


def list_labelled(folder: str | Path, use: Use = "test") -> tuple[list[LabelledPhoto], Classes]:
    """Return the labelled photos of a folder, of a known set those for this use, and what the ids mean.

    Raises DataError where nothing is labelled.
    """
    dataset = find_dataset(folder)
    if dataset is None:
        classes = read_classes(folder)
        return [LabelledPhoto(*pair) for pair in list_labelled_photos(folder)], classes
    found = dataset.classes
    if found is None:
        raise DataError(f"{dataset.name} in {folder} has no labels. Add {', '.join(dataset.layout.labels)}.")
    return [LabelledPhoto(photo, dataset) for photo in list_and_log(dataset, use)], found


def list_photos_for(use: Use, folder: str | Path) -> list[Path]:
    """Return the photos of a folder and below; of a known set those for this use. Raises DataError."""
    dataset = find_dataset(folder)
    return list_photos([folder], recursive=True) if dataset is None else list_and_log(dataset, use)


def list_and_log(dataset: Dataset, use: Use) -> list[Path]:
    """Return a set's files for a use, and log how many there are and what is missing. Raises DataError."""
    files = dataset.list_files(use)
    for line in dataset.describe(use):
        log.warning("%s", line)
    return files


def _list_files(folder: Path) -> list[Path]:
    """Photos (or masks) in a folder and below, 2.jpg before 10.jpg."""
    photos, _ = sort_files(folder.rglob("*"))
    return sorted(photos, key=lambda path: _numbers(path.relative_to(folder).as_posix()))


def _numbers(name: str) -> list[tuple[int, str]]:
    """A key by which numbers in a name count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _read_ade_classes(path: Path) -> Classes:
    """Read names out of ADE20K's table: number, share, photos, photos, stuff, names. Raises DataError."""
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:] if line]
        names = [tuple(word.strip() for word in re.split("[,;]", row[-1])) for row in rows]
        if not names or [int(row[0]) for row in rows] != list(range(1, len(rows) + 1)):
            raise ValueError("its numbers are not 1, 2, 3, ...")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not ADE20K's table of classes ({error}). Fetch it again.") from error
    return Classes(tuple(one[0] for one in names), tuple(one[1:] for one in names))


def _resize(ids: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Class ids at another size: the nearest."""
    if ids.shape == tuple(size_px):
        return ids
    return np.asarray(Image.fromarray(ids).resize(size_px[::-1], Image.Resampling.NEAREST))
