"""Where the time of a request goes: stages with names, measured only while somebody listens."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

REST = "the rest"
T = TypeVar("T")


class Stages:
    """Seconds by stage, in the order in which they began; each without the stages inside it."""

    def __init__(self, synchronise: Callable[[], object] | None = None):
        """synchronise: waits for what a device still has to do, so that it counts where it was asked for."""
        self.seconds: dict[str, float] = {}
        self._synchronise = synchronise
        self._open: list[str] = []
        self._since = 0.0

    @property
    def current(self) -> str | None:
        """The innermost stage that has begun and not ended."""
        return self._open[-1] if self._open else None

    def begin(self, name: str) -> None:
        """Count for a stage, until it ends or another one begins inside it."""
        self._count()
        self._open.append(name)
        self.seconds.setdefault(name, 0.0)

    def end(self) -> None:
        """Count for the stage around the present one again."""
        self._count()
        self._open.pop()

    def _count(self) -> None:
        if self._synchronise is not None:
            self._synchronise()
        now = time.perf_counter()
        if self.current is not None:
            self.seconds[self.current] += now - self._since
        self._since = now

    def __str__(self) -> str:
        return ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in self.seconds.items())


_listening: ContextVar[Stages | None] = ContextVar("listening", default=None)


@contextmanager
def listen(synchronise: Callable[[], object] | None = None) -> Iterator[Stages]:
    """Measure the stages of what this thread does in the block; `synchronise` as in `Stages`."""
    found = Stages(synchronise)
    token = _listening.set(found)
    found.begin(REST)
    try:
        yield found
    finally:
        found.end()
        _listening.reset(token)


def current_stage() -> str | None:
    """Return the name of the stage that this thread is in; None while nobody listens."""
    found = _listening.get()
    return found.current if found is not None else None


@contextmanager
def log_stages(log: logging.Logger, what: str) -> Iterator[None]:
    """Write the stages of what is done in the block to a log, at debug level."""
    if not log.isEnabledFor(logging.DEBUG):
        yield
        return
    with listen() as found:
        yield
    log.debug("%s: %s", what, found)


class stage(ContextDecorator):  # noqa: N801 (used as a function is, in `with stage("plan"):` and as a decorator)
    """A named stage of a request. Costs next to nothing while nobody listens."""

    def __init__(self, name: str):
        self.name = name

    def __enter__(self) -> None:
        found = _listening.get()
        if found is not None:
            found.begin(self.name)

    def __exit__(self, *_: Any) -> None:
        found = _listening.get()
        if found is not None:
            found.end()


def each_stage(name: str, items: Iterable[T]) -> Iterator[T]:
    """Yield items; what is done with each is a stage, called by the name and the item."""
    for item in items:
        with stage(f"{name} {item}"):
            yield item
