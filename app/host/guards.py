"""What holds one visitor's work within bounds, so that the others get their turn."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from sair_core.errors import LabelError, SairError
from sair_core.semantics.words import EVERYTHING_ELSE, parse_labels

from .limits import max_labels


class TooLongError(SairError):
    """The work took longer than this host allows."""


def timed(report: Callable[[float, str], None], seconds: float | None) -> Callable[[float, str], None]:
    """`report` for work that begins now and may take so many seconds (None: any).

    Work that is not done by then is ended by TooLongError at its next report: nothing else stops a thread.
    """
    if seconds is None:
        return report
    until = time.monotonic() + seconds

    def tell(share: float, text: str) -> None:
        if share < 1 and time.monotonic() > until:
            raise TooLongError(
                f"This takes longer than the {seconds:g} s that one request may take here. Choose a smaller "
                "photo, part or scale, or run the app on a machine of your own."
            )
        report(share, text)

    return tell


def some_labels(labels: str | Sequence[str]) -> list[str]:
    """As `parse_labels`, but as many as are read at once here, and "everything else" besides: it is no word
    that is looked for. Raises LabelError."""
    parts = re.split(r"[,;\n]", labels) if isinstance(labels, str) else labels
    # One by one: all at once, "everything else" would count.
    each = (name for part in parts if part.strip() for name in parse_labels([part]))
    names = list(dict.fromkeys(each)) or parse_labels(labels)
    count = len([name for name in names if name != EVERYTHING_ELSE])
    if count > max_labels():
        raise LabelError(f"{count} labels are too many: at most {max_labels()} at once on this host.")
    return names
