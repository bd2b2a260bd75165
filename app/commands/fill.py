"""`sair fill`: one photo, one mask, one result or several."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from sair_core.command_line import Option, progress_line, run_command
from sair_core.config import require, strict_dataclass
from sair_core.photos.formats import FORMAT_BY_SUFFIX
from sair_core.photos.write import encode_image

from .photo import PhotoOptions, require_suffix, write_whole


@strict_dataclass
class FillOptions(PhotoOptions):
    """Fill what a mask covers, and leave every other pixel as it is."""

    mask: Annotated[Path, Option(positional=True)]
    """white = fill; of the photo's size, or of its proportions"""
    output: Annotated[Path, Option("-o", "--output", metavar="FILE")]
    """file to write, in the format of its suffix; of several variations FILE-SEED each"""
    engine: Annotated[str | None, Option(metavar="ENGINE")] = None
    """natural (default), smooth, painted, or an inpainting model of others: its file, a hub id, or lama"""
    texture: bool | None = None
    """whether texture is taken from the photo, yes or no; as the engine does by default"""
    source: Annotated[Path | None, Option(metavar="FILE")] = None
    """a mask; texture is taken from nowhere but its white part"""
    words: Annotated[str | None, Option("--words", "--fill-with", metavar="WORDS")] = None
    """texture is taken from where the photo shows this, such as "grass", and a SAIR sees it in the hole"""
    strength: float = 1.0
    """how much the words count, 0 to 1"""
    seed: int = 0
    """another one is another fill; with texture, and of the painted engine"""
    variations: int = 1
    """so many fills, with the seeds from --seed on"""
    quality: int = 95
    """of JPEG and WebP, 1 to 100"""
    keep_gps: bool = False
    """leave in the EXIF where the photo was taken"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.variations >= 1, f"--variations must be at least 1, got {self.variations}.")
        require(1 <= self.quality <= 100, f"--quality must be from 1 to 100, got {self.quality}.")
        require_suffix(self.output, FORMAT_BY_SUFFIX)

    def outputs(self) -> list[Path]:
        """Return the files to write, in the order of the seeds."""
        if self.variations == 1:
            return [self.output]
        seeds = range(self.seed, self.seed + self.variations)
        return [self.output.with_stem(f"{self.output.stem}-{seed}") for seed in seeds]


def main(argv: Sequence[str] | None = None, *, prog: str = "sair fill") -> int:
    """Run the command line and return its exit status."""
    return run_command(_fill, FillOptions, argv, prog=prog)


def _fill(options: FillOptions) -> None:
    outputs = options.outputs()
    for output in outputs:
        options.require_writable(output, options.mask, options.source)
    photo = options.load_photo()
    with options.load_pipeline(options.engine) as pipe, progress_line() as progress:
        results = pipe.variations(
            photo, options.mask, options.variations, seed=options.seed, words=options.words,
            strength=options.strength, texture=options.texture, source=options.source, progress=progress,
        )  # fmt: skip
    format = FORMAT_BY_SUFFIX[options.output.suffix.lower()].name
    for result, output in zip(results, outputs):
        write_whole(output, encode_image(result.photo, format, options.quality, keep_gps=options.keep_gps))
        if result.note:
            print(f"{output.name}: {result.note}", file=sys.stderr)
        print(output)
