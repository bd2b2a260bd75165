"""Folders of photos, with or without label maps beside them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from sair_core.errors import ConfigError, DataError, PhotoError
from sair_core.photos.formats import JPEG_SUFFIXES, PHOTO_SUFFIXES, list_readable_suffixes
from sair_core.photos.reader import check_size, read_picture, turn_upright

T = TypeVar("T")

CLASSES_NAME = "classes.json"
CLASSES_EXAMPLE = '{"classes": [{"id": 0, "name": "sky", "synonyms": []}, ...]}'
VOID = 255
MAX_MAP_MEGAPIXELS = 400
APPLE_DOUBLE = "._"
# Of photos, too: what phones, cameras and editors write.
UNREAD_SUFFIXES = frozenset(
    ".heic .heif .jxl .cr2 .cr3 .nef .arw .dng .orf .raf .rw2 .pef .srw .psd .xcf".split()
)


def list_photos(folders: Iterable[str | Path], *, recursive: bool = False) -> list[Path]:
    """Return all photo files of folders, each folder's sorted.

    A PNG beside a JPEG of its name is a label map, not a photo.
    recursive: look into folders below, too. Raises DataError naming the folder that does not exist or holds
    no photo.
    """
    found: list[Path] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder. Give a folder that holds photos.")
        photos, _ = sort_files(folder.rglob("*") if recursive else folder.iterdir())
        photos = [f for f in photos if f.is_file()]
        if not photos:
            raise DataError(
                f"{folder} holds no photos ({', '.join(sorted(PHOTO_SUFFIXES))}). Give another folder."
            )
        found += photos
    return found


def sort_files(files: Iterable[Path]) -> tuple[list[Path], dict[Path, str]]:
    """Return the photos among files, and all others with the reason why they are none, both sorted.

    Judged by name and kind, nothing is opened: a link to nowhere counts as what its name says.
    """
    files = sorted(files, key=lambda f: f.as_posix())
    reasons = {f: reason for f in files if (reason := _why_no_photo(f))}
    named = [f for f in files if f not in reasons]
    photos = drop_label_maps(named)
    reasons |= dict.fromkeys(set(named).difference(photos), "the label map or mask of the JPEG of its name")
    return photos, {f: reasons[f] for f in files if f in reasons}


def _why_no_photo(file: Path) -> str:
    """Return why a file counts as no photo; empty where it counts as one."""
    suffix = file.suffix.lower()
    if file.is_dir():
        return "a folder"
    if file.name.startswith(APPLE_DOUBLE):
        return "what macOS keeps beside a file of this name"
    if suffix not in PHOTO_SUFFIXES:
        if suffix in list_readable_suffixes():
            return "a format that is read, but not written: convert it to PNG or JPEG"
        known = suffix in UNREAD_SUFFIXES
        return "a format that is not read: convert it to PNG or JPEG" if known else "no photo"
    return "no file, but a device, a pipe or a socket" if is_special(file) else ""


def is_special(path: Path) -> bool:
    """Whether a path is there and no file: a folder, or a device or pipe, which reading may never end."""
    return path.exists() and not path.is_file()


def fold_name(name: str) -> str:
    """Return a name with its accents composed: disks and archives differ in how they spell one letter."""
    return unicodedata.normalize("NFC", name)


def drop_label_maps(files: Iterable[Path]) -> list[Path]:
    """Return the files that are no PNG beside a JPEG of its name."""
    files = list(files)
    jpegs = {(f.parent, fold_name(f.stem)) for f in files if f.suffix.lower() in JPEG_SUFFIXES}
    return [f for f in files if f.suffix.lower() != ".png" or (f.parent, fold_name(f.stem)) not in jpegs]


@dataclass(frozen=True)
class Classes:
    """What the ids of label maps mean.

    names: name of id i at place i. synonyms: other words for each, may be empty. partial: prefixes of the
    sources in which only the named figure is labelled. 255 is void in every map: nobody knows.
    """

    names: tuple[str, ...]
    synonyms: tuple[tuple[str, ...], ...]
    partial: tuple[str, ...] = ()

    def is_partial(self, photo: Path) -> bool:
        """Whether a photo comes from a source in which what is not labelled may be anything."""
        return photo.name.split("_")[0] in self.partial


def read_classes(folder: str | Path) -> Classes:
    """Read `classes.json` of a folder or of the one above it.

    Raises DataError when it is missing or its ids are not 0, 1, 2, ...
    """
    path = find_classes_file(folder)
    if path is None:
        raise DataError(f"{folder} has no {CLASSES_NAME} in it or above it. Write one: {CLASSES_EXAMPLE}.")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        classes = sorted(content["classes"], key=lambda c: c["id"])
        if not classes or [c["id"] for c in classes] != list(range(len(classes))):
            raise ValueError("ids must be 0, 1, 2, ... without a gap")
        names = _read_texts([c["name"] for c in classes])
        synonyms = tuple(_read_texts(c.get("synonyms", [])) for c in classes)
        return Classes(names, synonyms, _read_texts(content.get("partial_sources", [])))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is no list of classes ({error}). Write one: {CLASSES_EXAMPLE}.") from error


def _read_texts(values: object) -> tuple[str, ...]:
    """Return a list of texts. Raises ValueError for anything else: a text alone would be read by letters."""
    if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
        raise ValueError(f"{values!r} is no list of texts")
    return tuple(values)


def find_classes_file(folder: str | Path) -> Path | None:
    """Return `classes.json` in a folder or the one above it; None where there is none."""
    folder = Path(folder)
    return next((p for p in (folder / CLASSES_NAME, folder.parent / CLASSES_NAME) if p.is_file()), None)


def find_label_map(photo: Path) -> Path | None:
    """Return the PNG beside a JPEG of its name; None where there is none."""
    if photo.suffix.lower() not in JPEG_SUFFIXES:
        return None
    stems = {photo.stem, *(unicodedata.normalize(form, photo.stem) for form in ("NFC", "NFD"))}
    names = (stem + suffix for stem in stems for suffix in (".png", ".PNG", ".Png"))
    return next((path for name in names if (path := photo.with_name(name)).is_file()), None)


def list_labelled_photos(folder: str | Path) -> list[tuple[Path, Path]]:
    """Return `(photo, label map)` of every JPEG with a PNG of its name beside it, sorted.

    Raises DataError.
    """
    pairs = [(f, label_map) for f in list_photos([folder]) if (label_map := find_label_map(f)) is not None]
    if not pairs:
        raise DataError(f"{folder} holds no photo with a label map. Put NAME.png beside NAME.jpg.")
    return pairs


def read_label_map(path: Path, size_px: tuple[int, int], classes: int, *, orientation: int = 1) -> np.ndarray:
    """Read class ids, uint8 `(H, W)`, 255 = void, upright and at `size_px` (height, width).

    orientation: how the photo was turned (`Photo.orientation`): a map of the photo's size before that is
    turned like it. Raises DataError when it cannot be read, has another size or ids that no class has.
    """
    ids = read_ids(path)
    if ids.shape != tuple(size_px) and ids.shape == tuple(size_px)[::-1] and orientation >= 5:
        ids = np.asarray(turn_upright(ids, orientation))
    if ids.shape != tuple(size_px):
        raise DataError(
            f"{path} is {ids.shape[1]} x {ids.shape[0]} px, its photo {size_px[1]} x {size_px[0]} px."
            " A label map must have the size of its photo."
        )
    unknown = np.setdiff1d(np.unique(ids), [*range(classes), VOID])
    if unknown.size:
        raise DataError(f"{path} holds ids {unknown.tolist()}; known are 0 to {classes - 1} and 255 (void).")
    return ids


def read_ids(path: Path) -> np.ndarray:
    """Read the class ids of a label map as they stand there, uint8 `(H, W)`. Raises DataError."""
    hint = "Use an 8-bit PNG of class ids."
    try:
        picture = read_picture(path, partial(check_size, max_megapixels=MAX_MAP_MEGAPIXELS))
    except PhotoError as error:
        raise DataError(f"{path} is no label map ({error}). {hint}") from error
    ids = np.asarray(turn_upright(picture.pixels, picture.orientation))
    if ids.ndim == 3:  # grey, saved with three equal channels or with transparency
        if ids.shape[2] != 2 and (ids[..., :3] != ids[..., :1]).any():
            raise DataError(f"{path} is no label map (it has colours, not ids). {hint}")
        ids = ids[..., 0]
    if ids.dtype.kind not in "bui" or ids.min() < 0 or ids.max() > 255:
        raise DataError(f"{path} is no label map (its values are no ids from 0 to 255). {hint}")
    return ids.astype(np.uint8)


def spread(count: int, limit: int | None) -> Sequence[int]:
    """Places among `count`, at most `limit` of them, evenly over all: the first files of a sorted folder are
    often of one kind. Raises ConfigError for a limit below 1."""
    if limit is None or limit >= count:
        return range(count)
    if limit < 1:
        raise ConfigError(f"The limit must be at least 1 photo, got {limit}.")
    return [i * count // limit for i in range(limit)]


def spread_groups(items: Sequence[T], limit: int, group: Callable[[T], str]) -> list[T]:
    """Return at most `limit` items in their order, as many of each group as there are, spread evenly over it.

    A group of fewer leaves its share to the others. limit: at least 1.
    """
    groups: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        groups.setdefault(group(item), []).append(place)
    chosen: list[int] = []
    smallest_first = sorted(groups.values(), key=len)
    for done, places in enumerate(smallest_first):
        share = max(1, (limit - len(chosen)) // (len(smallest_first) - done))
        chosen += [places[i] for i in spread(len(places), share)]
    return [items[place] for place in sorted(chosen)[:limit]]
