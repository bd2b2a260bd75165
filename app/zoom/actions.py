"""What happens on the server when something is shown or exported in the Zoom tab."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from sair_core.errors import CancelledError, ConfigError, PhotoTooLargeError, SairError
from sair_core.photos.photo import SIDE_LIMITS_PX, Photo
from sair_core.window import MAX_SCALE, Window, resample

from ..edit.actions import FORMATS as PHOTO_FORMATS
from ..host.limits import hosted
from ..semantics.actions import made_map
from ..serving.service import FillService
from ..session import Session
from ..widgets.files import new_file
from ..widgets.pictures import Picture, window_picture
from ..widgets.protocol import Answer, Request
from ..widgets.requests import Report, follow, photo_of, refusal

FORMATS = {**PHOTO_FORMATS, "TIFF": "tif"}
VIEW, WHOLE = "This view", "Whole photo"
WHAT = (VIEW, WHOLE)
NEAREST, LABELS = "nearest", "labels"  # what a view is compared with; anything else is bicubic
LABEL_OPACITY = 0.6
MAX_VIEW_PX = 1600  # a side
MEGAPIXELS = {"PNG": 100, "JPEG": 100, "WebP": 100, "TIFF": 400}
HOSTED_MEGAPIXELS = 32
NO_SIDE_LIMIT_PX = 2**31 - 1


class ZoomActions:
    """Every method takes a Request and the visitor's Session and gives Answers; errors are answers too."""

    def __init__(self, service: FillService):
        self.service = service

    def view(self, request: Request, session: Session | None) -> Iterator[Answer]:
        """Show a window of the photo: the model's picture and what it is compared with; neither where nobody
        wants it any more."""
        more = {"request": request.number}
        try:
            photo = photo_of(request, session, seen=True)
            assert session is not None
            window = _asked(request)
            if max(window.size_px) > MAX_VIEW_PX:
                raise ConfigError(f"A view has at most {MAX_VIEW_PX} px a side. Make the window smaller.")
            sign = session.begin("view")
            ours = yield from follow(
                lambda report: self.service.start_view(
                    photo, window, cache=session.features, cancelled=sign.is_set, progress=report
                ),
                sign,
            )
            plain = yield from self._plain(request, session, photo, window, sign)
        except CancelledError:
            yield Answer("view", more=more)
            return
        except SairError as error:
            yield refusal(error)
            return
        pictures = [window_picture(photo, rgb, window) for rgb in (np.asarray(ours), plain)]
        yield Answer("view", pictures=_kept(session, pictures), more=more)

    def _plain(
        self,
        request: Request,
        session: Session,
        photo: Photo,
        window: Window,
        sign: threading.Event,
    ) -> Generator[Answer, None, np.ndarray]:
        """What the view is compared with, uint8 `(h, w, 3)`."""
        if request.against != LABELS:
            return resample(photo.rgb, window, "nearest" if request.against == NEAREST else "bicubic")
        made = made_map(request, session, of=request.seen or request.base)
        reading = yield from follow(
            lambda report: self.service.start_reading(
                photo, made.map.labels, made.hole, complete=made.complete, encoder=made.encoder,
                window=window, progress=report,
            ),
            sign,
        )  # fmt: skip
        return reading.map.overlay(resample(photo.rgb, window, "bicubic"), LABEL_OPACITY)

    def export(
        self, request: Request, session: Session | None, what: str, scale: float | None, format: str
    ) -> Iterator[Answer]:
        """Write the view or the whole photo to a file and offer it. what: of WHAT; scale: of the whole."""
        try:
            photo = photo_of(request, session, seen=True)
            assert session is not None
            window = _asked(request) if what == VIEW else whole_window(photo.size_px, scale)
            check_size(window.size_px, format)
            path = new_file(f"photo{'-view' if what == VIEW else ''}-{window.scale:.4g}x.{FORMATS[format]}")
            session.stop("view")  # the model works on one thing at a time
            sign = session.begin("export")
            session.keep_folder("export", path.parent)
            height, width = yield from self._write(photo, path, window, session, sign)
        except CancelledError:
            yield Answer("notice", "info", "Export cancelled. Nothing was saved.")
            return
        except SairError as error:
            yield refusal(error)
            return
        size = path.stat().st_size / 1e6
        text = f"Exported {width} x {height} px as {format}, {size:.1f} MB."
        yield Answer("download", "good", text, file=path, name=path.name)

    def _write(
        self, photo: Photo, path: Path, window: Window, session: Session, sign: threading.Event
    ) -> Generator[Answer, None, tuple[int, int]]:
        """Writes the file and gives its (height, width). Where that fails not even its folder is left."""

        def clean(work: Future) -> None:
            if work.cancelled() or work.exception() or sign.is_set():
                shutil.rmtree(path.parent, ignore_errors=True)

        def start(report: Report) -> Future[tuple[int, int]]:
            work = self.service.start_export(
                photo, path, window, cache=session.features, cancelled=sign.is_set, progress=report
            )
            work.add_done_callback(clean)
            return work

        try:
            return (yield from follow(start, sign))
        except BaseException:  # the visitor may have closed the page
            sign.set()
            raise


def whole_window(photo_px: tuple[int, int], scale: float | None) -> Window:
    """All of the photo, `scale` times as wide and as high. Raises ConfigError for a scale beyond 1 to 64."""
    if scale is None or not 1 <= scale <= MAX_SCALE:
        raise ConfigError(f"Give a scale from 1 to {MAX_SCALE:g}, for example 2.5.")
    window = Window.whole(photo_px, scale)
    return window.part(*window.inside(photo_px))  # an output pixel that lies half inside is left out


def limits() -> dict[str, dict[str, int]]:
    """The largest export by format: `{"megapixels", "side"}`, the side in px."""
    return {
        format: {
            "megapixels": HOSTED_MEGAPIXELS if hosted() else megapixels,
            "side": SIDE_LIMITS_PX.get(format.upper(), NO_SIDE_LIMIT_PX),
        }
        for format, megapixels in MEGAPIXELS.items()
    }


def check_size(size_px: tuple[int, int], format: str) -> None:
    """Raises PhotoTooLargeError where an export of (height, width) is larger than `limits` allow."""
    height, width = size_px
    limit = limits()[format]
    size = f"The result would be {width} x {height} px ({height * width / 1e6:.1f} megapixels)"
    if height * width > limit["megapixels"] * 1e6:
        raise PhotoTooLargeError(
            f"{size}, but at most {limit['megapixels']} megapixels are written as {format} here. Choose a "
            "smaller scale, or export a view."
        )
    if max(size_px) > limit["side"]:
        raise PhotoTooLargeError(
            f"{size}, but {format} holds at most {limit['side']} px a side. Choose TIFF or a smaller scale."
        )


def _kept(session: Session, pictures: list[Picture]) -> tuple[Picture, ...]:
    """The pictures of a view as files that go when newer views are there: every move makes some."""
    folder = new_file("view").parent
    session.keep_folder("view", folder)
    placed = []
    for number, picture in enumerate(pictures):
        path = folder / f"{number}.{picture.suffix}"
        path.write_bytes(picture.data)
        placed.append(dataclasses.replace(picture, data=path))
    return tuple(placed)


def _asked(request: Request) -> Window:
    if request.window is None:
        raise ConfigError("Nothing of the photo is in view. Press Fit and try again.")
    return request.window
