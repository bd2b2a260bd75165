"""The app around the fake pipeline, as a process: `python -m tests.app.slow_app --port N [--seconds S]`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from app.page import build_app, forget_files, launch_options
from app.serving.service import FillService
from tests.app.fakes import GreyPainter, MeanPipeline


class SlowPipeline(MeanPipeline):
    """A fill takes so many seconds. sign: a file that is there once one has begun."""

    def __init__(self, seconds: float, sign: Path | None):
        super().__init__()
        self.seconds, self.sign = seconds, sign

    def fill(self, *args, **options):
        if self.sign is not None:
            self.sign.touch()
        time.sleep(self.seconds)
        return super().fill(*args, **options)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=0.0, help="how long a fill takes")
    parser.add_argument("--sign", type=Path, help="file to make when a fill begins")
    args = parser.parse_args()
    service = FillService(lambda: SlowPipeline(args.seconds, args.sign), load_painter=GreyPainter)
    blocks = build_app(service)
    blocks.launch(server_name="127.0.0.1", server_port=args.port, share=False, **launch_options())
    forget_files(blocks)


if __name__ == "__main__":
    main()
