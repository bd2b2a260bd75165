"""The static files of the page, and the widgets made from them."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import gradio as gr

APP = Path(__file__).parents[1]  # each room keeps its pages, scripts and sheets in a folder static/
ENTRY = APP / "static" / "page.js"
IMPORT = re.compile(r'^(import |(?:import|export) [^"=;()]* from )"(\.{1,2}/[^"]+)"', re.MULTILINE)
# Components may be there before the modules are: `window.sair` is the promise of the entry module.
MOUNT = """
const component = { trigger, upload, watch, props };
window.sair.then((page) => page.mount(%s, element, component));  // events: %s
"""


def widget(page: str, elem_id: str, events: Sequence[str] = (), **value: Any) -> gr.HTML:
    """Return a component with the HTML of a room, which the page's scripts bring to life by its `elem_id`.

    events: what it fires, each an event listener of the component. value: options for the script.
    """
    return gr.HTML(
        value,
        html_template=static(f"{page}.html").read_text("utf-8"),
        js_on_load=MOUNT % (json.dumps(elem_id), json.dumps(events)),
        apply_default_css=False,
        elem_id=elem_id,
    )


def static(name: str) -> Path:
    """Return the file that "edit/editor.html" names: the room, and what lies in its folder static/."""
    room, file = name.split("/")
    return APP / room / "static" / file


def head(entry: Path = ENTRY) -> str:
    """Return the page's modules, inlined, and the script that starts them; boot.js says why."""
    modules = json.dumps([*link_modules(entry).items()])
    modules = modules.replace("<", "\\u003c")  # or a "</script>" in them would end the element
    boot = static("widgets/boot.js").read_text("utf-8")
    return f'<script type="application/json" id="sair-modules">{modules}</script>\n<script>\n{boot}</script>'


def link_modules(entry: Path) -> dict[str, str]:
    """Return the sources of all modules that `entry` needs, by path inside the app: what is imported first.

    In the sources an import reads "sair:PATH", whatever module it is in. Raises graphlib.CycleError where
    modules import each other, and OSError where there is none of that name.
    """
    root = entry.parents[1]
    sources: dict[str, str] = {}
    imports: dict[str, list[str]] = {}
    waiting = [entry.relative_to(root).as_posix()]
    while waiting:
        path = waiting.pop()
        if path not in sources:
            sources[path], imports[path] = _link(path, (root / path).read_text("utf-8"))
            waiting += imports[path]
    return {path: sources[path] for path in TopologicalSorter(imports).static_order()}


def _link(path: str, source: str) -> tuple[str, list[str]]:
    """Return the source with the paths of what it imports, and those paths."""
    imported: list[str] = []

    def link(found: re.Match[str]) -> str:
        imported.append(posixpath.normpath(posixpath.join(posixpath.dirname(path), found[2])))
        return f'{found[1]}"sair:{imported[-1]}"'

    return IMPORT.sub(link, source), imported


def css() -> str:
    """Return the style sheets: the page's own first, as those of the rooms build on it."""
    page = static("widgets/page.css")
    sheets = [page, *sorted(set(APP.glob("*/static/*.css")) - {page})]
    return "\n".join(sheet.read_text("utf-8") for sheet in sheets)
