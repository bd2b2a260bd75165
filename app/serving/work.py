"""Work that waits for its turn."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from sair_core.progress import Progress, no_progress

T = TypeVar("T")


class WorkQueue:
    """One thread that does one piece of work at a time, in the order of asking."""

    def __init__(self, name: str):
        """name: of the thread."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._length = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many pieces of work wait or are under way."""
        return self._length

    def submit(self, work: Callable[[Progress], T], progress: Progress | None = None) -> Future[T]:
        """Queue work, which is given `progress` to call; that is called at once when others come first."""
        progress = progress or no_progress
        with self._lock:
            ahead = self._length
            self._length += 1
        if ahead:
            progress(0.0, "Waiting for the work before this one")
        # In the context of who asks: ZeroGPU reads there on whose account a GPU is lent.
        future = self._thread.submit(contextvars.copy_context().run, work, progress)
        future.add_done_callback(self._leave)
        return future

    def _leave(self, _: Future[Any]) -> None:
        with self._lock:
            self._length -= 1
