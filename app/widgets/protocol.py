"""The widgets, each a `gr.HTML` around a page of a folder `static/`, and what they say to the server.

Gradio's own ImageEditor re-encodes what is dropped on it (no ICC profile, no 16 bits, no EXIF rotation) and
sends the whole photo back after every stroke. Here the file itself is uploaded once, then only masks travel.
"""

from __future__ import annotations

import inspect
import os
import tempfile
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

APP = Path(__file__).parents[1]  # each room keeps its pages, scripts and sheets in a folder static/
SCRIPTS = (
    "widgets/parts", "edit/mask", "edit/timeline", "widgets/viewport", "edit/history", "edit/editor",
    "widgets/talk", "edit/requests", "widgets/pointer", "edit/keys", "widgets/companion", "semantics/labels",
    "semantics/legend", "semantics/meaning", "zoom/view_requests", "zoom/zoom", "zoom/export", "train/curve",
    "train/train", "edit/variations", "edit/priors", "edit/main",
)  # fmt: skip
SHEETS = (
    "widgets/page", "edit/editor", "semantics/meaning", "zoom/zoom", "train/train", "edit/variations",
)  # fmt: skip
MOUNT = """
const bridge = { trigger, upload, watch, props };
window.sair.%s(element, bridge);  // events: %s
"""


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


def canvas(examples: list[dict[str, str]], elem_id: str) -> gr.HTML:
    """The stage with its tools. Its value is a Request going in and an Answer coming out (see `handler`); it
    fires the events "open", "upload_mask" and, when one of several variations is chosen, "take".

    examples: `{"name", "label", "thumbnail"}` each, the thumbnail as a data URI.
    """
    return _widget("edit/editor", "mount", "'open', 'upload_mask', 'take'", elem_id, examples=examples)


def meaning_map(elem_id: str) -> gr.HTML:
    """The map over the photo with its legend. Requests and Answers as with `canvas`, whose photo and mask it
    shares in the browser; it fires "choose" when a region or a label is clicked, "seen" when first shown."""
    return _widget("semantics/meaning", "mountMeaning", "'choose', 'seen'", elem_id)


def prior_view(elem_id: str) -> gr.HTML:
    """What an SPN expects in the hole, as small pictures, with a conversation of its own."""
    return _widget("edit/priors", "mountPriors", "", elem_id)


def zoom_view(elem_id: str) -> gr.HTML:
    """The photo at any scale, beside plain enlargement. It shares the editor's photo in the browser; it fires
    "view" when another part of the photo is to be shown, "drop" when that is no longer wanted."""
    return _widget("zoom/zoom", "mountZoom", "'view', 'drop'", elem_id)


def export_line(
    elem_id: str, choice: dict[str, Any], view: str, limits: dict[str, dict[str, int]]
) -> gr.HTML:
    """The line that says how large an export becomes, with a conversation of its own: what is exported and
    what is looked at are under way at the same time.

    choice: `{"what", "scale", "format"}` at the start; view: the "what" that means what is in view, all else
    is the whole photo; limits: `{"megapixels", "side"}` by format.
    """
    return _widget("zoom/export", "mountExport", "", elem_id, choice=choice, view=view, limits=limits)


def training_view(elem_id: str) -> gr.HTML:
    """How a training stands: its curves, its pictures, its log. It fires "look" to be told again, "models"
    when other ones can be begun with, "stop_run", "resume_run", "use_model" and "use_first" when pressed."""
    events = "'look', 'models', 'stop_run', 'resume_run', 'use_model', 'use_first'"
    return _widget("train/train", "mountTrain", events, elem_id)


def folder_line(elem_id: str, hint: str) -> gr.HTML:
    """The lines that say what is in a folder, with a conversation of their own. They fire "check" when
    another folder was typed. hint: said before that."""
    return _widget("train/folder", "mountFolder", "'check'", elem_id, hint=hint)


def _widget(page: str, mount: str, events: str, elem_id: str, **value: Any) -> gr.HTML:
    """A page of a room with the script that brings it to life, which finds `value` in its props."""
    return gr.HTML(
        value,
        html_template=static(f"{page}.html").read_text("utf-8"),
        js_on_load=MOUNT % (mount, events),
        apply_default_css=False,
        elem_id=elem_id,
    )


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


def new_file(name: str) -> Path:
    """A place for a file that Gradio serves from there as it is; nothing else is in its folder."""
    root = Path(get_upload_folder())
    root.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=root, prefix=own_prefix())) / name


def own_prefix() -> str:
    """How the names of this process's own folders begin: other apps may keep theirs at the same place."""
    return f"sair-{os.getpid()}-"


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


def static(name: str) -> Path:
    """The file that "edit/editor.html" names: the room, and what lies in its folder static/."""
    room, file = name.split("/")
    return APP / room / "static" / file


def head() -> str:
    """The widget's scripts, inlined: the page asks for nothing that is not on this host."""
    return "\n".join(f"<script>\n{static(f'{name}.js').read_text('utf-8')}</script>" for name in SCRIPTS)


def css() -> str:
    """The page's and the widget's style sheets."""
    return "\n".join(static(f"{name}.css").read_text("utf-8") for name in SHEETS)
