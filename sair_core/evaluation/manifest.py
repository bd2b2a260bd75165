"""Exactly which photos and holes were measured, so that other methods can be measured on the same ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sair_core.config import from_dict, strict_dataclass, to_dict
from sair_core.errors import ConfigError, DataError
from sair_core.evaluation.holes import HoleSource
from sair_core.evaluation.report import write_json
from sair_core.evaluation.samples import Sample
from sair_core.files import digest


@strict_dataclass
class PhotoEntry:
    """A photo of an evaluation: its path below the folder of photos, and the digest of its file."""

    index: int
    path: str
    digest: str


@strict_dataclass
class Manifest:
    """What repeats an evaluation.

    masks, seed, size_px, bin_percent: as they were asked for. holes: all that these depend on, to be
    read by people. hole_digests: by name of a hole, of its pixels.
    """

    masks: str
    seed: int
    size_px: int | None
    holes: dict[str, Any]
    photos: tuple[PhotoEntry, ...]
    hole_digests: dict[str, str]
    bin_percent: int = 20

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Raises DataError."""
        try:
            return from_dict(cls, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, ConfigError) as error:
            raise DataError(
                f"{path} is no manifest of an evaluation ({error}). Give a file that one has written."
            ) from error

    def write(self, path: Path) -> None:
        """Write it as JSON; the folder is made where needed."""
        write_json(path, to_dict(self))

    def find_photos(self, folder: Path) -> list[Sample]:
        """Its photos in a folder. Raises DataError naming the first that is missing or another."""
        found = []
        for entry in self.photos:
            path = folder / entry.path
            if not path.is_file():
                raise DataError(
                    f"{path}, a photo of the manifest, is missing. Put it there, or give its folder"
                    " with --data."
                )
            if digest(path) != entry.digest:
                raise DataError(
                    f"{path} is another photo than the manifest's of that name. Put that one there."
                )
            found.append(Sample(entry.index, path))
        return found


def make_manifest(
    folder: Path,
    samples: Sequence[Sample],
    holes: HoleSource,
    *,
    masks: str,
    seed: int,
    size_px: int | None,
    bin_percent: int,
    hole_digests: dict[str, str],
) -> Manifest:
    """The manifest of an evaluation that was done: of photos in `folder` that gave `hole_digests`."""
    entries = [PhotoEntry(s.index, s.path.relative_to(folder).as_posix(), digest(s.path)) for s in samples]
    digests = dict(sorted(hole_digests.items()))
    return Manifest(masks, seed, size_px, dict(holes.settings), tuple(entries), digests, bin_percent)
