"""What is to be done with a folder of photos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from sair_core.command_line import Option
from sair_core.config import require, require_megapixels, strict_dataclass
from sair_core.seeds import MAX_SEED
from sair_core.semantics.words import parse_labels
from sair_core.weights.bundled import BUNDLED_SAIR


@strict_dataclass
class BatchConfig:
    """Fill a folder of photos, each written under its own name, in its own format.

    A run that was stopped, or killed, goes on where it was: what is done and has not changed is skipped. The
    exit status is 0 when every photo is done, 1 when some failed (report.jsonl says why), 2 for a wrong
    command.
    """

    image: Annotated[Path, Option(metavar="FOLDER")]
    """folder of photos"""
    output: Annotated[Path, Option(metavar="FOLDER")]
    """folder for the results and report.jsonl; another than that of the photos and of the masks"""
    mask: Annotated[Path | None, Option(metavar="FOLDER|FILE")] = None
    """white = fill: a folder of masks named as the photos (a.jpg, a.png), or one file for all"""
    words: str | None = None
    """instead of --mask: fill all that these name, such as "person, car" """
    fill_with: Annotated[str | None, Option(metavar="WORDS")] = None
    """what to put there: where texture is taken from, and what a SAIR sees"""
    strength: float = 1.0
    """how much these words count, 0 to 1"""
    engine: Annotated[str | None, Option(metavar="ENGINE")] = None
    """natural (default), smooth, painted, or an inpainting model of others: its file, a hub id, or lama"""
    texture: bool | None = None
    """whether texture is taken from the photo, yes or no; as the engine does by default"""
    source: Annotated[Path | None, Option(metavar="FOLDER|FILE")] = None
    """masks as of --mask; texture is taken from nowhere but their white part"""
    seed: int = 0
    """another one is another fill; with texture, and of the painted engine"""
    model: str = BUNDLED_SAIR
    """bundled name, folder or hub id"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    quality: int = 95
    """of JPEG and WebP, 1 to 100"""
    keep_gps: bool = False
    """leave in the EXIF where a photo was taken"""
    max_megapixels: float = 50.0
    """larger photos fail"""
    again: bool = False
    """do what is done already, too"""
    overwrite: bool = False
    """replace files of the photos' names that --output holds from elsewhere"""
    runner: str = "local"
    """who does the jobs: local, this process, or ray"""
    workers: int = 0
    """of Ray, with a model each; 0 is one a machine"""

    def __post_init__(self) -> None:
        require(
            (self.mask is None) != (self.words is None),
            "Say what to fill: either --mask (a folder or a file) or --words, one of the two.",
        )
        require(
            self.engine not in ("local", "ray"),
            f"--engine says what fills. To say who does the jobs, give --runner {self.engine}.",
        )
        require(0 <= self.strength <= 1, f"--strength must be from 0 to 1, got {self.strength:g}.")
        require(self.seed >= 0, f"--seed must not be negative, got {self.seed}.")
        require(self.seed <= MAX_SEED, f"--seed must be at most {MAX_SEED}, got {self.seed}.")
        require(1 <= self.quality <= 100, f"--quality must be from 1 to 100, got {self.quality}.")
        require_megapixels(self.max_megapixels)
        require(self.workers >= 0, f"--workers must not be negative, got {self.workers}.")
        require(
            not _is_same(self.output, self.image),
            f"--output {self.output} is the folder of the photos, which would be overwritten. Give another.",
        )
        for read in filter(None, (self.mask, self.source)):
            masks = read if read.is_dir() else read.parent
            require(
                not _is_same(self.output, masks),
                f"--output {self.output} is where the masks are, which would be overwritten. Give another.",
            )
        for words in (self.words, self.fill_with):
            if words is not None:
                parse_labels(words)

    def settings(self) -> tuple[object, ...]:
        """All that changes a result, besides the photo, its mask files and the model."""
        words = None if self.words is None else tuple(parse_labels(self.words))
        fill_with = None if self.fill_with is None else tuple(parse_labels(self.fill_with))
        engine = None if self.engine is None else self.engine.casefold()
        fill = fill_with, self.strength, engine, self.texture, self.seed
        return words, fill, self.quality, self.keep_gps


def _is_same(path: Path, other: Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)  # unlike Path.resolve, also of links in a circle
