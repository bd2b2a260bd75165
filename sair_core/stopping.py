"""How what runs for long is asked to end."""

from __future__ import annotations

import signal
import threading


class StopSignals:
    """Ctrl+C and SIGTERM set `requested`, which the loop inside looks at; a second one interrupts at once.

    An interrupt may be raised anywhere, also where Python or a library drops it; a request is not lost.
    """

    requested = False

    def __enter__(self) -> StopSignals:
        self._handlers = {}
        if threading.current_thread() is threading.main_thread():  # elsewhere Python sets no handlers
            for kind in (signal.SIGINT, signal.SIGTERM):
                self._handlers[kind] = signal.signal(kind, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        for kind, handler in self._handlers.items():
            signal.signal(kind, handler)

    def _request(self, *_: object) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
