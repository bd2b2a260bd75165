"""What is to be done with a folder of photos."""

from __future__ import annotations

from pathlib import Path

from sair_core.config import require, require_megapixels, strict_dataclass
from sair_core.semantics.words import parse_labels


@strict_dataclass
class BatchConfig:
    """Fill every photo of a folder and write it under its own name, in its own format, to another folder.

    image, output: folders; output must be another one than image. mask: a folder of masks that are matched by
    stem ("a.jpg" and "a.png"), or one file for all photos; words: what to fill, "person, car": one of the
    two. fill_with: words for what the model puts there; None: what it sees fit. quality: of JPEG and WebP, 1
    to 100. keep_gps: leave in the EXIF where a photo was taken. max_megapixels: larger photos fail. again: do
    what is done already, too. Raises ConfigError (LabelError for words).
    """

    image: Path
    output: Path
    mask: Path | None = None
    words: str | None = None
    fill_with: str | None = None
    quality: int = 95
    keep_gps: bool = False
    max_megapixels: float = 50.0
    again: bool = False

    def __post_init__(self) -> None:
        require(
            (self.mask is None) != (self.words is None),
            "Say what to fill: either --mask (a folder or a file) or --words, one of the two.",
        )
        require(1 <= self.quality <= 100, f"--quality must be from 1 to 100, got {self.quality}.")
        require_megapixels(self.max_megapixels)
        require(
            self.output.resolve() != self.image.resolve(),
            f"--output {self.output} is the folder of the photos, which would be overwritten. Give another.",
        )
        if self.mask is not None:
            masks = self.mask if self.mask.is_dir() else self.mask.parent
            require(
                self.output.resolve() != masks.resolve(),
                f"--output {self.output} is where the masks are, which would be overwritten. Give another.",
            )
        for words in (self.words, self.fill_with):
            if words is not None:
                parse_labels(words)

    def settings(self) -> tuple[object, ...]:
        """All that changes a result, besides the photo, its mask file and the model."""
        words = None if self.words is None else tuple(parse_labels(self.words))
        fill_with = None if self.fill_with is None else tuple(parse_labels(self.fill_with))
        return words, fill_with, self.quality, self.keep_gps
