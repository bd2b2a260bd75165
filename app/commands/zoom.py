"""`sair zoom`: a photo, or a part of it, at another scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from sair_core.command_line import Option, progress_line, run_command
from sair_core.config import require, strict_dataclass
from sair_core.window import Window

from .photo import PhotoOptions


@strict_dataclass
class ZoomOptions(PhotoOptions):
    """Write a photo, or a part of it, at any scale from 1/64 to 64.

    With --centre-yx or --size-px it is what such a view shows, as far as that lies in the photo.
    """

    output: Annotated[Path, Option("-o", "--output", metavar="FILE")]
    """.png, .jpg, .webp, or .tif for the largest sizes"""
    scale: float = 2.0
    """pixels of the result for one of the photo"""
    centre_yx: Annotated[tuple[float, float] | None, Option(metavar=("Y", "X"))] = None
    """middle of the part, in [-1, 1] over the photo, y down (default: 0 0)"""
    size_px: Annotated[tuple[int, int] | None, Option(metavar=("HEIGHT", "WIDTH"))] = None
    """size of the part in the result (default: 768 1024)"""
    mask: Path | None = None
    """white = fill: a hole to fill first"""
    quality: int = 95
    """of JPEG and WebP, 1 to 100"""

    def __post_init__(self) -> None:
        require(1 <= self.quality <= 100, f"--quality must be from 1 to 100, got {self.quality}.")

    def window(self, photo_px: tuple[int, int]) -> Window:
        """Return the part of a photo of photo_px (height, width) that is written."""
        if self.centre_yx is None and self.size_px is None:
            return Window.whole(photo_px, self.scale)
        return Window.around(photo_px, self.centre_yx or (0.0, 0.0), self.scale, self.size_px or (768, 1024))


def main(argv: Sequence[str] | None = None, *, prog: str = "sair zoom") -> int:
    """Run the command line and return its exit status."""
    return run_command(_zoom, ZoomOptions, argv, prog=prog)


def _zoom(options: ZoomOptions) -> None:
    options.require_writable(options.output, options.mask)
    photo = options.load_photo()
    window = options.window(photo.size_px)
    with options.load_pipeline() as pipe, progress_line() as progress:
        height, width = pipe.export(
            photo, options.output, window=window, mask=options.mask, quality=options.quality,
            progress=progress,
        )  # fmt: skip
    print(f"{options.output}: {width} x {height} px")
