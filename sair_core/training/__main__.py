"""Train on a folder of photos:

python -m sair_core.training --data PHOTOS --output runs/mine
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sair_core.training.config import RunConfig
from sair_core.training.options import add_resume, newest_run, run_training, saved
from sair_core.training.tasks import TASKS

PART = "train"  # of train.json


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.training") -> int:
    """Train as the command line says, print where the model is, and return the exit status."""
    config_class = TASKS[_kind(argv)].config_class
    return run_training(_train, config_class, argv, prog=prog, part=PART)


def _kind(argv: Sequence[str] | None) -> str:
    """What is trained, or was in the run that is continued: its options are other ones."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--model", choices=TASKS)
    parser.add_argument("--output")
    add_resume(parser)
    args, _ = parser.parse_known_args(argv)
    run = args.output or (newest_run(PART) if args.resume else None)
    before = saved(Path(run), PART).get("kind") if args.resume and run else None
    return args.model or (before if before in TASKS else "sair")


def _train(config: RunConfig, resume: str | None) -> None:
    from sair_core.training.loop import train  # after --help: torch takes seconds to import

    model = train(config, resume=resume)
    print(f"The model is in {model}. Use it with: {TASKS[config.kind].use} {model}")


if __name__ == "__main__":
    sys.exit(main())
