"""SAIR Studio: `python app.py` opens the photo editor in the browser."""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Sequence
from pathlib import Path

from app.accounts import read_accounts
from app.hosting import max_megapixels
from sair_core.errors import ConfigError


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="SAIR Studio: paint over anything in a photo, in the browser."
    )
    parser.add_argument(
        "--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 lets other machines in (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--port", type=int, default=None, help="port (default: the first free one from 7860)")
    parser.add_argument(
        "--share", action="store_true",
        help="make a public link through Gradio's relay; there is no Train tab then",
    )  # fmt: skip
    parser.add_argument(
        "--model", default="sair-lite",
        help="a bundled model's name, a folder with a checkpoint, or a hub id (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default: %(default)s)"
    )
    parser.add_argument(
        "--runs", default=None, metavar="FOLDER",
        help="where trainings of the app are kept (default: runs beside app.py)",
    )  # fmt: skip
    parser.add_argument(
        "--max-megapixels", type=float, default=max_megapixels(), metavar="NUMBER",
        help="refuse larger photos (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--auth", type=Path, default=None, metavar="FILE",
        help="let in only who is named in this file: a line user:password for each",
    )  # fmt: skip
    args = parser.parse_args(argv)
    try:
        args.accounts = None if args.auth is None else read_accounts(args.auth)
    except ConfigError as error:
        parser.error(str(error))
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    # Nothing is reported to anybody; read by gradio and huggingface_hub when they are imported.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from app.service import FillService, load_pipeline
    from app.training_jobs import RUNS, TrainingJobs
    from app.ui import build_app, launch_options

    load = functools.partial(load_pipeline, device=args.device)
    service = FillService(
        lambda: load(args.model), model=args.model, load_model=load, max_megapixels=args.max_megapixels
    )
    # A public link would show this machine's folders to anybody.
    jobs = None if args.share else TrainingJobs(Path(args.runs or RUNS))
    blocks = build_app(service, jobs=jobs)
    blocks.launch(
        server_name=args.host,
        server_port=args.port,
        share=args.share,
        auth=args.accounts,
        prevent_thread_lock=True,
        **launch_options(),
    )
    service.warm_up()  # only now: reading the weights would hold up the first page
    blocks.block_thread()


if __name__ == "__main__":
    main()
