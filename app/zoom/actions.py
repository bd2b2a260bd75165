"""What happens on the server when something is shown or exported in the Zoom tab."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

from PIL import Image

from sair_core.errors import CancelledError, ConfigError, SairError
from sair_core.photos.photo import Photo
from sair_core.progress import Progress
from sair_core.window import Window, resample

from ..host.exports import EXPORT_FORMATS, check_export, check_view, whole_window
from ..serving.service import FillService
from ..session import Session
from ..widgets.answers import follow, refuse
from ..widgets.files import new_file
from ..widgets.pictures import Picture, encode_view
from ..widgets.protocol import Answer, Request
from ..widgets.requests import require_session

VIEW, WHOLE = "This view", "Whole photo"
EXTENTS = (VIEW, WHOLE)
NEAREST, LABELS = "nearest", "labels"  # what a view is compared with; anything else is bicubic
LABEL_OPACITY = 0.6


class ZoomActions:
    """Every method takes a Request and the visitor's Session and gives Answers; errors are answers too."""

    def __init__(self, service: FillService):
        self.service = service

    def view(self, request: Request, session: Session | None) -> Iterator[Answer]:
        """Show a window of the photo: the model's picture and what it is compared with; neither where nobody
        wants it any more."""
        more = {"request": request.number}
        try:
            session = require_session(request, session)
            photo = session.get(request.on_stage)
            window = _require_window(request)
            check_view(window.size_px)
            features, stopped = session.features, session.begin("view")
            view = yield from follow(
                lambda progress: self.service.start_view(
                    photo, window, cache=features, cancelled=stopped.is_set, progress=progress
                ),
                stopped,
            )
            other = yield from self._compare(request, session, photo, window, stopped)
        except CancelledError:
            yield Answer("view", more=more)
            return
        except SairError as error:
            yield refuse(error)
            return
        pictures = [encode_view(photo, image, window) for image in (view, other)]
        yield Answer("view", pictures=_store(session, pictures), more=more)

    def _compare(
        self, request: Request, session: Session, photo: Photo, window: Window, stopped: threading.Event
    ) -> Generator[Answer, None, Image.Image]:
        """Make what the view is compared with, "RGB" of the window's size."""
        if request.against != LABELS:
            plain = resample(photo.rgb, window, "nearest" if request.against == NEAREST else "bicubic")
            return Image.fromarray(plain)
        record = session.get_map(of=request.on_stage)
        reading = yield from follow(
            lambda progress: self.service.start_reading(
                photo, record.map.labels, record.hole, complete=record.complete, encoder=record.encoder,
                window=window, progress=progress,
            ),
            stopped,
        )  # fmt: skip
        plain = resample(photo.rgb, window, "bicubic")
        return Image.fromarray(reading.map.overlay(plain, LABEL_OPACITY))

    def export(
        self, request: Request, session: Session | None, extent: str, scale: float | None, format: str
    ) -> Iterator[Answer]:
        """Write the view or the whole photo to a file and offer it. extent: of EXTENTS; scale: of the whole
        photo."""
        try:
            session = require_session(request, session)
            photo = session.get(request.on_stage)
            window = _require_window(request) if extent == VIEW else whole_window(photo.size_px, scale)
            check_export(window.size_px, format)
            part = "-view" if extent == VIEW else ""
            path = new_file(f"photo{part}-{window.scale:.4g}x.{EXPORT_FORMATS[format]}")
            session.stop("view")  # the model works on one thing at a time
            stopped = session.begin("export")
            session.keep_folder("export", path.parent)
            height, width = yield from self._write(photo, path, window, session, stopped)
        except CancelledError:
            yield Answer("notice", "info", "Export cancelled. Nothing was saved.")
            return
        except SairError as error:
            yield refuse(error)
            return
        megabytes = path.stat().st_size / 1e6
        text = f"Exported {width} x {height} px as {format}, {megabytes:.1f} MB."
        yield Answer("download", "good", text, file=path, name=path.name)

    def _write(
        self, photo: Photo, path: Path, window: Window, session: Session, stopped: threading.Event
    ) -> Generator[Answer, None, tuple[int, int]]:
        """Write the file and return its (height, width). Where that fails not even its folder is left."""

        def clean(work: Future[tuple[int, int]]) -> None:
            if work.cancelled() or work.exception() or stopped.is_set():
                shutil.rmtree(path.parent, ignore_errors=True)

        def start(progress: Progress) -> Future[tuple[int, int]]:
            work = self.service.start_export(
                photo, path, window, cache=session.features, cancelled=stopped.is_set, progress=progress
            )
            work.add_done_callback(clean)
            return work

        return (yield from follow(start, stopped))


def _require_window(request: Request) -> Window:
    if request.window is None:
        raise ConfigError("Nothing of the photo is in view. Press Fit and try again.")
    return request.window


def _store(session: Session, pictures: Sequence[Picture]) -> tuple[Picture, ...]:
    """Write the pictures of a view to files that are deleted as newer views come: every move makes some."""
    folder = new_file("view").parent
    session.keep_folder("view", folder)
    stored = []
    for number, picture in enumerate(pictures):
        assert isinstance(picture.data, bytes)
        path = folder / f"{number}.{picture.suffix}"
        path.write_bytes(picture.data)
        stored.append(dataclasses.replace(picture, data=path))
    return tuple(stored)
