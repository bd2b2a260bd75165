"""Photos of a training: files opened, checked and reduced to the size that they are trained with."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from sair_core.errors import DataError, PhotoError
from sair_core.photos.folders import (
    Classes,
    find_classes_file,
    find_label_map,
    read_classes,
    read_label_map,
)
from sair_core.photos.photo import load_photo
from sair_core.seeds import Stream, stream_generator

logger = logging.getLogger(__name__)

T = TypeVar("T")
Unusable = PhotoError | DataError

NEAREST = Image.Resampling.NEAREST
MIN_SIDE_PX = 64
MAX_SIDE_PX = 1024  # photos are kept at most this large
AT_ONCE = 64  # files opened ahead: bounds the memory while a folder is read


@dataclass(frozen=True, eq=False)
class TrainPhoto:
    """rgb uint8 `(H, W, 3)`; ids uint8 `(H, W)` of classes, 255 = void, None without a label map.

    partial: only the named figure is labelled, so void may be anything.
    """

    rgb: np.ndarray
    ids: np.ndarray | None = None
    partial: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it takes."""
        return self.rgb.nbytes + (0 if self.ids is None else self.ids.nbytes)


def open_photo(path: Path, classes: Classes | None = None) -> TrainPhoto:
    """Open a file as it is trained with: long side at most MAX_SIDE_PX; with `classes`, its label map, too.

    Raises PhotoError when it cannot be used, DataError when its label map cannot.
    """
    photo = load_photo(path)
    rgb = photo.rgb
    if min(rgb.shape[:2]) < MIN_SIDE_PX:
        raise PhotoError(
            f"{rgb.shape[1]} x {rgb.shape[0]} px is too small:"
            f" a photo must have at least {MIN_SIDE_PX} px a side"
        )
    ids = None
    if classes is not None and (label_map := find_label_map(path)) is not None:
        ids = read_label_map(label_map, photo.size_px, len(classes.names), orientation=photo.orientation)
    if max(rgb.shape[:2]) > MAX_SIDE_PX:
        image = Image.fromarray(rgb)
        image.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Image.Resampling.LANCZOS)
        rgb = np.asarray(image)
        ids = None if ids is None else np.asarray(Image.fromarray(ids).resize(image.size, NEAREST))
    return TrainPhoto(rgb, ids, classes is not None and classes.is_partial(path))


def open_photos(
    paths: Sequence[Path], classes: Classes | None = None
) -> Iterator[tuple[Path, TrainPhoto | Unusable]]:
    """Yield each path in order with its photo, or with the error that says why it cannot be used."""

    def open_or_explain(path: Path) -> TrainPhoto | Unusable:
        try:
            return open_photo(path, classes)
        except (PhotoError, DataError) as error:
            return error

    rest = iter(paths)
    with ThreadPoolExecutor() as pool:
        while group := list(islice(rest, AT_ONCE)):
            yield from zip(group, pool.map(open_or_explain, group))


def load_photos(paths: Sequence[Path], classes: Classes | None = None) -> list[TrainPhoto]:
    """Open all photos that can be used; the others are logged. Raises DataError when none is left."""
    photos = []
    for path, photo in open_photos(paths, classes):
        if isinstance(photo, TrainPhoto):
            photos.append(photo)
        else:
            logger.warning("skipped %s: %s", path.name, photo)
    if not photos:
        raise DataError(
            f"None of the {len(paths)} photos can be used; the log above says why for each. Give others."
        )
    return photos


def split(photos: Sequence[T], share: float, seed: int) -> tuple[list[T], list[T]]:
    """Return `(training, validation)`: a seeded random share, at least one photo, is held back.

    Raises DataError when there are not two photos to split.
    """
    if len(photos) < 2:
        raise DataError("One photo is not enough to train and to validate. Add photos, or give --val.")
    order = stream_generator(seed, Stream.HELD_BACK).permutation(len(photos))
    count = min(max(1, round(share * len(photos))), len(photos) - 1)
    held = set(order[:count].tolist())
    return [p for i, p in enumerate(photos) if i not in held], [p for i, p in enumerate(photos) if i in held]


def read_common_classes(folders: Sequence[str]) -> Classes | None:
    """Return the classes of the folders that have any. Raises DataError when two have different ones."""
    found: Classes | None = None
    for folder in folders:
        if find_classes_file(folder) is None:
            continue
        classes = read_classes(folder)
        if found is not None and classes.names != found.names:
            raise DataError(
                f"{folder} has other classes than the folders before it. Train on one set of them."
            )
        found = classes
    return found
