"""What a request is about: the session, the file, the painted mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sair_core.errors import EmptyMaskError, FullMaskError, MaskError, PhotoError
from sair_core.photos.masks import as_mask
from sair_core.photos.photo import load_photo

from ..session import LostPhotoError, NoPhotoError, Session
from .pictures import fit_display
from .protocol import Request


def require_session(request: Request, session: Session | None) -> Session:
    """Return the visitor's session. Raises NoPhotoError when nothing is open, LostPhotoError when it
    is no longer here."""
    check_upload(request)
    if not request.open:
        raise NoPhotoError("Open a photo first: drop it on the page, paste it or choose a file.")
    if session is None:
        raise LostPhotoError("The server no longer has this photo. Open it again.")
    return session


def require_file(request: Request) -> Path:
    """Return the file that came with the request. Raises PhotoError where none did."""
    check_upload(request)
    if request.file is None:
        raise PhotoError("No file arrived. Choose it again.")
    return request.file


def check_upload(request: Request) -> None:
    """Raise PhotoError when the browser could not send a file."""
    if request.problem:
        raise PhotoError(
            f"The file could not be uploaded ({request.problem}). Choose a smaller one, or try again."
        )


def read_mask(request: Request, size_px: tuple[int, int]) -> np.ndarray:
    """Return what is painted, bool of `size_px` (height, width); all False when nothing is."""
    return _read_painted(request.mask, request.box, size_px)


def read_source(request: Request, size_px: tuple[int, int]) -> np.ndarray | None:
    """Return what is marked to take texture from, bool of `size_px` (height, width); None when nothing is."""
    source = _read_painted(request.source, request.source_box, size_px)
    return source if source.any() else None


def _read_painted(
    painted: Path | None, box: tuple[int, int, int, int] | None, size_px: tuple[int, int]
) -> np.ndarray:
    display = fit_display(size_px)
    mask = np.zeros(display, bool)
    if painted is not None and box is not None:
        left, top, width, height = box
        try:
            canvas = load_photo(painted)
        except PhotoError:
            raise MaskError("The painted mask cannot be read. Reload the page and paint again.") from None
        inside = 0 <= left <= display[1] - width and 0 <= top <= display[0] - height
        if canvas.size_px != (height, width) or not inside:
            raise MaskError(
                "The painted mask does not belong to this photo. Reload the page and paint again."
            )
        mask[top : top + height, left : left + width] = True if canvas.alpha is None else canvas.alpha >= 128
    return mask if display == size_px else as_mask(mask, size_px)


def read_hole(request: Request, size_px: tuple[int, int]) -> np.ndarray:
    """Return what is painted, as a hole that can be filled: bool of `size_px` (height, width).

    Raises EmptyMaskError where there is nothing to fill, FullMaskError where there is nothing to fill from.
    """
    hole = read_mask(request, size_px)
    if not hole.any():
        raise EmptyMaskError("Nothing is marked yet. Brush over what should go, then press Fill.")
    if hole.all():
        raise FullMaskError(
            "Everything is marked, so nothing is left to fill from. Erase some of it, or press Undo."
        )
    return hole
