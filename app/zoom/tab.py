"""The Zoom tab: look at any part of the photo at any scale, beside plain enlargement, and export it."""

from __future__ import annotations

import gradio as gr
from gradio.components import Component

from ..widgets.protocol import export_line, zoom_view
from ..widgets.workbench import Workbench, in_browser
from .actions import FORMATS, VIEW, WHAT, ZoomActions, limits

START_SCALE, START_FORMAT = 2, "PNG"


def build(bench: Workbench) -> None:
    """Lay out the tab inside the running Blocks and wire it."""
    actions = ZoomActions(bench.service)
    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=10, min_width=320):
            widget = zoom_view(elem_id="zoom")
        with gr.Column(scale=3, min_width=300, elem_id="zoom-side", elem_classes="side"):
            choice, line, export, cancel = _export_panel()
    talk = bench.conversation(widget, "sharp.talk")
    talk.on(widget.view, actions.view, "Making it sharp", model=True, often=True)
    bench.signal(widget.drop, lambda session: session.stop("view"))
    asked = list(choice.values())
    bench.conversation(line, "exporter.talk").on(export.click, actions.export, "Starting", asked, model=True)
    bench.signal(cancel.click, lambda session: session.stop("export"))
    in_browser(cancel.click, "() => window.sair.exporter.cancel()")
    for component in asked:
        in_browser(component.change, "(...choice) => window.sair.exporter?.choose(...choice)", *asked)


def _export_panel() -> tuple[dict[str, Component], gr.HTML, gr.Button, gr.Button]:
    with gr.Column(elem_id="export-panel", elem_classes="card-panel"):
        gr.HTML(
            "<h3>Export</h3><p>As a file, with the detail that SAIR adds.</p>", elem_classes="panel-title"
        )
        what = gr.Radio(list(WHAT), value=VIEW, label="What", show_label=False, elem_id="export-what")
        scale = gr.Number(
            START_SCALE, label="Scale of the whole photo (1 to 64)", step=0.5, elem_id="export-scale"
        )
        format = gr.Radio(list(FORMATS), value=START_FORMAT, label="Format", elem_id="export-format")
        start = {"what": VIEW, "scale": START_SCALE, "format": START_FORMAT}
        line = export_line("export-line", start, VIEW, limits())
        export = gr.Button("Export", variant="primary", elem_id="export-button", elem_classes="main-button")
        cancel = gr.Button("Cancel", size="sm", elem_id="export-cancel")
    return {"what": what, "scale": scale, "format": format}, line, export, cancel
