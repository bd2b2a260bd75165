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
from typing import Any, Literal

import gradio as gr
from gradio import processing_utils
from gradio.utils import get_upload_folder

from sair_core.window import Window

from ..session import ORIGINAL
from .pictures import Picture


@dataclass(frozen=True)
class Request:
    """What a widget sends.

    base, shown, seen: ids ("original", "1", ...) of what is edited, what can be saved, what is on the stage.
    file: an uploaded photo or mask. mask: PNG of the painted part, opaque = hole, whose corner lies at `box`
    (left, top, width, height) in display px. label, at, add: which label of the map was chosen, or which of
    its places (x, y) in photo px, and whether the mask so far is kept. seed: of the variation that is taken.
    window: what the Zoom tab shows of the photo; against: what it is compared with; number: of this request,
    said again in the answer. run: name of the training that is looked at; step: of its picture. problem: why
    an upload did not work.
    """

    open: bool = False
    base: str = ORIGINAL
    shown: str | None = None
    seen: str | None = None
    file: Path | None = None
    example: str | None = None
    mask: Path | None = None
    box: tuple[int, int, int, int] | None = None
    label: int | None = None
    at: tuple[int, int] | None = None
    add: bool = False
    seed: int | None = None
    window: Window | None = None
    against: str | None = None
    number: int | None = None
    run: str | None = None
    step: int | None = None
    problem: str | None = None

    @property
    def on_stage(self) -> str:
        """The id of the photo on the stage."""
        return self.seen or self.base


@dataclass(frozen=True)
class Answer:
    """What a widget hears. pictures: sent as files of their own; file: offered for download as `name`. All
    are bytes, or lie where `new_file` says."""

    kind: Literal[
        "notice", "progress", "photo", "result", "variations", "priors", "mask", "map", "view", "run",
        "download",
    ]  # fmt: skip
    level: Literal["info", "good", "busy", "warn", "error"] = "info"
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    file: bytes | Path | None = None
    name: str = ""
    more: dict[str, Any] = field(default_factory=dict)


def handler(action: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an action for Gradio: its first argument becomes a Request, its Answers become messages."""
    if inspect.isgeneratorfunction(action):

        def stream(payload: dict[str, Any] | None, *rest: Any) -> Iterator[Any]:
            for answer in action(read_request(payload), *rest):
                yield _told(answer)

        return stream

    def run(payload: dict[str, Any] | None, *rest: Any) -> Any:
        return _told(action(read_request(payload), *rest))

    return run


def _told(outcome: Any) -> Any:
    """An Answer, or a tuple that begins with one, as Gradio gets it."""
    if isinstance(outcome, tuple):
        return (to_message(outcome[0]), *outcome[1:])
    return to_message(outcome)


def read_request(payload: dict[str, Any] | None) -> Request:
    """Checks what came from the browser. Raises gr.Error when it is not what the widget sends."""
    payload = payload or {}
    try:
        return Request(
            open=bool(payload.get("open")),
            base=str(payload.get("base") or ORIGINAL),
            shown=_text(payload.get("shown")),
            seen=_text(payload.get("seen")),
            file=_uploaded(payload.get("file")),
            example=_text(payload.get("example")),
            mask=_uploaded(payload.get("mask")),
            box=_whole(payload.get("box"), 4),
            label=None if payload.get("label") is None else int(payload["label"]),
            at=_whole(payload.get("at"), 2),
            add=bool(payload.get("add")),
            seed=None if payload.get("seed") is None else int(payload["seed"]),
            window=_window(payload.get("window")),
            against=_text(payload.get("against")),
            number=None if payload.get("number") is None else int(payload["number"]),
            run=_text(payload.get("run")),
            step=None if payload.get("step") is None else int(payload["step"]),
            problem=_text(payload.get("problem")),
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise gr.Error("The editor sent a request that is not understood. Reload the page.") from error


def to_message(answer: Answer) -> dict[str, Any]:
    """The Answer as the widget reads it; its pictures and its file are written where Gradio serves from."""
    # Two answers are never equal, so that the widget is told of each; the same one twice can be told apart.
    message: dict[str, Any] = {"kind": answer.kind, "id": uuid.uuid4().hex, **answer.more}
    if answer.text:
        message["notice"] = {"level": answer.level, "text": answer.text}
    message["pictures"] = [
        {
            "file": _sent(one.data, f"view.{one.suffix}"),
            "x": one.x,
            "y": one.y,
            "width": one.width,
            "height": one.height,
        }
        for one in answer.pictures
    ]
    if answer.file is not None:
        message.update(file=_sent(answer.file, answer.name), name=answer.name)
    return message


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _whole(values: Any, count: int) -> tuple[int, ...] | None:
    if values is None:
        return None
    if len(values) != count:
        raise ValueError(f"{values!r} are not {count} numbers")
    return tuple(int(value) for value in values)


def _window(data: dict[str, Any] | None) -> Window | None:
    if data is None:
        return None
    place = (float(data[name]) for name in ("top", "left", "scale"))
    return Window(*place, (int(data["height"]), int(data["width"])))


def _uploaded(data: dict[str, Any] | None) -> Path | None:
    if data is None:
        return None
    path = Path(data.get("path") or "").resolve()
    # Gradio checks files that are marked as such; a mark can be left out, so it is checked here again.
    if not path.is_relative_to(Path(get_upload_folder()).resolve()) or not path.is_file():
        raise ValueError(f"{path} was not uploaded")
    return path


def _sent(file: bytes | Path, name: str) -> dict[str, Any]:
    """A file as Gradio sends it: its bytes, which all who show the same share, or where it lies."""
    if isinstance(file, bytes):
        file = Path(processing_utils.save_bytes_to_cache(file, name, get_upload_folder()))
    return {"path": str(file), "orig_name": name, "meta": {"_type": "gradio.FileData"}}
