"""What the widgets and the server say to each other: Requests, Answers, and the handlers between them.

Gradio's own ImageEditor re-encodes what is dropped on it (no ICC profile, no 16 bits, no EXIF rotation) and
sends the whole photo back after every stroke. Here the file itself is uploaded once, then only masks travel.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import gradio as gr
from gradio import processing_utils
from gradio.data_classes import FileData
from gradio.utils import get_upload_folder
from pydantic import BeforeValidator, TypeAdapter, ValidationError

from sair_core.window import Window

from ..session import ORIGINAL
from .pictures import Picture


def _find_upload(data: Any) -> Path:
    """Return the file that was uploaded. Raises ValueError for a file that was not."""
    path = Path(FileData.model_validate(data).path).resolve()
    # Gradio checks files that are marked as such; a mark can be left out, so it is checked here again.
    if not path.is_relative_to(Path(get_upload_folder()).resolve()) or not path.is_file():
        raise ValueError(f"{path} was not uploaded")
    return path


def _gather_size(place: Any) -> Any:
    """Return the browser's window with width and height as `size_px`; pydantic checks the rest."""
    return (
        {**place, "size_px": (place.get("height"), place.get("width"))} if isinstance(place, dict) else place
    )


Upload = Annotated[Path, BeforeValidator(_find_upload)]
SentWindow = Annotated[Window, BeforeValidator(_gather_size)]


@dataclass(frozen=True)
class Request:
    """What a widget sends.

    base, shown, seen: ids ("original", "1", ...) of what is edited, what can be saved, what is on the stage.
    file: an uploaded photo or mask. mask: PNG of the painted part, opaque = hole, whose corner lies at `box`
    (left, top, width, height) in display px; source, source_box: the same of where texture is taken from.
    label, at, add: which label of the map was chosen, or which of its places (x, y) in photo px, and
    whether the mask so far is kept. seed: of the variation that is taken. points: (x, y) in photo px that
    lie inside a thing or not, as `inside` says. window: what the Zoom tab
    shows of the photo; against: what it is compared with; number: of this request, repeated in the
    answer. run: name of the training that is looked at; step: of its picture. problem: why an upload
    did not work.
    """

    open: bool = False
    base: str = ORIGINAL
    shown: str | None = None
    seen: str | None = None
    file: Upload | None = None
    example: str | None = None
    mask: Upload | None = None
    box: tuple[int, int, int, int] | None = None
    source: Upload | None = None
    source_box: tuple[int, int, int, int] | None = None
    label: int | None = None
    at: tuple[int, int] | None = None
    add: bool = False
    seed: int | None = None
    points: tuple[tuple[float, float], ...] = ()
    inside: tuple[bool, ...] = ()
    window: SentWindow | None = None
    against: str | None = None
    number: int | None = None
    run: str | None = None
    step: int | None = None
    problem: str | None = None

    @property
    def on_stage(self) -> str:
        """The id of the photo on the stage."""
        return self.seen or self.base


REQUEST = TypeAdapter(Request)


Level = Literal["info", "good", "busy", "warn", "error"]


@dataclass(frozen=True)
class Answer:
    """What a widget hears.

    kind: which of the widget's methods shows it. level, text: a notice; none without text. pictures: sent as
    files of their own; file: offered for download as `name`; both are bytes, or lie where `new_file` says.
    more: everything else that the widget is told.
    """

    kind: Literal[
        "notice", "progress", "photo", "result", "variations", "priors", "mask", "map", "view", "run",
        "download",
    ]  # fmt: skip
    level: Level = "info"
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    file: bytes | Path | None = None
    name: str = ""
    more: dict[str, Any] = field(default_factory=dict)


def handler(action: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an action for Gradio: its first argument becomes a Request, its Answers become messages."""
    if inspect.isgeneratorfunction(action):

        def stream(payload: dict[str, Any] | None, *rest: Any) -> Iterator[Any]:
            for outcome in action(read_request(payload), *rest):
                yield _to_messages(outcome)

        return stream

    def run(payload: dict[str, Any] | None, *rest: Any) -> Any:
        return _to_messages(action(read_request(payload), *rest))

    return run


def _to_messages(outcome: Any) -> Any:
    """Return an Answer, or a tuple that begins with one, as Gradio takes it."""
    if isinstance(outcome, tuple):
        return (to_message(outcome[0]), *outcome[1:])
    return to_message(outcome)


def read_request(payload: dict[str, Any] | None) -> Request:
    """Check what came from the browser. Raises gr.Error when it is not what a widget sends."""
    try:
        sent = (
            payload if not isinstance(payload, dict) else {k: v for k, v in payload.items() if v is not None}
        )
        return REQUEST.validate_python(sent or {})
    except ValidationError as error:
        raise gr.Error("The editor sent a request that is not understood. Reload the page.") from error


def to_message(answer: Answer) -> dict[str, Any]:
    """Return the Answer as the widget reads it; its pictures and its file are written where Gradio serves
    from."""
    # Two answers are never equal, so that the widget is told of each; the same one twice can be told apart.
    message: dict[str, Any] = {"kind": answer.kind, "id": uuid.uuid4().hex, **answer.more}
    if answer.text:
        message["notice"] = {"level": answer.level, "text": answer.text}
    message["pictures"] = [
        {
            "file": _to_file_data(picture.data, f"view.{picture.suffix}"),
            "x": picture.x,
            "y": picture.y,
            "width": picture.width,
            "height": picture.height,
        }
        for picture in answer.pictures
    ]
    if answer.file is not None:
        message.update(file=_to_file_data(answer.file, answer.name), name=answer.name)
    return message


def _to_file_data(file: bytes | Path, name: str) -> dict[str, Any]:
    """Return a file as Gradio sends it: its bytes, which all who show the same share, or where it lies."""
    if isinstance(file, bytes):
        file = Path(processing_utils.save_bytes_to_cache(file, name, get_upload_folder()))
    return FileData(path=str(file), orig_name=name).model_dump()
