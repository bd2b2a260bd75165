"""What a fill gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from PIL import Image

from sair_core.photos.photo import Photo


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
        """The filled photo as a PIL image of the photo's mode, upright, ICC profile and EXIF in `info`."""
        return self.photo.to_image()
