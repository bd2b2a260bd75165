"""The files of a folder and their masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sair_core.batch.config import BatchConfig
from sair_core.errors import DataError
from sair_core.photos.folders import list_photos
from sair_core.photos.formats import PHOTO_SUFFIXES

MASK_SUFFIXES = (".png", *sorted(PHOTO_SUFFIXES - {".png"}), ".gif")  # of several masks the first counts


@dataclass(frozen=True)
class Job:
    """A photo and its mask file, None where words say what to fill or none was found. known: the key of the
    result that is there already, or empty."""

    photo: Path
    mask: Path | None
    known: str = ""

    @property
    def name(self) -> str:
        return self.photo.name


def plan_jobs(config: BatchConfig) -> list[Job]:
    """All photos of the folder with their masks, sorted by name.

    Raises DataError where there is no photo, or no mask for any of them.
    """
    find = _mask_finder(config)
    jobs = [Job(photo, find(photo)) for photo in list_photos([config.image])]
    if config.mask is not None and not any(job.mask for job in jobs):
        raise DataError(
            f"{config.mask} holds no mask for any photo of {config.image}. A mask has its photo's name before"
            " the suffix: a.jpg and a.png."
        )
    return jobs


def _mask_finder(config: BatchConfig) -> Callable[[Path], Path | None]:
    if config.mask is None:
        return lambda photo: None
    if config.mask.is_file():
        return lambda photo: config.mask
    if not config.mask.is_dir():
        raise DataError(f"There is no folder and no file {config.mask}: check the path of --mask.")
    rank = {suffix: i for i, suffix in enumerate(MASK_SUFFIXES)}
    files = [f for f in config.mask.iterdir() if f.suffix.lower() in rank]
    # The one that counts comes last and stays.
    files.sort(key=lambda f: rank[f.suffix.lower()], reverse=True)
    masks = {f.stem: f for f in files}

    def find(photo: Path) -> Path | None:
        mask = masks.get(photo.stem)
        return None if mask is None or mask.resolve() == photo.resolve() else mask

    return find
