"""The app around the fake pipeline: `python -m tests.browser.fake_app --port N [--sir]`.

With `--runs FOLDER` there is a Train tab with a trainer that only writes files, or with `--trainer tiny` the
real one and a model that trains in seconds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from PIL import Image

from app.page import build_app, launch_options
from app.serving.contracts import Pipeline
from app.serving.loading import load_pipeline
from app.serving.service import FillService
from app.train.jobs import TrainingJobs
from sair_core.filling.result import FillResult
from sair_core.progress import Cancelled, Progress, never_cancelled, no_progress, raise_if_cancelled
from sair_core.weights.bundled import BUNDLED_SAIR
from tests.app.fakes import (
    FAKE_TRAINER,
    ColourReader,
    GreyPainter,
    MeanPipeline,
    WhitePipeline,
    load_fake_reader,
)

FRAME = """<iframe src="http://localhost:{port}/spaces/studio/" width="1380" height="880"
 sandbox="allow-downloads allow-forms allow-modals allow-popups allow-same-origin allow-scripts"></iframe>"""
PACE = ("--pace", "0.1")
TINY = ("--preset", "tiny", "--size-px", "32", "--final-size-px", "32", "--batch", "2", "--queries", "32",
        "--workers", "0", "--no-bf16")  # fmt: skip


class PacedReader(ColourReader):
    """Takes its time, so that a person or a test sees the progress."""

    def __init__(self, model: object, seconds: float):
        super().__init__(model)
        self.seconds = seconds

    def read(self, rgb: np.ndarray, hole: np.ndarray | None = None, *, complete: bool = True) -> np.ndarray:
        time.sleep(self.seconds)
        return super().read(rgb, hole, complete=complete)


class PacedPipeline(MeanPipeline):
    """row_seconds: how long 64 rows of an export take; view_seconds, read_seconds, fill_seconds: a view, a
    reading, a fill."""

    def __init__(
        self,
        model: object,
        row_seconds: float,
        view_seconds: float,
        read_seconds: float,
        fill_seconds: float = 0.0,
    ):
        self.reader = PacedReader(model, read_seconds)
        self.row_seconds, self.view_seconds, self.fill_seconds = row_seconds, view_seconds, fill_seconds

    def begin_rows(self) -> None:
        time.sleep(self.row_seconds)

    def variations(
        self, *args: Any, progress: Progress | None = None, cancelled: Cancelled | None = None, **options: Any
    ) -> list[FillResult]:
        (progress or no_progress)(0.1, "Filling")
        wait(self.fill_seconds, cancelled)
        return super().variations(*args, progress=progress, cancelled=cancelled, **options)

    def view(self, *args: Any, cancelled: Cancelled | None = None, **options: Any) -> Image.Image:
        wait(self.view_seconds, cancelled)
        return super().view(*args, cancelled=cancelled, **options)


def wait(seconds: float, cancelled: Cancelled | None) -> None:
    """Work for so long, or until it is stopped: then raise CancelledError."""
    done = time.monotonic() + seconds
    while time.monotonic() < done:
        raise_if_cancelled(cancelled or never_cancelled)
        time.sleep(0.01)


class PacedPainter(GreyPainter):
    def begin_fill(self) -> None:
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sir", action="store_true", help="complete what a mask hides")
    parser.add_argument("--spn", action="store_true", help="with the painted engine")
    parser.add_argument("--read-seconds", type=float, default=0.0, help="how long a reading takes")
    parser.add_argument(
        "--row-seconds", type=float, default=0.1, help="how long an export takes for every 64 rows"
    )
    parser.add_argument("--view-seconds", type=float, default=0.2, help="how long a view takes")
    parser.add_argument("--fill-seconds", type=float, default=0.0, help="how long a fill takes")
    parser.add_argument("--runs", type=Path, help="folder of trainings; without it there is no Train tab")
    parser.add_argument("--framed", action="store_true", help="under a path, in a frame of another host")
    parser.add_argument("--trainer", choices=("fake", "tiny"), default="fake")
    args = parser.parse_args()
    pipeline = PacedPipeline(
        "SIR" if args.sir else None,
        args.row_seconds,
        args.view_seconds,
        args.read_seconds,
        args.fill_seconds,
    )

    def load_model(name: str) -> Pipeline:
        if args.trainer == "tiny" and name != BUNDLED_SAIR:
            return load_pipeline(name, "cpu")
        return pipeline if name == BUNDLED_SAIR else WhitePipeline()

    service = FillService(
        lambda: pipeline,
        load_model=load_model,
        load_painter=PacedPainter if args.spn else None,
        load_reader=load_fake_reader,
    )
    trainer = {"command": FAKE_TRAINER, "extra": PACE} if args.trainer == "fake" else {"extra": TINY}
    blocks = build_app(service, jobs=TrainingJobs(args.runs, **trainer) if args.runs else None)
    if args.framed:
        serve_framed(blocks, args.port)
    else:
        blocks.launch(server_name="127.0.0.1", server_port=args.port, share=False, **launch_options())


def serve_framed(blocks: gr.Blocks, port: int) -> None:
    """Serve the app as a Space is seen: below a path, in a sandboxed frame on the page of another host."""
    host = FastAPI()

    @host.get("/", response_class=HTMLResponse)
    def show_frame() -> str:
        return FRAME.format(port=port)

    options = {name: launch_options()[name] for name in ("theme", "css", "head", "max_file_size")}
    app = gr.mount_gradio_app(host, blocks, path="/spaces/studio", ssr_mode=False, **options)
    uvicorn.run(app, host="127.0.0.1", port=port)


if __name__ == "__main__":
    main()
