"""The Edit tab: paint over something, fill it, compare, save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from app.actions import FORMATS, EditActions
from app.editor import canvas as editor_canvas
from app.editor import handler
from app.service import FillService

REQUEST = "async (_, ...rest) => [await window.sair.server.request({busy}, {parts}), ...rest]"


def _request(busy: str | None = None, mask: bool = False) -> str:
    """The script that makes a Request of what the widget holds."""
    return REQUEST.format(busy="null" if busy is None else f"'{busy}'", parts="'mask'" if mask else "''")


def build(service: FillService, examples: Path) -> None:
    """Lay out the tab inside the running Blocks and wire it."""
    actions = EditActions(service, examples)
    session = gr.State(None)
    with gr.Row(elem_id="workbench"):
        with gr.Column(scale=10, min_width=320):
            canvas = editor_canvas(actions.example_cards(), elem_id="canvas")
        with gr.Column(scale=3, min_width=300, elem_id="side"):
            fill = gr.Button("Fill", variant="primary", elem_id="fill-button")
            mask_buttons = _mask_panel()
            save_controls = _result_panel()
    _wire(actions, canvas, session, fill, mask_buttons, save_controls)


def _mask_panel() -> dict[str, gr.Button | gr.Slider]:
    with gr.Column(elem_id="mask-panel", elem_classes="card-panel"):
        gr.HTML("<h3>Mask</h3><p>What you marked. It stays after a fill.</p>", elem_classes="panel-title")
        radius = gr.Slider(
            1, 64, value=6, step=1, label="Grow or shrink by (px)", buttons=[], elem_id="mask-radius"
        )
        with gr.Row(elem_classes="pair"):
            grow_button = gr.Button("Grow", size="sm", elem_id="mask-grow")
            shrink_button = gr.Button("Shrink", size="sm", elem_id="mask-shrink")
        with gr.Row(elem_classes="pair"):
            invert_button = gr.Button("Invert", size="sm", elem_id="mask-invert")
            clear_button = gr.Button("Clear", size="sm", elem_id="mask-clear")
        with gr.Row(elem_classes="pair"):
            upload_button = gr.Button("Open mask", size="sm", elem_id="mask-upload")
            save_button = gr.Button("Save mask", size="sm", elem_id="mask-save")
    return {"radius": radius, "grow": grow_button, "shrink": shrink_button, "invert": invert_button,
            "clear": clear_button, "upload": upload_button, "save": save_button}  # fmt: skip


def _result_panel() -> dict[str, gr.Button | gr.Slider | gr.Radio]:
    with gr.Column(elem_id="result-panel", elem_classes="card-panel"):
        gr.HTML(
            "<h3>Result</h3><p>Full size. Pixels you did not mark are never touched.</p>",
            elem_classes="panel-title",
        )
        adopt = gr.Button("Use as photo and go on", size="sm", elem_id="use-as-photo")
        format = gr.Radio(list(FORMATS), value="PNG", label="Format", elem_id="save-format")
        quality = gr.Slider(
            50, 100, value=95, step=1, label="Quality (JPEG, WebP)", buttons=[], elem_id="save-quality"
        )
        save = gr.Button("Download", size="md", elem_id="download-button")
    return {"adopt": adopt, "format": format, "quality": quality, "save": save}


def _wire(
    actions: EditActions, canvas: gr.HTML, session: gr.State, fill: gr.Button, mask: dict, result: dict
) -> None:
    def ask(
        event: Callable, action: Callable, script: str, *more: gr.components.Component, **options: Any
    ) -> None:
        """On the event, send a request to the action and give its answer to the canvas."""
        outputs = [canvas, session] if options.pop("opens", False) else canvas
        dependency = event(
            handler(action), [canvas, session, *more], outputs, js=script,
            show_progress="hidden", api_visibility="private", concurrency_limit=4, **options,
        )  # fmt: skip
        dependency.failure(None, js="() => window.sair.server.failed()", api_visibility="private")

    ask(canvas.open, actions.open, _request("Opening the photo"), opens=True)
    ask(canvas.upload_mask, actions.upload_mask, _request("Opening the mask"))
    # The service runs one fill at a time; more are let in here, so that those who wait are told so.
    ask(fill.click, actions.fill, _request("Starting", mask=True), concurrency_id="model")
    ask(mask["grow"].click, actions.grow, _request("Growing the mask", mask=True), mask["radius"])
    ask(mask["shrink"].click, actions.shrink, _request("Shrinking the mask", mask=True), mask["radius"])
    ask(mask["save"].click, actions.save_mask, _request("Saving the mask", mask=True))
    ask(
        result["save"].click, actions.save, _request("Saving the result"), result["format"], result["quality"]
    )

    scripts = {
        mask["invert"]: "editor.changeMask('invert')",
        mask["clear"]: "editor.changeMask('clear')",
        mask["upload"]: "server.chooseMask()",
        result["adopt"]: "editor.useAsPhoto()",
    }
    for button, script in scripts.items():
        button.click(None, js=f"() => window.sair.{script}", api_visibility="private")
