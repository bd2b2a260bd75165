"""The app around the fake pipeline, as a process: `python -m tests.app.slow_app --port N [--begun FILE]`."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import Any, NoReturn

from app.page import build_app, forget_files, launch_options
from app.serving.service import FillService
from sair_core.progress import Progress
from tests.app.fakes import GreyPainter, MeanPipeline


class EndlessPipeline(MeanPipeline):
    """A fill never ends. begun: a file that is there once one has begun."""

    def __init__(self, begun: Path):
        super().__init__()
        self.begun = begun

    def fill(self, *args: Any, progress: Progress, **options: Any) -> NoReturn:
        self.begun.touch()
        progress(0.1, "Filling")
        while True:
            threading.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--begun", type=Path, help="let no fill end, and make this file when one begins")
    args = parser.parse_args()
    load = MeanPipeline if args.begun is None else lambda: EndlessPipeline(args.begun)
    blocks = build_app(FillService(load, load_painter=GreyPainter))
    blocks.launch(server_name="127.0.0.1", server_port=args.port, share=False, **launch_options())
    forget_files(blocks)


if __name__ == "__main__":
    main()
