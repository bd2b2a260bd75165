"""The Train tab: choose a folder and a length, watch it learn, use what it learned."""

from __future__ import annotations

import json

import gradio as gr
from gradio.components import Component

from ..widgets.assets import widget
from ..widgets.workbench import Workbench, command, in_browser
from .actions import FOLDER_HINT, MINUTES, UNITS, TrainActions
from .jobs import TrainingJobs


def build(bench: Workbench, jobs: TrainingJobs) -> None:
    """Lay out the tab inside the running Blocks and wire it. jobs: the trainings of this machine."""
    actions = TrainActions(bench.service, jobs)
    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=10, min_width=320):
            view = training_view()
        with gr.Column(scale=3, min_width=300, elem_id="train-side", elem_classes="side"):
            start = gr.Button("Start", variant="primary", elem_id="train-start", elem_classes="main-button")
            folder, line = _folder_panel()
            base, unit, length = _start_panel(actions.bases())
            advanced = _advanced_panel()
    talk = bench.conversation(view)
    talk.on(view.look, actions.look, "", often=True)
    talk.on(start.click, actions.start, "Starting", [folder, base, unit, length, *advanced])
    talk.on(view.stop_run, actions.stop, "Asking it to stop")
    talk.on(view.resume_run, actions.resume, "Starting")
    talk.on(view.use_model, actions.use, "Loading the model", model=True)
    talk.on(view.use_first, actions.use_first, "Loading the model", model=True)
    bench.conversation(line).on(line.check, actions.check, "", [folder], often=True)
    view.models(
        lambda: gr.Dropdown(choices=actions.bases()), None, base, api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip
    command(folder.change, "setFolder", folder)
    in_browser(unit.input, f"(unit) => ({json.dumps(UNITS)})[unit]", unit, outputs=length)


def _folder_panel() -> tuple[gr.Textbox, gr.HTML]:
    with gr.Column(elem_id="folder-panel", elem_classes="card-panel"):
        gr.HTML(
            "<h3>Your photos</h3><p>A folder on the machine that the app runs on.</p>",
            elem_classes="panel-title",
        )
        folder = gr.Textbox(
            label="Folder", show_label=False, placeholder="/home/me/photos", lines=1, max_lines=1,
            max_length=4000, elem_id="train-folder",
        )  # fmt: skip
        line = folder_line(FOLDER_HINT)
    return folder, line


def _start_panel(bases: list[tuple[str, str]]) -> tuple[gr.Dropdown, gr.Radio, gr.Number]:
    with gr.Column(elem_id="plan-panel", elem_classes="card-panel"):
        base = gr.Dropdown(
            bases, value=bases[0][1], label="Begin with", allow_custom_value=True, elem_id="train-base",
            info="A model to make better on your photos. A folder with one can be typed.",
        )  # fmt: skip
        unit = gr.Radio(list(UNITS), value=MINUTES, label="How long", elem_id="train-unit")
        length = gr.Number(
            UNITS[MINUTES], label="Length", show_label=False, minimum=0, elem_id="train-length"
        )
    return base, unit, length


def _advanced_panel() -> list[Component]:
    with gr.Accordion("More", open=False, elem_id="advanced-panel", elem_classes="card-panel"):
        return [
            gr.Number(
                None, label="Learning rate", placeholder="as the trainer sees fit", step=1e-4,
                elem_id="train-rate",
            ),
            gr.Number(
                None, label="Photo size (px)", placeholder="128", info="Twice that at the end.",
                precision=0, step=32, elem_id="train-size",
            ),
            gr.Number(None, label="Seed", placeholder="0", precision=0, elem_id="train-seed"),
        ]  # fmt: skip


def training_view() -> gr.HTML:
    """How a training stands: its curves, its pictures, its log. It fires "look" to be told again, "models"
    when other ones can be begun with, "stop_run", "resume_run", "use_model" and "use_first" when pressed."""
    events = ["look", "models", "stop_run", "resume_run", "use_model", "use_first"]
    return widget("train/train", "train", events)


def folder_line(hint: str) -> gr.HTML:
    """The lines that say what is in a folder, with a conversation of their own. They fire "check" when
    another folder was typed. hint: said before that."""
    return widget("train/folder", "folder-line", ["check"], hint=hint)
