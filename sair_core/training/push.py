"""`python -m sair_core.training.push`: a trained model on the Hugging Face hub."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sair_core.errors import SairError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, or 2 with a message."""
    parser = argparse.ArgumentParser(
        prog="python -m sair_core.training.push",
        description="Share a trained model, with a card that tells its figures.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="--output folder of a training")
    parser.add_argument("--best", action="store_true", help="the best model by validation, not the latest")
    add_repo_options(parser, "model")
    args = parser.parse_args(argv)
    from sair_core.training.card import push  # after --help: torch takes seconds to import

    try:
        print(f"The model is at {push(args.run, args.repo, private=args.private, best=args.best)}")
    except SairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def add_repo_options(parser: argparse.ArgumentParser, what: str) -> None:
    """--repo and --private, for whatever is put on the hub."""
    parser.add_argument(
        "--repo", required=True, metavar="USER/NAME", help=f"the {what}, created if there is none"
    )
    parser.add_argument("--private", action="store_true", help=f"a new {what} is seen by its owner only")


if __name__ == "__main__":
    sys.exit(main())
