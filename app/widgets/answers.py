"""Answers that the actions of several tabs give: masks, refusals, progress."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import numpy as np

from sair_core.errors import CancelledError, EmptyMaskError, FullMaskError, LabelError, SairError
from sair_core.progress import Progress

from ..session import LostPhotoError, NoMapError, NoPhotoError
from .pictures import encode_mask, reduce_mask
from .protocol import Answer, Level

MISSING_STEPS = (NoPhotoError, NoMapError, EmptyMaskError, FullMaskError, LabelError)
POLL_SECONDS = 0.05  # how soon it is noticed that nobody wants the work any more
Update = tuple[float, str]  # share that is done, text
T = TypeVar("T")


def refuse(error: SairError) -> Answer:
    """Answer with an error as the visitor reads it: a warning where only a step is missing."""
    level: Level = "warn" if isinstance(error, MISSING_STEPS) else "error"
    # The page, which has the photo, opens it again.
    return Answer(
        "notice", level, str(error), more={"lost": True} if isinstance(error, LostPhotoError) else {}
    )


def send_mask(
    mask: np.ndarray,
    text: str,
    size_px: tuple[int, int] | None = None,
    more: dict[str, Any] | None = None,
) -> Answer:
    """Answer with a mask for the editor, bool `(H, W)`, and how it came about.

    size_px: the (height, width) at which the editor paints, where the mask is of the photo's own size. more:
    what else the editor is told.
    """
    picture = encode_mask(mask if size_px is None else reduce_mask(mask, size_px))
    if picture is None:
        return Answer("notice", "warn", "Nothing of this photo would be marked. The mask stays as it is.")
    return Answer("mask", "info", text, (picture,), more=more or {})


def format_share(share: float) -> str:
    """Write a share in [0, 1] for people: `0.234` -> "23 %", `0.0042` -> "0.4 %"."""
    return f"{100 * share:.0f} %" if share >= 0.0095 or not share else f"{max(100 * share, 0.1):.1f} %"


def follow(
    start: Callable[[Progress], Future[T]], stopped: threading.Event | None = None
) -> Generator[Answer, None, T]:
    """Yield the progress of work as Answers until it is done; return its result or raise its error.

    start: given a progress callback, begins the work. stopped: is set when nobody wants the work any more,
    which the work can ask, too: CancelledError is raised at once, whether or not the work has noticed yet.
    (Gradio's own Progress draws over the component that is waited for, and cannot be stopped.)
    """
    stopped = stopped or threading.Event()
    updates: queue.SimpleQueue[Update | None] = queue.SimpleQueue()
    future = start(lambda share, text: updates.put((share, text)))
    future.add_done_callback(lambda _: updates.put(None))
    try:
        for share, text in _newest_updates(updates, stopped):
            yield Answer("progress", more={"share": share, "text": text})
    except BaseException:  # the visitor may have closed the page
        stopped.set()
        raise
    finally:
        future.cancel()  # nobody waits for it any more, or it is done and nothing happens
    if stopped.is_set():
        raise CancelledError("Stopped as asked.")
    return future.result()


def _newest_updates(updates: queue.SimpleQueue[Update | None], stopped: threading.Event) -> Iterator[Update]:
    """Yield updates as they come, only the newest where several wait, until None comes or the work is
    stopped."""
    while not stopped.is_set():
        try:
            waiting = [updates.get(timeout=POLL_SECONDS)]
        except queue.Empty:
            continue
        while not updates.empty():
            waiting.append(updates.get())
        yield from [update for update in waiting if update is not None][-1:]
        if None in waiting:
            return
