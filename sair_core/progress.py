"""How long work tells its caller how far it is, and how the caller stops it."""

from __future__ import annotations

from collections.abc import Callable

from sair_core.errors import CancelledError

Progress = Callable[[float, str], None]  # given the share that is done, in [0, 1], and a short text
Cancelled = Callable[[], bool]  # True from the moment that nobody wants the result any more


def no_progress(share: float, text: str) -> None:
    """A Progress for callers that need none."""


def never_cancelled() -> bool:
    """A Cancelled for work that always runs to its end."""
    return False


def raise_if_cancelled(cancelled: Cancelled) -> None:
    """Raise CancelledError once `cancelled` says so."""
    if cancelled():
        raise CancelledError("Stopped as asked.")
