"""SAIR Studio: `python app.py` opens the photo editor in the browser."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="SAIR Studio: paint over anything in a photo, in the browser."
    )
    parser.add_argument(
        "--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 lets other machines in (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--port", type=int, default=None, help="port (default: the first free one from 7860)")
    parser.add_argument("--share", action="store_true", help="make a public link through Gradio's relay")
    parser.add_argument(
        "--model", default="sair-lite",
        help="a bundled model's name, a folder with a checkpoint, or a hub id (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (default: %(default)s)"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    # Nothing is reported to anybody; read by gradio and huggingface_hub when they are imported.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from app.service import FillService, load_pipeline
    from app.ui import build_app, launch_options

    service = FillService(lambda: load_pipeline(args.model, args.device))
    blocks = build_app(service)
    blocks.launch(
        server_name=args.host,
        server_port=args.port,
        share=args.share,
        prevent_thread_lock=True,
        **launch_options(),
    )
    service.warm_up()  # only now: reading the weights would hold up the first page
    blocks.block_thread()


if __name__ == "__main__":
    main()
