"""What is different where many share one machine."""

from __future__ import annotations

import os

from sair_core.semantics.words import MAX_LABELS

MEGAPIXELS, HOSTED_MEGAPIXELS = 50.0, 16.0  # of a photo; above that it is refused before it is decoded
UPLOAD, HOSTED_UPLOAD = "200mb", "60mb"  # of a file
HOSTED_LABELS = 32  # of one map
VARIATIONS, HOSTED_VARIATIONS = 8, 4  # of one fill
QUEUE, HOSTED_QUEUE = 64, 32  # who may wait; whoever comes then is told to come again
SESSIONS = 500  # that Gradio remembers at 0.2 MB each, a call from a script being one, too; 10,000 by default
WORK_SECONDS = 120.0  # one piece of work where hosted; elsewhere it takes what it takes
# Every so many seconds, files that were shown or offered so many seconds ago are deleted.
KEPT_FILES, HOSTED_KEPT_FILES = (3600, 86400), (300, 3600)


def hosted() -> bool:
    """Whether this runs as a Space, or as another shared host (SAIR_HOSTED=1)."""
    return bool(os.environ.get("SPACE_ID")) or os.environ.get("SAIR_HOSTED") == "1"


def max_megapixels() -> float:
    """The largest photo that is taken unless --max-megapixels says otherwise."""
    return HOSTED_MEGAPIXELS if hosted() else MEGAPIXELS


def max_upload() -> str:
    """The largest file that is taken, as Gradio reads it."""
    return HOSTED_UPLOAD if hosted() else UPLOAD


def max_labels() -> int:
    """How many labels one map may have."""
    return HOSTED_LABELS if hosted() else MAX_LABELS


def max_variations() -> int:
    """How many fills of one hole may be asked for at once."""
    return HOSTED_VARIATIONS if hosted() else VARIATIONS


def max_waiting() -> int:
    """How many requests may wait for their turn."""
    return HOSTED_QUEUE if hosted() else QUEUE


def max_seconds() -> float | None:
    """How long one piece of work may take, waiting not counted; None: as long as it takes."""
    return WORK_SECONDS if hosted() else None


def kept_files() -> tuple[int, int]:
    """How often files are looked through and how old they become, in seconds."""
    return HOSTED_KEPT_FILES if hosted() else KEPT_FILES
