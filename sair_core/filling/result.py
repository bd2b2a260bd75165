"""What a fill gives back."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from sair_core.errors import ConfigError
from sair_core.files import replacing
from sair_core.photos.formats import FORMAT_BY_SUFFIX
from sair_core.photos.photo import Photo
from sair_core.photos.write import encode_image


@dataclass(frozen=True, eq=False)
class FillResult:
    """A filled photo.

    photo: of the size and mode of the one that was filled; known pixels and alpha bit-identical to its.
    mask: bool `(H, W)`, what was filled. seconds: time taken, of several fills the mean. seed: what the fill
    was drawn with. note: what has to be said of it, such as that no texture was found; "" for nothing.
    """

    photo: Photo
    mask: np.ndarray = field(repr=False)
    seconds: float
    seed: int
    note: str = ""

    @cached_property
    def image(self) -> Image.Image:
        """The filled photo as a PIL image of the photo's mode, upright, ICC profile and EXIF in `info`.

        PIL has no mode for colours of 16 bits and reduces them to 8 (16-bit grey stays): `save` keeps them.
        """
        return self.photo.to_image()

    def save(self, path: str | os.PathLike[str], *, quality: int = 95, keep_gps: bool = False) -> None:
        """Write the filled photo, with its metadata, in the format of the suffix: whole, or not at all.

        Its own depth is kept in PNG and TIFF. quality: of JPEG and WebP, 1 to 100. keep_gps: write where the
        photo was taken, too. Raises ConfigError, PhotoTooLargeError and OSError.
        """
        path = Path(path)
        format = FORMAT_BY_SUFFIX.get(path.suffix.lower())
        if format is None:
            raise ConfigError(f"{path.name!r} must end in one of {', '.join(FORMAT_BY_SUFFIX)}.")
        data = encode_image(self.photo, format.name, quality, keep_gps=keep_gps)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
