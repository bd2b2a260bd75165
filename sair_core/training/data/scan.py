"""Scan folders before anything is trained on them: open each file, give a reason for each one left out."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sair_core.errors import DataError
from sair_core.photos.datasets import find_dataset, list_and_log
from sair_core.photos.folders import CLASSES_NAME, Classes, find_label_map, sort_files
from sair_core.progress import Progress, no_progress
from sair_core.training.data.photos import TrainPhoto, open_photos

SHOWN = 5  # names of skipped files in a summary


@dataclass(frozen=True)
class Skipped:
    """A file that is left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Scan:
    """The usable photos of some folders, each folder's sorted, and what is left out.

    labelled: how many have a label map that is used. sizes_px: (height, width) of each as it is trained
    with. size_bytes: memory that they take, label maps included. others: number of files that are no photos,
    by suffix.
    """

    photos: tuple[Path, ...]
    skipped: tuple[Skipped, ...]
    labelled: int
    sizes_px: tuple[tuple[int, int], ...]
    size_bytes: int
    others: dict[str, int]

    def summary(self) -> str:
        """Return a few lines: how many photos, how large, what is left out and why."""
        short = sorted(min(size) for size in self.sizes_px)
        lines = [
            f"{_count_photos(len(self.photos))}, short side {short[0]} to {short[-1]} px"
            f" (median {short[len(short) // 2]}), {self.size_bytes / 2**20:.0f} MB in memory"
        ]
        if self.labelled:
            lines.append(f"{self.labelled} of them with label maps")
        if self.skipped:
            lines.append(f"{len(self.skipped)} left out:")
            lines += [f"  {s.path.name}: {s.reason}" for s in self.skipped[:SHOWN]]
        if len(self.skipped) > SHOWN:
            lines.append(f"  and {len(self.skipped) - SHOWN} more")
        if self.others:
            lines.append(f"other files, not looked at: {_format_counts(self.others)}")
        return "\n".join(lines)


def scan(
    folders: Sequence[str | Path],
    classes: Classes | None = None,
    *,
    keep: Callable[[TrainPhoto], None] | None = None,
    progress: Progress = no_progress,
) -> Scan:
    """Open every photo of folders and of those below; of a set that `datasets` knows, those to train on.

    Left out are files that are damaged or no photo at all, tiny ones, and all but the first of files with the
    same content (a copy with a label map goes before one without). classes: of the label maps, which are
    otherwise not read; a label map that cannot be used leaves its photo out. keep: called with each usable
    photo, in the order of `Scan.photos`.

    Raises DataError when a folder cannot be listed, or when no photo can be used; it names what was found.
    """
    files, others = _list_files(folders)
    copies = _find_copies(files)
    unique = [f for f in files if f not in copies]
    photos, sizes, labelled, size_bytes = [], [], 0, 0
    skipped = [Skipped(copy, f"the same file as {first.name}") for copy, first in copies.items()]
    for done, (path, photo) in enumerate(open_photos(unique, classes), start=1):
        if isinstance(photo, TrainPhoto):
            photos.append(path)
            sizes.append(photo.rgb.shape[:2])
            labelled += photo.ids is not None
            size_bytes += photo.nbytes
            if keep is not None:
                keep(photo)
        else:
            skipped.append(Skipped(path, str(photo)))
        progress(done / len(unique), f"Opening photos: {done} of {len(unique)}")
    if not photos:
        raise DataError(_explain_none(folders, skipped, others))
    return Scan(tuple(photos), tuple(skipped), labelled, tuple(sizes), size_bytes, others)


def _list_files(folders: Sequence[str | Path]) -> tuple[list[Path], dict[str, int]]:
    """Return the files with a photo's suffix, without label maps, and the number of others by suffix."""
    files: list[Path] = []
    others: Counter[str] = Counter()
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder. Give a folder that holds photos.")
        dataset = find_dataset(folder)
        if dataset is not None:
            files += list_and_log(dataset, "train")
            continue
        try:
            os.listdir(folder)  # what is below is passed over where it cannot be read
            photos, left_out = sort_files(folder.rglob("*"))
        except OSError as error:
            raise DataError(
                f"{folder} cannot be read ({error.strerror}). Change its permissions, or give another folder."
            ) from error
        files += photos
        maps = {label_map for photo in photos if (label_map := find_label_map(photo)) is not None}
        holding = {parent for photo in photos for parent in photo.parents}
        for entry in left_out:
            if entry.is_dir():
                others["folders"] += entry not in holding
            elif entry.name != CLASSES_NAME and entry not in maps:
                others[entry.suffix.lower() or "without suffix"] += 1
    # A folder may be named twice, or beside one that it lies in.
    return list(dict.fromkeys(files)), {suffix: count for suffix, count in others.items() if count}


def _find_copies(files: Sequence[Path]) -> dict[Path, Path]:
    """Return the files whose content another one has, with that other one."""
    by_size: dict[int, list[Path]] = {}
    for file in files:
        try:
            by_size.setdefault(file.stat().st_size, []).append(file)
        except OSError:
            continue  # opening it will say why
    copies = {}
    for group in by_size.values():
        first: dict[bytes, Path] = {}
        # Labelled ones first; otherwise the order of the folders.
        for file in sorted(group, key=lambda f: find_label_map(f) is None) if len(group) > 1 else ():
            try:
                digest = hashlib.blake2b(file.read_bytes(), digest_size=16).digest()
            except OSError:
                continue
            if digest in first:
                copies[file] = first[digest]
            else:
                first[digest] = file
    return copies


def _explain_none(folders: Sequence[str | Path], skipped: Sequence[Skipped], others: dict[str, int]) -> str:
    where = ", ".join(map(str, folders))
    if skipped:
        reasons = "; ".join(f"{s.path.name}: {s.reason}" for s in skipped[:SHOWN])
        return (
            f"None of the {_count_photos(len(skipped))} in {where} can be used ({reasons})."
            " Mend them, or give another folder."
        )
    found = f" It holds {_format_counts(others)}." if others else " It is empty."
    return f"{where} holds no photos.{found} Give a folder with JPEG, PNG, WebP, BMP or TIFF files."


def _format_counts(others: dict[str, int]) -> str:
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()))


def _count_photos(count: int) -> str:
    return f"{count} photo" + ("s" if count != 1 else "")
