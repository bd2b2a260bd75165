"""The Semantics tab: type labels, see what every pixel is, make it the mask."""

from __future__ import annotations

import json
from collections.abc import Iterator

import gradio as gr

from sair_core.semantics.words import EVERYTHING_ELSE, label_presets

from ..host.limits import hosted
from ..serving.models import BUNDLED
from ..session import Session
from ..widgets.assets import widget
from ..widgets.protocol import Answer, Request
from ..widgets.workbench import Conversation, Workbench, command, in_browser
from .actions import AS_IS, UNDER_MASK, SemanticActions


def build(bench: Workbench) -> None:
    """Lay out the tab inside the running Blocks and wire it."""
    actions = SemanticActions(bench.service)
    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=10, min_width=320):
            view = map_view()
        talk = bench.conversation(view)
        with gr.Column(scale=3, min_width=300, elem_id="map-side", elem_classes="side"):
            show = gr.Button("Show map", variant="primary", elem_id="map-button", elem_classes="main-button")
            labels, preset, rest = _labels_panel()
            under_mask = _hole_panel()
            _files_panel(talk, actions)
            # Where many share a machine the reader refuses all but the bundled one.
            encoders = [] if hosted() else [_encoder_panel(talk, actions)]

    def warm_up() -> None:
        bench.service.warm_up(reader=True)

    # The encoder takes seconds to load: begin while the labels are being typed.
    view.seen(warm_up, api_visibility="private", show_progress="hidden")
    for event in (show.click, labels.submit):
        choice = [labels, rest, under_mask, *encoders]
        talk.on(event, actions.show, "Starting", choice, mask=True, model=True)
    talk.on(view.choose, actions.choose, "Marking it")
    presets = {name: ", ".join(labels) for name, labels in label_presets().items()}
    in_browser(preset.input, f"(name) => ({json.dumps(presets)})[name]", preset, outputs=labels)
    in_browser(labels.input, "() => null", outputs=preset)
    for event in (rest.input, under_mask.input, *(encoder.input for encoder in encoders)):
        command(event, "askAgain")


def _labels_panel() -> tuple[gr.Textbox, gr.Radio, gr.Checkbox]:
    with gr.Column(elem_id="label-panel", elem_classes="card-panel"):
        gr.HTML(
            "<h3>Labels</h3><p>What may be in the photo. Every pixel gets the nearest one.</p>",
            elem_classes="panel-title",
        )
        labels = gr.Textbox(
            label="Labels", show_label=False, placeholder="sky, road, car", lines=1, max_lines=4,
            max_length=4000, elem_id="map-labels",
        )  # fmt: skip
        preset = gr.Radio(list(label_presets()), value=None, label="Begin with", elem_id="map-presets")
        rest = gr.Checkbox(True, label=EVERYTHING_ELSE, elem_id="map-rest")
    return labels, preset, rest


def _hole_panel() -> gr.Radio:
    """Offered while something is marked."""
    with gr.Column(elem_id="hole-panel", elem_classes="card-panel"):
        gr.HTML(
            "<h3>Under the mask</h3><p>Read the photo as it is, hide what is marked, or let the model "
            "complete what is hidden.</p>",
            elem_classes="panel-title",
        )
        return gr.Radio(
            list(UNDER_MASK), value=AS_IS, label="Under the mask", show_label=False, elem_id="map-hole"
        )


def _files_panel(talk: Conversation, actions: SemanticActions) -> None:
    with gr.Column(elem_id="map-files", elem_classes="card-panel"):
        gr.HTML("<h3>Save</h3>", elem_classes="panel-title")
        with gr.Row(elem_classes="pair"):
            map_button = gr.Button("Map (PNG)", size="sm", elem_id="map-save")
            raw_button = gr.Button("Raw (NPY)", size="sm", elem_id="map-save-raw")
    talk.on(map_button.click, actions.save_map, "Saving the file")
    talk.on(raw_button.click, actions.save_embedding, "Saving the file")


def _encoder_panel(talk: Conversation, actions: SemanticActions) -> gr.Dropdown:
    """Lay out the choice of the encoder and how to load another one; return the choice."""
    with gr.Accordion("Encoder", open=False, elem_id="encoder-panel", elem_classes="card-panel"):
        encoder = gr.Dropdown([BUNDLED], value=BUNDLED, label="In use", elem_id="encoder")
        name = gr.Textbox(
            label="Another, from open_clip", placeholder="ViT-B-16 laion2b_s34b_b88k",
            info="A name and the tag of its weights, or hf-hub:organisation/name.", lines=1, max_lines=1,
            max_length=200, elem_id="encoder-name",
        )  # fmt: skip
        load = gr.Button("Load", size="sm", elem_id="encoder-load")

    def load_encoder(
        request: Request, session: Session | None, name: str, chosen: str
    ) -> Iterator[tuple[Answer, gr.Dropdown]]:
        for answer, choice in actions.load_encoder(request, session, name, chosen):
            yield answer, gr.Dropdown(list(dict.fromkeys([BUNDLED, choice])), value=choice)

    for event in (load.click, name.submit):
        talk.on(event, load_encoder, "Starting", [name, encoder], also=[encoder])
    return encoder


def map_view() -> gr.HTML:
    """The map over the photo with its legend. Requests and Answers as with `canvas`, whose photo and mask it
    shares in the browser; it fires "choose" when a region or a label is clicked, "seen" when first shown."""
    return widget("semantics/map", "map", ["choose", "seen"])
