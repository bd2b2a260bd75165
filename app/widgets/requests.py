"""What the actions of all tabs share: the photo and the mask of a request, progress, refusals."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from sair_core.errors import (
    CancelledError,
    EmptyMaskError,
    FullMaskError,
    LabelError,
    MaskError,
    PhotoError,
    SairError,
)
from sair_core.photos.masks import as_mask
from sair_core.photos.photo import Photo

from ..session import NoMapError, NoPhotoError, Session
from .pictures import display_size, mask_picture, reduced_mask
from .protocol import Answer, Request

NO_PHOTO = "Open a photo first: drop it on the page, paste it or choose a file."
MISUSES = (NoPhotoError, NoMapError, EmptyMaskError, FullMaskError, LabelError)  # a step is missing
T = TypeVar("T")
Report = Callable[[float, str], None]


def photo_of(request: Request, session: Session | None, *, seen: bool = False) -> Photo:
    """The photo that is edited, or with `seen` the one on the stage. Raises NoPhotoError when it is gone."""
    check_upload(request)
    if not request.open:
        raise NoPhotoError(NO_PHOTO)
    if session is None:
        raise NoPhotoError("The server no longer has this photo. Open it again.")
    return session.get(request.seen if seen and request.seen else request.base)


def file_of(request: Request) -> Path:
    """The file that came with the request."""
    check_upload(request)
    if request.file is None:
        raise PhotoError("No file arrived. Choose it again.")
    return request.file


def check_upload(request: Request) -> None:
    """Raises PhotoError when the browser could not send a file."""
    if request.problem:
        raise PhotoError(
            f"The file could not be uploaded ({request.problem}). Choose a smaller one, or try again."
        )


def painted_mask(request: Request, size_px: tuple[int, int]) -> np.ndarray:
    """What was painted, as bool `size_px` (height, width); all False when nothing was."""
    display = display_size(size_px)
    mask = np.zeros(display, bool)
    if request.mask is not None and request.box is not None:
        left, top, width, height = request.box
        with Image.open(request.mask, formats=["PNG"]) as image:
            if image.size != (width, height) or not (
                0 <= left <= display[1] - width and 0 <= top <= display[0] - height
            ):
                raise MaskError(
                    "The painted mask does not belong to this photo. Reload the page and paint again."
                )
            part = np.asarray(image.convert("RGBA"))[..., 3] >= 128
        mask[top : top + height, left : left + width] = part
    return mask if display == size_px else as_mask(mask, size_px)


def mask_answer(
    mask: np.ndarray, text: str, size_px: tuple[int, int] | None = None, **more: object
) -> Answer:
    """A mask for the editor. size_px: its display size, where the mask is of the photo's own."""
    picture = mask_picture(mask if size_px in (None, mask.shape) else reduced_mask(mask, size_px))
    if picture is None:
        return Answer("notice", "warn", "Nothing of this photo would be marked. The mask stays as it is.")
    return Answer("mask", "info", text, (picture,), more=more)


def refusal(error: SairError) -> Answer:
    """An error as the visitor reads it."""
    return Answer("notice", "warn" if isinstance(error, MISUSES) else "error", str(error))


def percent(share: float) -> str:
    """`0.234` -> "23 %", `0.0042` -> "0.4 %"."""
    return f"{100 * share:.0f} %" if share >= 0.0095 or not share else f"{max(100 * share, 0.1):.1f} %"


def follow(
    start: Callable[[Report], Future[T]], sign: threading.Event | None = None
) -> Generator[Answer, None, T]:
    """Progress as answers until the work is done; returns what it gave and raises what it raised.

    start: is given a function to report to, and begins the work. sign: set when nobody wants the work any
    more, known to it too: CancelledError is raised at once, whether or not the work has noticed yet.
    """
    sign = sign or threading.Event()
    news: queue.Queue[tuple[float, str]] = queue.Queue()
    future = start(lambda share, text: news.put((share, text)))
    try:
        for share, text in _until_done(future, news, sign):
            yield Answer("progress", more={"share": share, "text": text})
    finally:
        future.cancel()  # nobody waits for it any more, or it is done and nothing happens
    if sign.is_set():
        raise CancelledError("Stopped as asked.")
    return future.result()


def _until_done(
    future: Future, news: queue.Queue[tuple[float, str]], sign: threading.Event
) -> Iterator[tuple[float, str]]:
    """Progress as it comes; only the newest where several wait."""
    while not sign.is_set():
        try:
            item = news.get(timeout=0.05)
            while not news.empty():
                item = news.get_nowait()
            yield item
        except queue.Empty:
            if future.done():
                return
