"""The engine Natural: texture copied from the photo itself, guided by what a model expects in the hole.

The model's fill says which colours belong where; words and a mask of sources say where texture may be taken
from. The photo is read and written in its own depth and channels, at its own resolution.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from sair_core.errors import EmptyMaskError
from sair_core.filling.texture import TextureConfig, synthesize
from sair_core.photos.masks import MaskSource
from sair_core.photos.photo import LUMA, Photo
from sair_core.progress import Cancelled, Progress, never_cancelled, no_progress

# Of a thing that words name: less is a mistake of the encoder, or too little to copy from.
MIN_SOURCE_PX = 400
SMOOTH = "There was too little of the photo to take texture from, so the fill is smooth there."


@dataclass(frozen=True, eq=False)
class Sources:
    """Where texture may come from.

    pixels: bool `(H, W)`; None: all of the photo. note: what has to be said of the choice, "" for nothing.
    meaning: embeddings `(D, h, w)` of the photo with its hole completed, to take grass from grass; None: not
    asked.
    """

    pixels: np.ndarray | None = field(default=None, repr=False)
    note: str = ""
    meaning: Tensor | None = field(default=None, repr=False)


def read_sources(photo: Photo, source: MaskSource, hole: np.ndarray) -> np.ndarray:
    """Read a photo's mask of sources, white or True = take from here: bool `(H, W)`, without the hole.

    Raises MaskError kinds; EmptyMaskError where nothing is left to take from.
    """
    pixels: np.ndarray = photo.read_mask(source) & ~hole
    if not pixels.any():
        raise EmptyMaskError(
            "Nothing outside the hole is marked to take texture from. Mark a part of the photo that stays, "
            "or leave the source out."
        )
    return pixels


def prefer_named(named: np.ndarray, sources: Sources, words: str) -> Sources:
    """Return the sources that words name, or all of them with a note where there are next to none.

    named: bool `(H, W)`, what the words name in the photo, the hole left out.
    """
    pixels = named if sources.pixels is None else named & sources.pixels
    if np.count_nonzero(pixels) >= MIN_SOURCE_PX:
        return dataclasses.replace(sources, pixels=pixels)
    note = f"No {words} was found to take texture from, so it was taken from anywhere."
    return dataclasses.replace(sources, note=note)


@dataclass(frozen=True, eq=False)
class NaturalFill:
    """A filled photo with what has to be said of it, "" for nothing.

    textured: False where there was too little to copy from, and the model's colours stand in the hole.
    """

    photo: Photo
    note: str
    textured: bool


def fill_natural(
    photo: Photo,
    hole: np.ndarray,
    guides01: Sequence[np.ndarray],
    seeds: Sequence[int],
    sources: Sources,
    config: TextureConfig,
    *,
    device: torch.device,
    progress: Progress = no_progress,
    cancelled: Cancelled = never_cancelled,
) -> list[NaturalFill]:
    """Fill the hole of a photo with its own texture once for every seed.

    guides01: float32 `(N, 3)` in [0, 1] for every seed, a model's colours of the hole's N pixels in the order
    of np.nonzero. Raises CancelledError.
    """
    valid = None if photo.alpha is None else photo.alpha > 0
    filled = []
    for i, (seed, guide01) in enumerate(zip(seeds, guides01, strict=True)):

        def tell(share: float, text: str, done: int = i) -> None:
            progress((done + share) / len(seeds), text)

        found = synthesize(
            photo.colours,
            hole,
            guide01=guide01 if photo.colours.ndim == 3 else (guide01 @ LUMA)[:, None],
            semantics=sources.meaning,
            sources=sources.pixels,
            valid=valid,
            config=config,
            seed=seed,
            progress=tell,
            cancelled=cancelled,
            device=device,
        )
        note = sources.note if found.possible else SMOOTH
        filled.append(NaturalFill(photo.composite(found.colours, hole), note, found.possible))
    return filled
