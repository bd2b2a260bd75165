"""`sair select`: the object under points, as a mask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from sair_core.command_line import Option, run_command
from sair_core.config import require, strict_dataclass
from sair_core.errors import PointError
from sair_core.photos.masks import mask_to_image
from sair_core.photos.write import encode_image
from sair_core.semantics.points import GROW_PX

from .photo import PhotoOptions, require_suffix, write_whole


@strict_dataclass
class SelectOptions(PhotoOptions):
    """Write a mask of the object that points lie on, white on black."""

    inside: Annotated[tuple[str, ...], Option(metavar="X,Y")]
    """points inside the object, in px from the photo's top left corner"""
    output: Annotated[Path, Option("-o", "--output", metavar="FILE")]
    """file to write, a PNG of the photo's size"""
    outside: Annotated[tuple[str, ...], Option(metavar="X,Y")] = ()
    """points outside of it"""
    grow_px: float = GROW_PX
    """how much further than the object the mask reaches, for filling; 0 for its edges"""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.grow_px >= 0, f"--grow-px must not be negative, got {self.grow_px:g}.")
        require_suffix(self.output, [".png"])

    def points(self) -> list[tuple[float, float]]:
        """Return the points, those inside first. Raises PointError."""
        return [_read_point(text) for text in (*self.inside, *self.outside)]


def main(argv: Sequence[str] | None = None, *, prog: str = "sair select") -> int:
    """Run the command line and return its exit status."""
    return run_command(_select, SelectOptions, argv, prog=prog)


def _select(options: SelectOptions) -> None:
    options.require_writable(options.output)
    points = options.points()
    labels = [True] * len(options.inside) + [False] * len(options.outside)
    photo = options.load_photo()
    with options.load_pipeline() as pipe:
        mask = pipe.mask_from_points(photo, points, labels, grow_px=options.grow_px)
    write_whole(options.output, encode_image(mask_to_image(mask), "PNG"))
    print(f"{options.output}: {mask.mean():.1%} of the photo")


def _read_point(text: str) -> tuple[float, float]:
    try:
        x, y = map(float, text.split(","))
    except ValueError as error:
        raise PointError(f"{text!r} is no point. Write x and y in px with a comma: 310,225.") from error
    return x, y
