"""`python -m sair_core.hub`: the app and trained models on the Hugging Face hub."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from app.host.space import ROOT, space_files, upload
from sair_core.errors import SairError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status: 0, or 2 with a message."""
    args = _arguments(argv)
    try:
        if args.command == "push":
            from sair_core.training.card import push  # torch takes seconds to import, and a Space needs none

            print(f"The model is at {push(args.run, args.repo, private=args.private, best=args.best)}")
        elif args.dry_run:
            _list(args.repo)
        else:
            print(f"The Space is at {upload(args.repo, private=args.private)}; it builds for a few minutes.")
    except SairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _list(repo: str) -> None:
    files = space_files()
    sizes = [(ROOT / name).stat().st_size / 1e6 for name in files]
    print("\n".join(f"{size:8.2f} MB  {name}" for name, size in zip(files, sizes)))
    print(f"{len(files)} files, {sum(sizes):.1f} MB, would go to {repo}. Nothing was uploaded.")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sair_core.hub", description=__doc__.split(": ")[1])
    commands = parser.add_subparsers(dest="command", required=True)
    space = commands.add_parser("space", help="put the app on a Space")
    space.add_argument("--dry-run", action="store_true", help="only list what would be uploaded")
    push = commands.add_parser("push", help="share a trained model, with a card that tells its figures")
    push.add_argument("run", type=Path, metavar="RUN", help="--output folder of a training")
    push.add_argument("--best", action="store_true", help="the best model by validation, not the latest")
    for command, what in ((space, "Space"), (push, "model")):
        command.add_argument(
            "--repo", required=True, metavar="USER/NAME", help=f"the {what}, created if there is none"
        )
        command.add_argument("--private", action="store_true", help=f"a new {what} is seen by its owner only")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
