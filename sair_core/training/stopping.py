"""How a run is asked to end."""

from __future__ import annotations

import signal
import threading


class StopSignals:
    """Ctrl+C and SIGTERM ask the loop to stop after the present step; a second one interrupts at once."""

    asked = False

    def __enter__(self) -> StopSignals:
        self.kept = {}
        if threading.current_thread() is threading.main_thread():  # elsewhere Python sets no handlers
            self.kept = {kind: signal.signal(kind, self._ask) for kind in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for kind, handler in self.kept.items():
            signal.signal(kind, handler)

    def _ask(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
