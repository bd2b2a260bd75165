"""The files of a folder and their masks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sair_core.batch.config import BatchConfig
from sair_core.batch.report import LEFT_OUT, Line
from sair_core.errors import DataError
from sair_core.photos.folders import APPLE_DOUBLE, fold_name, is_special, sort_files
from sair_core.photos.formats import PHOTO_SUFFIXES, list_readable_suffixes


@dataclass(frozen=True)
class Job:
    """A photo and its mask file, None where words say what to fill or none was found. known: the key of the
    result that is there already, or empty. source: the mask of where texture comes from, None for none."""

    photo: Path
    mask: Path | None
    known: str = ""
    source: Path | None = None

    @property
    def name(self) -> str:
        return self.photo.name


@dataclass(frozen=True)
class Contents:
    """What the folders hold. jobs: sorted by name. left_out: a line for every other entry of the photos'
    folder. unused: masks that no photo has."""

    jobs: list[Job]
    left_out: list[Line]
    unused: list[Path]


def find_jobs(config: BatchConfig) -> Contents:
    """Look at names and kinds of files; nothing is opened.

    Raises DataError where there is no photo, or no mask for any of them.
    """
    if not config.image.is_dir():
        raise DataError(f"{config.image} is not a folder. Give a folder that holds photos.")
    output = os.path.realpath(config.output)
    photos, others = sort_files(f for f in config.image.iterdir() if os.path.realpath(f) != output)
    masks, sources = _list_masks(config.mask, "--mask"), _list_masks(config.source, "--source")
    mask_of = {photo: _find_mask(photo, masks, config.mask) for photo in photos}
    source_of = {photo: _find_mask(photo, sources, config.source) for photo in photos}
    # Masks may lie among the photos: they are not filled themselves.
    used = {os.path.realpath(mask) for mask in (*mask_of.values(), *source_of.values()) if mask}
    others |= {photo: "a mask" for photo in photos if os.path.realpath(photo) in used}
    jobs = [Job(photo, mask_of[photo], source=source_of[photo]) for photo in photos if photo not in others]
    if not jobs:
        raise DataError(
            f"{config.image} holds no photos ({', '.join(sorted(PHOTO_SUFFIXES))}). Give another folder."
        )
    if config.mask is not None and not any(job.mask for job in jobs):
        raise DataError(
            f"{config.mask} holds no mask for any photo of {config.image}. A mask has its photo's name before"
            " the suffix: a.jpg and a.png."
        )
    entries = {os.path.realpath(f) for f in (*photos, *others)}
    unused = [f for f in masks.values() if os.path.realpath(f) not in used | entries]
    return Contents(jobs, [Line(f.name, LEFT_OUT, reason) for f, reason in others.items()], unused)


def _list_masks(masks: Path | None, option: str) -> dict[str, Path]:
    """Return the files of a folder of masks by their names before the suffix, accents composed."""
    if masks is None or masks.is_file():
        return {}
    if not masks.is_dir():
        raise DataError(f"There is no folder and no file {masks}: check the path of {option}.")
    files = [f for f in masks.iterdir() if f.suffix.lower() in list_readable_suffixes() and not is_special(f)]
    # Of several masks for one photo a PNG counts: it comes last and stays.
    files.sort(key=lambda f: (f.suffix.lower() == ".png", f.name))
    return {fold_name(f.stem): f for f in files if not f.name.startswith(APPLE_DOUBLE)}


def _find_mask(photo: Path, by_name: dict[str, Path], masks: Path | None) -> Path | None:
    if masks is not None and masks.is_file():
        return masks
    mask = by_name.get(fold_name(photo.stem))
    return None if mask is None or os.path.realpath(mask) == os.path.realpath(photo) else mask
