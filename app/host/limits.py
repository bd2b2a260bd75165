"""What one visitor may take: of a machine of their own, and of one that many share."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sair_core.semantics.words import MAX_LABELS


@dataclass(frozen=True)
class Limits:
    """What is refused beyond, and what is kept for how long.

    megapixels: of a photo, checked before it is decoded. export_megapixels: of an exported photo, whatever
    its format can hold; None: only the format limits it. upload: of a file, as Gradio reads it. labels: of
    one map. variations: of one fill. waiting: requests that wait for their turn; the next one is told to come
    again. seconds: that one piece of work may take, waiting not counted; None: as long as it takes.
    result_pixels: of all results that are kept for one visitor, 3 bytes each as RGB. feature_bytes: that the
    model remembers for one visitor. delete_files: every so many seconds, files that were shown or offered so
    many seconds ago are deleted.
    """

    megapixels: float
    export_megapixels: int | None
    upload: str
    labels: int
    variations: int
    waiting: int
    seconds: float | None
    result_pixels: int
    feature_bytes: int
    delete_files: tuple[int, int]


OWN = Limits(
    megapixels=50.0,
    export_megapixels=None,
    upload="200mb",
    labels=MAX_LABELS,
    variations=8,
    waiting=64,
    seconds=None,
    result_pixels=240_000_000,
    feature_bytes=512 * 2**20,
    delete_files=(3600, 86400),
)
SHARED = Limits(
    megapixels=16.0,
    export_megapixels=32,
    upload="60mb",
    labels=32,
    variations=4,
    waiting=32,
    seconds=120.0,
    result_pixels=48_000_000,
    feature_bytes=128 * 2**20,
    delete_files=(300, 3600),
)
SESSIONS = 500  # that Gradio remembers at 0.2 MB each, a call from a script being one, too; 10,000 by default


def hosted() -> bool:
    """Whether this runs as a Space, or as another shared host (SAIR_HOSTED=1)."""
    return bool(os.environ.get("SPACE_ID")) or os.environ.get("SAIR_HOSTED") == "1"


def limits() -> Limits:
    """Return the limits of the machine that this runs on."""
    return SHARED if hosted() else OWN
