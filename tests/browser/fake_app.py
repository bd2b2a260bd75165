"""The app around the fake pipeline: `python -m tests.browser.fake_app --port N [--sir]`."""

from __future__ import annotations

import argparse
import time

from app.service import FillService
from app.ui import build_app, launch_options
from tests.app.fakes import MeanPipeline, load_fake_reader


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sir", action="store_true", help="complete what a mask hides")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long a reading takes")
    parser.add_argument(
        "--row-seconds", type=float, default=0.05, help="how long an export takes for every 64 rows"
    )
    parser.add_argument("--view-seconds", type=float, default=0.2, help="how long a view takes")
    args = parser.parse_args()
    pipeline = MeanPipeline("SIR" if args.sir else None, args.row_seconds, args.view_seconds)
    read = pipeline.reader.read

    def slow_read(*rest, **options):
        time.sleep(args.seconds)
        return read(*rest, **options)

    pipeline.reader.read = slow_read
    service = FillService(lambda: pipeline, load_reader=load_fake_reader)
    blocks = build_app(service)
    blocks.launch(server_name="127.0.0.1", server_port=args.port, share=False, **launch_options())


if __name__ == "__main__":
    main()
