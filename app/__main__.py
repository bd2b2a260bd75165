"""SAIR Studio: `python app.py` opens the photo editor in the browser."""

from __future__ import annotations

import argparse
import functools
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from sair_core.config import require_megapixels
from sair_core.errors import ConfigError, MissingDependencyError
from sair_core.weights.bundled import BUNDLED_SAIR, BUNDLED_SPN, is_bundled

from .host.accounts import read_accounts
from .host.limits import hosted, limits
from .host.mcp import McpError, check_installed, check_running


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
        "--model", default=BUNDLED_SAIR,
        help="a bundled model's name, a folder with a checkpoint, or a hub id (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--spn", default=BUNDLED_SPN if is_bundled(BUNDLED_SPN) else None, metavar="MODEL",
        help="a model for sharp fills and variations, named like --model (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default: %(default)s)"
    )
    parser.add_argument(
        "--runs", default=None, metavar="FOLDER",
        help="where trainings of the app are kept (default: runs, in a checkout or here)",
    )  # fmt: skip
    parser.add_argument(
        "--max-megapixels", type=float, default=limits().megapixels, metavar="NUMBER",
        help="refuse larger photos (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--auth", type=Path, default=None, metavar="FILE",
        help="let in only who is named in this file: a line user:password for each",
    )  # fmt: skip
    parser.add_argument(
        "--mcp", action="store_true",
        help='offer every endpoint as a tool to language models too (pip install "gradio[mcp]")',
    )  # fmt: skip
    args = parser.parse_args(argv)
    try:
        require_megapixels(args.max_megapixels)
        args.accounts = None if args.auth is None else read_accounts(args.auth)
        if args.mcp:
            check_installed()
        if args.mcp and args.accounts:
            raise ConfigError("--mcp asks nobody for a password. Leave out --mcp or --auth.")
    except (ConfigError, MissingDependencyError) as error:
        parser.error(str(error))
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    # Nothing is reported to anybody; read by gradio and huggingface_hub when they are imported.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from .page import build_app, forget_files, launch_options
    from .serving.loading import load_pipeline
    from .serving.service import FillService
    from .train.jobs import RUNS, TrainingJobs

    load = functools.partial(load_pipeline, device=args.device)
    service = FillService(
        lambda: load(args.model), model=args.model, load_model=load, max_megapixels=args.max_megapixels,
        load_painter=None if args.spn is None else lambda: load(args.spn),
    )  # fmt: skip
    # A public link would show this machine's folders to anybody.
    jobs = None if args.share else TrainingJobs(Path(args.runs or RUNS))
    blocks = build_app(service, jobs=jobs)
    if hosted():
        service.load()  # nobody is there yet, and a GPU that is lent knows only what is loaded by now
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # from now on it ends us as Ctrl+C does
    try:
        blocks.launch(
            server_name=args.host,
            server_port=args.port,
            share=args.share,
            auth=args.accounts,
            mcp_server=args.mcp,
            prevent_thread_lock=True,
            **launch_options(),
        )
        if args.mcp:
            try:
                check_running(blocks)
            except McpError as error:
                sys.exit(str(error))
        service.warm_up()  # only now: reading the weights would hold up the first page
        blocks.block_thread()
    finally:
        forget_files(blocks)


if __name__ == "__main__":
    main()
