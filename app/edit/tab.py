"""The Edit tab: paint over something, fill it, compare, save."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
from gradio.components import Component

from sair_core.filling.engines import NATURAL, PAINTED, SMOOTH
from sair_core.semantics.points import GROW_PX

from ..host.exports import PHOTO_FORMATS
from ..host.limits import limits
from ..widgets.assets import widget
from ..widgets.workbench import Conversation, Workbench, command, in_browser
from .actions import EditActions
from .masks import MaskActions

ABOUT = {
    NATURAL: "Natural takes texture from the photo.",
    SMOOTH: "Smooth has the likeliest colours.",
    PAINTED: "Painted draws what could stand there.",
}


def build(bench: Workbench, examples: Path) -> None:
    """Lay out the tab inside the running Blocks and wire it. examples: folder with photos to try."""
    actions = EditActions(bench.service, examples)
    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=10, min_width=320):
            stage = canvas(actions.example_cards())
            look, priors = _priors_panel() if bench.service.models.has_painter else (None, None)
        talk = bench.conversation(stage)
        with gr.Column(scale=3, min_width=300, elem_id="side", elem_classes="side"):
            fill = gr.Button("Fill", variant="primary", elem_id="fill-button", elem_classes="main-button")
            cancel = gr.Button("Cancel", elem_id="fill-cancel", elem_classes="main-button")
            drawing = _engine_panel(bench.service.models.engines)
            words, strength = _guide_panel()
            selecting = _mask_panel(talk, stage, MaskActions(bench.service))
            saving = _result_panel(talk, actions)
    keep_settings(stage, [words, strength, *drawing, *selecting, *saving], bench.service.models.engines)
    talk.on(stage.open, actions.open, "Opening the photo", also=[bench.session])
    talk.on(stage.take, actions.take, "Taking it")
    for event in (fill.click, words.submit):
        talk.on(event, actions.fill, "Filling", [words, strength, *drawing], guide=True, model=True)
    bench.signal(cancel.click, lambda session: session.stop("fill"))
    if look is not None and priors is not None:
        *_, seed = drawing
        bench.conversation(priors).on(
            look.click, actions.show_priors, "Starting", [seed], mask=True, model=True
        )


def canvas(examples: list[dict[str, str]]) -> gr.HTML:
    """The stage with its tools. Its value is a Request going in and an Answer coming out (see `handler`); it
    fires the events "open", "upload_mask", "touch", "take" when one of several variations is chosen, and for
    the settings that the browser has kept "restore".

    examples: `{"name", "label", "thumbnail"}` each, the thumbnail as a data URI.
    """
    return widget(
        "edit/editor",
        "canvas",
        ["open", "upload_mask", "take", "touch", "restore"],
        examples=examples,
    )


def keep_settings(stage: gr.HTML, settings: Sequence[Component], engines: Sequence[str]) -> None:
    """Keep what is set in the browser, until the stage fires "restore"."""
    # gr.BrowserState throws where a browser forbids its storage, as in the frame of another site.
    page = f"async (...values) => (await window.sair).commands.%s({json.dumps(' '.join(engines))}, values)"
    for setting in settings:
        in_browser(setting.change, page % "keepSettings", *settings)  # type: ignore[attr-defined]
    in_browser(stage.restore, page % "restoreSettings", *settings, outputs=list(settings))


def prior_view() -> gr.HTML:
    """What an SPN expects in the hole, as small pictures, with a conversation of its own."""
    return widget("edit/priors", "priors")


def _engine_panel(engines: Sequence[str]) -> list[Component]:
    """Lay out the engine, the number of fills and the first one's seed; return them in that order."""
    about = [ABOUT.get(engine, f"{engine} is a model of others.") for engine in engines]
    with gr.Column(elem_id="engine-panel", elem_classes="card-panel"):
        engine = gr.Radio(
            list(engines), value=NATURAL, label="Engine", elem_id="engine", info=" ".join(about),
        )  # fmt: skip
        with gr.Column(elem_id="drawing"):
            count = gr.Slider(
                1, limits().variations, value=1, step=1, label="Variations", buttons=[], elem_id="variations"
            )
            with gr.Row(elem_classes="pair"):
                seed = gr.Number(
                    0, label="Seed of the first", precision=0, minimum=0, min_width=80, elem_id="seed"
                )
                other = gr.Button("Other seeds", size="sm", elem_id="other-seeds")
    command(engine.change, "setEngine", engine)
    in_browser(other.click, "(seed, count) => (seed ?? 0) + count", seed, count, outputs=seed)
    return [engine, count, seed]


def _priors_panel() -> tuple[gr.Button, gr.HTML]:
    with gr.Accordion("What the model expects", open=False, elem_id="priors-panel"):
        gr.HTML(
            "<p>Before the painted engine fills, it guesses what kind of place every part is: first "
            "coarsely, then in detail. Another seed is another guess.</p>",
            elem_id="priors-text",
        )
        look = gr.Button("Look inside", size="sm", elem_id="priors-button")
        return look, prior_view()


def _guide_panel() -> tuple[gr.Textbox, gr.Slider]:
    with gr.Column(elem_id="guide-panel", elem_classes="card-panel"):
        words = gr.Textbox(
            label="Fill with (optional)", placeholder="grass", lines=1, max_lines=1, max_length=400,
            info="What should be there. Left empty, the surroundings decide.", elem_id="fill-words",
        )  # fmt: skip
        strength = gr.Slider(
            0, 1, value=1, step=0.05, label="How much these words count", buttons=[], elem_id="fill-strength"
        )
    return words, strength


def _mask_panel(talk: Conversation, stage: gr.HTML, actions: MaskActions) -> list[Component]:
    """Lay out what changes the mask; return what is set there."""
    with gr.Column(elem_id="mask-panel", elem_classes="card-panel"):
        gr.HTML("<h3>Mask</h3><p>What you marked. It stays after a fill.</p>", elem_classes="panel-title")
        words = gr.Textbox(
            label="Select by words", placeholder="car, person", lines=1, max_lines=1, max_length=400,
            elem_id="mask-words",
        )  # fmt: skip
        add = gr.Checkbox(False, label="Add to the mask", elem_id="mask-add")
        around = gr.Slider(
            0, 32, value=GROW_PX, step=1, label="Around a click (px)", buttons=[], elem_id="touch-grow",
        )  # fmt: skip
        radius = gr.Slider(
            1, 64, value=6, step=1, label="Grow or shrink by (px)", buttons=[], elem_id="mask-radius"
        )
        with gr.Row(elem_classes="pair"):
            grow = gr.Button("Grow", size="sm", elem_id="mask-grow")
            shrink = gr.Button("Shrink", size="sm", elem_id="mask-shrink")
        with gr.Row(elem_classes="pair"):
            invert = gr.Button("Invert", size="sm", elem_id="mask-invert")
            clear = gr.Button("Clear", size="sm", elem_id="mask-clear")
        with gr.Row(elem_classes="pair"):
            upload = gr.Button("Open mask", size="sm", elem_id="mask-upload")
            save = gr.Button("Save mask", size="sm", elem_id="mask-save")
    talk.on(words.submit, actions.select, "Looking for it", [words, add], model=True)
    talk.on(stage.touch, actions.touch, "Selecting", [around], model=True)
    talk.on(grow.click, actions.grow, "Growing the mask", [radius], mask=True)
    talk.on(shrink.click, actions.shrink, "Shrinking the mask", [radius], mask=True)
    talk.on(save.click, actions.save, "Saving the mask", mask=True)
    talk.on(stage.upload_mask, actions.upload, "Opening the mask")
    command(around.change, "renewSelection")
    command(invert.click, "invertMask")
    command(clear.click, "clearMask")
    command(upload.click, "chooseMask")
    return [add, around, radius]


def _result_panel(talk: Conversation, actions: EditActions) -> list[Component]:
    """Lay out what becomes of a result; return what is set there."""
    with gr.Column(elem_id="result-panel", elem_classes="card-panel"):
        gr.HTML(
            "<h3>Result</h3><p>Full size. Pixels you did not mark are never touched.</p>",
            elem_classes="panel-title",
        )
        adopt = gr.Button("Use as photo and go on", size="sm", elem_id="use-as-photo")
        format = gr.Radio(list(PHOTO_FORMATS), value="PNG", label="Format", elem_id="save-format")
        quality = gr.Slider(
            50, 100, value=95, step=1, label="Quality (JPEG, WebP)", buttons=[], elem_id="save-quality"
        )
        save = gr.Button("Download", size="md", elem_id="download-button")
    command(adopt.click, "useAsPhoto")
    talk.on(save.click, actions.save, "Saving the result", [format, quality])
    return [format, quality]
