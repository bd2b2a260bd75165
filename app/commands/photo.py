"""What the commands on one photo share: their options, and the care for files that are there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sair_core.command_line import Option
from sair_core.config import require, require_megapixels, strict_dataclass
from sair_core.files import replacing
from sair_core.photos.photo import Photo, load_photo
from sair_core.weights.bundled import BUNDLED_SAIR

if TYPE_CHECKING:
    from sair_core.pipeline import InpaintPipeline


@strict_dataclass
class PhotoOptions:
    """A photo, the model that works on it, and what may be written."""

    photo: Annotated[Path, Option(positional=True)]
    """JPEG, PNG, WebP, TIFF, BMP and what else Pillow reads of photos"""
    _: KW_ONLY
    model: str = BUNDLED_SAIR
    """bundled name, folder or hub id"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    max_megapixels: float = 50.0
    """refuse larger photos"""
    overwrite: bool = False
    """replace a file that exists; never one that is read"""

    def __post_init__(self) -> None:
        require_megapixels(self.max_megapixels)

    def load_photo(self) -> Photo:
        """Read the photo. Raises PhotoError kinds."""
        return load_photo(self.photo, max_megapixels=self.max_megapixels)

    def load_pipeline(self, engine: str | None = None) -> InpaintPipeline:
        """Load the model, or what an engine fills with.

        Raises what `InpaintPipeline.from_pretrained` does.
        """
        from sair_core.pipeline import InpaintPipeline  # after what fails at once: torch takes seconds

        return InpaintPipeline.from_pretrained(self.model, engine=engine, device=self.device)

    def require_writable(self, output: Path, *read: Path | None) -> None:
        """Raise ConfigError where writing `output` would lose the photo, another file that is read or, unless
        --overwrite says so, any other, and where its folder does not exist."""
        require(output.parent.is_dir(), f"There is no folder {output.parent}. Make it, or give another.")
        require(not output.is_dir(), f"{output} is a folder. Name a file in it.")
        if output.exists():
            for path in filter(None, (self.photo, *read)):
                same = path.exists() and output.samefile(path)
                require(not same, f"{output} is what is read, and would be lost. Give another --output.")
            require(self.overwrite, f"{output} exists. Give another --output, or --overwrite.")


def require_suffix(output: Path, suffixes: Iterable[str]) -> None:
    """Raise ConfigError where the suffix of a file is none of these."""
    known = tuple(suffixes)
    require(output.suffix.lower() in known, f"{output.name!r} must end in one of {', '.join(known)}.")


def write_whole(output: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(output) as temporary:
        temporary.write_bytes(data)
