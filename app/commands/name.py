"""`sair name`: what every pixel of a photo is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from sair_core.command_line import Option, run_command
from sair_core.config import strict_dataclass
from sair_core.semantics.words import label_presets, parse_labels

from .photo import PhotoOptions, require_suffix, write_whole


@strict_dataclass
class NameOptions(PhotoOptions):
    """Name every pixel of a photo: print each label's share, and write the map."""

    labels: Annotated[str | None, Option(positional=True)] = None
    """such as "sky, car, everything else"; default: everyday words"""
    output: Annotated[Path | None, Option("-o", "--output", metavar="FILE")] = None
    """write the map, a palette PNG of the photo's size with the labels in its text"""
    mask: Path | None = None
    """white = hidden: a model with semantics says what should be there"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output is not None:
            require_suffix(self.output, [".png"])

    def words(self) -> list[str]:
        """Return the labels. Raises LabelError."""
        everyday = dict.fromkeys(word for words in label_presets().values() for word in words)
        return list(everyday) if self.labels is None else parse_labels(self.labels)


def main(argv: Sequence[str] | None = None, *, prog: str = "sair name") -> int:
    """Run the command line and return its exit status."""
    return run_command(_name, NameOptions, argv, prog=prog)


def _name(options: NameOptions) -> None:
    words = options.words()
    if options.output is not None:
        options.require_writable(options.output, options.mask)
    photo = options.load_photo()
    with options.load_pipeline() as pipe:
        found = pipe.semantics(photo, words, options.mask)
    for label, share in found.shares.items():
        if share or options.labels is not None:
            print(f"{100 * share:5.1f} %  {label}")
    if options.output is not None:
        write_whole(options.output, found.png())
        print(options.output)
