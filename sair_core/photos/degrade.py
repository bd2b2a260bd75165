"""Degradations of photos beside holes: noise, blur, low resolution. One list for trainings and evaluations.

As people write them: "noise:0.1", "blur:2", "scale:4"; one after the other "blur:2+noise:0.05"; drawn from a
range "scale:1-4"; "none" leaves a photo as it is.

torch takes seconds to import and configurations are checked without it: the functions that need it import it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sair_core.config import require
from sair_core.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

NONE = "none"
FORMS = "Write it as noise:0.1, blur:2, scale:4, blur:2+noise:0.05, scale:1-4 or none."
Drawn = tuple[str, float]  # a kind of KINDS and its strength


def add_noise(picture: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Add white Gaussian noise whose deviation is `strength` of the range of colours."""
    import torch

    from sair_core.devices import upload

    noise = torch.from_numpy(rng.standard_normal(picture.shape, dtype=np.float32))
    return picture + 255 * strength * upload(noise, picture.device)


def blur(picture: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Blur by a Gaussian whose deviation is `strength` px."""
    from torchvision.transforms.functional import gaussian_blur

    if not strength:
        return picture
    side = 2 * math.ceil(3 * strength) + 1
    return gaussian_blur(picture, [side, side], [strength, strength])


def reduce_size(picture: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Reduce `strength` times, bicubic and antialiased."""
    return resize(picture, [max(1, round(n / strength)) for n in picture.shape[-2:]])


# name -> (what it does to a picture `(1, C, H, W)` in [0, 255], least and greatest strength). A new one is a
# function and a line here. A blur reaches three deviations: not beyond photos of 32 px.
KINDS: dict[str, tuple[Callable[[Tensor, float, np.random.Generator], Tensor], float, float]] = {
    "noise": (add_noise, 0.0, 1.0),
    "blur": (blur, 0.0, 10.0),
    "scale": (reduce_size, 1.0, 16.0),
}


@dataclass(frozen=True)
class Step:
    """A kind of KINDS, and the range from which its strength is drawn."""

    kind: str
    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw the strength; where there is only one, nothing is drawn."""
        return self.kind, self.low if self.low == self.high else float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class Degradation:
    """What happens to a photo, step by step. name: as it was written."""

    name: str
    steps: tuple[Step, ...]

    def draw(self, rng: np.random.Generator) -> tuple[Drawn, ...]:
        """Draw the strength of each step."""
        return tuple(step.draw(rng) for step in self.steps)


def parse_degradation(text: str) -> Degradation:
    """Read a degradation as people write it. Raises ConfigError; also for two reductions in one."""
    steps = () if text == NONE else tuple(_parse_step(text, part) for part in text.split("+"))
    require(
        sum(step.kind == "scale" for step in steps) <= 1,
        f"{text!r} reduces a photo twice. Give one scale for both.",
    )
    return Degradation(text, steps)


def _parse_step(text: str, part: str) -> Step:
    kind, _, strength = part.partition(":")
    try:
        low, *more = (float(number) for number in strength.split("-"))
        (high,) = more or [low]
        _, least, greatest = KINDS[kind]
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{text!r} is no degradation. {FORMS}") from error
    require(
        least <= low <= high <= greatest,
        f"{text!r}: the strength of {kind} must lie within {least:g} and {greatest:g}.",
    )
    return Step(kind, low, high)


def degrade(picture: Tensor, drawn: Sequence[Drawn], rng: np.random.Generator) -> Tensor:
    """Return a picture degraded step by step, rounded to whole numbers: what a file of it would hold.

    picture: `(1, C, H, W)` in [0, 255]. Returns the same form, smaller after a reduction. rng: draws noise.
    """
    for kind, strength in drawn:
        function, _, _ = KINDS[kind]
        picture = function(picture, strength, rng)
    return picture.clamp(0, 255).round()


def degrade_photo(rgb: np.ndarray, drawn: Sequence[Drawn], rng: np.random.Generator) -> np.ndarray:
    """As `degrade`, for a photo uint8 `(H, W, 3)`."""
    import torch

    picture = torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None].float()
    return degrade(picture, drawn, rng)[0].permute(1, 2, 0).byte().numpy()


def reduce_hole(hole: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Return a hole, bool `(H, W)`, at the size of a reduced photo: a pixel that touches it is hole."""
    if hole.shape == size_px:
        return hole
    share = Image.fromarray(hole.astype(np.float32)).resize(size_px[::-1], Image.Resampling.BOX)
    return np.asarray(share) > 0


def resize(picture: Tensor, size_px: Sequence[int]) -> Tensor:
    """Resize `(1, C, H, W)` in [0, 255], bicubic and antialiased, rounded to whole numbers as a file is."""
    from torch.nn import functional

    if list(picture.shape[-2:]) == list(size_px):
        return picture
    resized = functional.interpolate(
        picture, list(size_px), mode="bicubic", antialias=True, align_corners=False
    )
    return resized.clamp(0, 255).round()
