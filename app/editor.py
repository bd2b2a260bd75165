"""The editor's widget: a `gr.HTML` around `static/editor.html`, and what it says to the server and hears.

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

from app.display import Picture
from app.session import ORIGINAL

STATIC = Path(__file__).parent / "static"
SCRIPTS = ("mask", "timeline", "viewport", "history", "editor", "server", "pointer", "keys", "main")
MOUNT = """
const bridge = { trigger, upload, watch, props };
window.sair.mount(element, bridge);  // events: 'open', 'upload_mask'
"""


@dataclass(frozen=True)
class Request:
    """What the widget sends. base, shown: ids of what is edited and what is shown ("original", "1", ...).

    file: an uploaded photo or mask. mask: PNG of the painted part, opaque = hole, whose corner lies at `box`
    (left, top, width, height) in display px. problem: why an upload did not work.
    """

    open: bool = False
    base: str = ORIGINAL
    shown: str | None = None
    file: Path | None = None
    example: str | None = None
    mask: Path | None = None
    box: tuple[int, int, int, int] | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Answer:
    """What the widget hears. pictures: sent as files of their own; file: offered for download as `name`."""

    kind: Literal["notice", "progress", "photo", "result", "mask", "download"]
    level: Literal["info", "good", "busy", "warn", "error"] = "info"
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    file: bytes | None = None
    name: str = ""
    more: dict[str, Any] = field(default_factory=dict)


def canvas(examples: list[dict[str, str]], elem_id: str) -> gr.HTML:
    """The stage with its tools. Its value is a Request going in and an Answer coming out (see `handler`); it
    fires the events "open" and "upload_mask".

    examples: `{"name", "label", "thumbnail"}` each, the thumbnail as a data URI.
    """
    return gr.HTML(
        {"examples": examples},
        html_template=(STATIC / "editor.html").read_text("utf-8"),
        js_on_load=MOUNT,
        apply_default_css=False,
        elem_id=elem_id,
    )


def handler(action: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an action for Gradio: its first argument becomes a Request, its Answers become messages."""
    if inspect.isgeneratorfunction(action):

        def stream(payload: dict[str, Any] | None, *rest: Any) -> Iterator[dict[str, Any]]:
            for answer in action(read_request(payload), *rest):
                yield to_message(answer)

        return stream

    def run(payload: dict[str, Any] | None, *rest: Any) -> Any:
        outcome = action(read_request(payload), *rest)
        if isinstance(outcome, tuple):
            return (to_message(outcome[0]), *outcome[1:])
        return to_message(outcome)

    return run


def read_request(payload: dict[str, Any] | None) -> Request:
    """Checks what came from the browser. Raises gr.Error when it is not what the widget sends."""
    payload = payload or {}
    try:
        box = payload.get("box")
        return Request(
            open=bool(payload.get("open")),
            base=str(payload.get("base") or ORIGINAL),
            shown=_text(payload.get("shown")),
            file=_uploaded(payload.get("file")),
            example=_text(payload.get("example")),
            mask=_uploaded(payload.get("mask")),
            box=None if box is None else tuple(int(value) for value in box),  # type: ignore[arg-type]
            problem=_text(payload.get("problem")),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise gr.Error("The editor sent a request that is not understood. Reload the page.") from error


def to_message(answer: Answer) -> dict[str, Any]:
    """The Answer as the widget reads it; its pictures and its file are written where Gradio serves from."""
    # Two answers are never equal, so that the widget is told of each; the same one twice can be told apart.
    message: dict[str, Any] = {"kind": answer.kind, "id": uuid.uuid4().hex, **answer.more}
    if answer.text:
        message["notice"] = {"level": answer.level, "text": answer.text}
    message["pictures"] = [
        {
            "file": _served(one.data, f"view.{one.suffix}"),
            "x": one.x,
            "y": one.y,
            "width": one.width,
            "height": one.height,
        }
        for one in answer.pictures
    ]
    if answer.file is not None:
        message.update(file=_served(answer.file, answer.name), name=answer.name)
    return message


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _uploaded(data: dict[str, Any] | None) -> Path | None:
    if data is None:
        return None
    path = Path(data.get("path") or "").resolve()
    # Gradio checks files that are marked as such; a mark can be left out, so it is checked here again.
    if not path.is_relative_to(Path(get_upload_folder()).resolve()) or not path.is_file():
        raise ValueError(f"{path} was not uploaded")
    return path


def _served(data: bytes, name: str) -> dict[str, Any]:
    path = processing_utils.save_bytes_to_cache(data, name, get_upload_folder())
    return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}


def head() -> str:
    """The widget's scripts, inlined: the page asks for nothing that is not on this host."""
    return "\n".join(f"<script>\n{(STATIC / f'{name}.js').read_text('utf-8')}</script>" for name in SCRIPTS)


def css() -> str:
    """The page's and the widget's style sheets."""
    return "\n".join((STATIC / name).read_text("utf-8") for name in ("page.css", "editor.css"))
