"""The Zoom tab: look at any part of the photo at any scale, beside plain enlargement, and export it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..host.exports import EXPORT_FORMATS, export_limits
from ..widgets.assets import widget
from ..widgets.workbench import Workbench, command
from .actions import EXTENTS, VIEW, ZoomActions

START_SCALE, START_FORMAT = 2, "PNG"


def build(bench: Workbench) -> None:
    """Lay out the tab inside the running Blocks and wire it."""
    actions = ZoomActions(bench.service)
    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=10, min_width=320):
            view = zoom_view()
        with gr.Column(scale=3, min_width=300, elem_id="zoom-side", elem_classes="side"):
            (extent, scale, format), line, export, cancel = _export_panel()
    talk = bench.conversation(view)
    talk.on(view.view, actions.view, "Making it sharp", model=True, often=True)
    bench.signal(view.drop, lambda session: session.stop("view"))
    choice = [extent, scale, format]
    bench.conversation(line).on(export.click, actions.export, "Starting", choice, model=True)
    bench.signal(cancel.click, lambda session: session.stop("export"))
    command(cancel.click, "cancelExport")
    for component in (extent, scale, format):
        command(component.change, "chooseExport", *choice)


def _export_panel() -> tuple[tuple[gr.Radio, gr.Number, gr.Radio], gr.HTML, gr.Button, gr.Button]:
    """Lay out the choice (extent, scale, format), the line below it, and the buttons Export and Cancel."""
    with gr.Column(elem_id="export-panel", elem_classes="card-panel"):
        gr.HTML(
            "<h3>Export</h3><p>As a file, with the detail that SAIR adds.</p>", elem_classes="panel-title"
        )
        extent = gr.Radio(list(EXTENTS), value=VIEW, label="What", show_label=False, elem_id="export-what")
        scale = gr.Number(
            START_SCALE, label="Scale of the whole photo (1 to 64)", step=0.5, elem_id="export-scale"
        )
        format = gr.Radio(list(EXPORT_FORMATS), value=START_FORMAT, label="Format", elem_id="export-format")
        start = {"what": VIEW, "scale": START_SCALE, "format": START_FORMAT}
        line = export_line(start, VIEW, export_limits())
        export = gr.Button("Export", variant="primary", elem_id="export-button", elem_classes="main-button")
        cancel = gr.Button("Cancel", size="sm", elem_id="export-cancel")
    return (extent, scale, format), line, export, cancel


def zoom_view() -> gr.HTML:
    """The photo at any scale, beside plain enlargement. It shares the editor's photo in the browser; it fires
    "view" when another part of the photo is to be shown, "drop" when that is no longer wanted."""
    return widget("zoom/zoom", "zoom", ["view", "drop"])


def export_line(choice: dict[str, Any], view: str, limits: dict[str, dict[str, int]]) -> gr.HTML:
    """The line that says how large an export becomes, with a conversation of its own: what is exported and
    what is looked at are under way at the same time.

    choice: `{"what", "scale", "format"}` at the start; view: the "what" that means what is in view, all else
    is the whole photo; limits: `{"megapixels", "side"}` by format.
    """
    return widget("zoom/export", "export-line", choice=choice, view=view, limits=limits)
