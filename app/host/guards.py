"""Checks that hold one visitor's work within the limits, so that the others get their turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import monotonic

from sair_core.errors import LabelError, SairError
from sair_core.progress import Progress
from sair_core.semantics.words import EVERYTHING_ELSE, parse_labels

from .limits import limits


class TooLongError(SairError):
    """The work took longer than this host allows."""


def limit_time(progress: Progress, seconds: float | None) -> Progress:
    """Return `progress` for work that begins now and may take so many seconds (None: any number).

    Work that is not done by then is ended by TooLongError when it next shows progress: nothing else stops a
    thread.
    """
    if seconds is None:
        return progress
    deadline = monotonic() + seconds

    def limited(share: float, text: str) -> None:
        if share < 1 and monotonic() > deadline:
            raise TooLongError(
                f"This takes longer than the {seconds:g} s that one request may take here. Choose a smaller "
                "photo, part or scale, or run the app on a machine of your own."
            )
        progress(share, text)

    return limited


def read_labels(labels: str | Sequence[str]) -> list[str]:
    """Parse labels as `parse_labels` does, but no more than this host reads at once.

    "everything else" is not counted: it is no word that is looked for. Raises LabelError.
    """
    parts = re.split(r"[,;\n]", labels) if isinstance(labels, str) else list(labels)
    # One by one: all at once, "everything else" would count.
    each = (name for part in parts if part.strip() for name in parse_labels([part]))
    names = list(dict.fromkeys(each)) or parse_labels(parts)
    count = len([name for name in names if name != EVERYTHING_ELSE])
    if count > limits().labels:
        raise LabelError(
            f"{count} labels are too many: at most {limits().labels} at once on this host. Leave some out."
        )
    return names
