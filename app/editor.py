"""The editor's widget: a Gradio component around `static/editor.html`, and what it says to the server and hears.

Gradio's own ImageEditor re-encodes what is dropped on it (no ICC profile, no 16 bits, no EXIF rotation) and sends
the whole photo back after every stroke. Here the file itself is uploaded once, and then only masks travel.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from gradio import processing_utils

from app.display import Picture
from app.session import ORIGINAL

STATIC = Path(__file__).parent / "static"
SCRIPTS = ("mask", "timeline", "viewport", "history", "editor", "server", "pointer", "keys", "main")
EVENTS = ("open", "upload_mask")
MOUNT = """
const bridge = { trigger, upload, watch, props };
window.sair.mount(element, bridge);  // events: 'open', 'upload_mask'
"""

_serial = itertools.count()


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


class EditorCanvas(gr.HTML):
    """The stage with its tools. Sends a Request, takes an Answer; fires "open" and "upload_mask"."""

    def __init__(self, examples: list[dict[str, str]] | None = None, **kwargs: Any):
        """examples: `{"name", "label", "thumbnail"}`, the thumbnail as a data URI."""
        super().__init__(
            {"examples": examples or []},
            html_template=(STATIC / "editor.html").read_text("utf-8"),
            js_on_load=MOUNT,
            apply_default_css=False,
            **kwargs,
        )

    def get_block_name(self) -> str:
        return "html"

    def preprocess(self, payload: dict[str, Any] | None) -> Request:
        """Checks what came from the browser. Raises gr.Error when it is not what the widget sends."""
        payload = payload or {}
        box = payload.get("box")
        try:
            return Request(
                open=bool(payload.get("open")),
                base=str(payload.get("base") or ORIGINAL),
                shown=None if payload.get("shown") is None else str(payload["shown"]),
                file=self._uploaded(payload.get("file")),
                example=None if payload.get("example") is None else str(payload["example"]),
                mask=self._uploaded(payload.get("mask")),
                box=None if box is None else tuple(int(value) for value in box),  # type: ignore[arg-type]
                problem=None if payload.get("problem") is None else str(payload["problem"]),
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise gr.Error("The editor sent a request that is not understood. Reload the page.") from error

    def _uploaded(self, data: dict[str, Any] | None) -> Path | None:
        if data is None:
            return None
        path = Path(data["path"] if "path" in data else "").resolve()
        # Gradio checks files that are marked as such; a mark can be left out, so it is checked here again.
        if not path.is_relative_to(Path(self.GRADIO_CACHE).resolve()) or not path.is_file():
            raise ValueError(f"{path} was not uploaded")
        return path

    def postprocess(self, value: Answer | dict[str, Any] | None) -> dict[str, Any] | None:
        if not isinstance(value, Answer):
            return value
        message: dict[str, Any] = {"kind": value.kind, "serial": next(_serial), "at": time.time(), **value.more}
        if value.text:
            message["notice"] = {"level": value.level, "text": value.text}
        message["pictures"] = [
            {"file": self._file(one.data, f"view.{one.suffix}"),
             "x": one.x, "y": one.y, "width": one.width, "height": one.height}
            for one in value.pictures
        ]  # fmt: skip
        if value.file is not None:
            message.update(file=self._file(value.file, value.name), name=value.name)
        return message

    def _file(self, data: bytes, name: str) -> dict[str, Any]:
        path = processing_utils.save_bytes_to_cache(data, name, self.GRADIO_CACHE)
        return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    def api_info(self) -> dict[str, Any]:
        return {"type": "object"}


def head() -> str:
    """The widget's scripts, inlined: the page asks for nothing that is not on this host."""
    return "\n".join(
        f"<script>\n{(STATIC / f'{name}.js').read_text('utf-8')}</script>" for name in SCRIPTS
    )


def css() -> str:
    """The page's and the widget's style sheets."""
    return "\n".join((STATIC / name).read_text("utf-8") for name in ("page.css", "editor.css"))
