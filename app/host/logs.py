"""What the log says of an error: where it happened, and nothing that a visitor has sent."""

from __future__ import annotations

import sys
import traceback
from types import ModuleType
from typing import Any

from gradio import queueing, route_utils, routes, utils

TALKATIVE: tuple[ModuleType, ...] = (queueing, route_utils, routes, utils)  # they print what they catch


class Traceback:
    """Stands for the module `traceback` where messages of errors may hold names of files or words."""

    def print_exc(self) -> None:
        """Print where the present error happened and of which kind it is, without its message."""
        kind, _, frames = sys.exc_info()
        if kind is not None:
            where = "".join(traceback.format_tb(frames))
            sys.stderr.write(f"Traceback (most recent call last):\n{where}{kind.__name__}\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(traceback, name)


def leave_out_messages() -> None:
    """Keep the messages of errors that Gradio catches out of the log."""
    for module in TALKATIVE:
        vars(module)["traceback"] = Traceback()
