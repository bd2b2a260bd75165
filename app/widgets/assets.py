"""The static files of the page, and the widgets made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

APP = Path(__file__).parents[1]  # each room keeps its pages, scripts and sheets in a folder static/
SCRIPTS = (
    "widgets/controls", "edit/mask", "edit/timeline", "widgets/viewport", "edit/history", "edit/editor",
    "widgets/protocol", "edit/requests", "widgets/pointer", "edit/keys", "widgets/viewer", "semantics/labels",
    "semantics/legend", "semantics/meaning", "zoom/view_requests", "zoom/zoom", "zoom/export", "train/curve",
    "train/train", "edit/variations", "edit/priors", "edit/tab",
)  # fmt: skip
SHEETS = (
    "widgets/page", "edit/editor", "semantics/meaning", "zoom/zoom", "train/train", "edit/variations",
)  # fmt: skip
MOUNT = """
const bridge = { trigger, upload, watch, props };
window.sair.%s(element, bridge);  // events: %s
"""


def widget(page: str, mount: str, events: str, elem_id: str, **value: Any) -> gr.HTML:
    """A page of a room with the script that brings it to life, which finds `value` in its props."""
    return gr.HTML(
        value,
        html_template=static(f"{page}.html").read_text("utf-8"),
        js_on_load=MOUNT % (mount, events),
        apply_default_css=False,
        elem_id=elem_id,
    )


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
