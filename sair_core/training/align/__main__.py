"""Train the text-aligned encoder: words from a sentence encoder, then photos with labels.

python -m sair_core.training.align --labelled LABELLED --named PHOTOS --output runs/sair-clip
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sair_core.training.align.config import AlignConfig
from sair_core.training.options import run_training


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.training.align") -> int:
    """Train as the command line says, print where the encoder is, and return the exit status."""
    return run_training(_align, AlignConfig, argv, prog=prog, part="align")


def _align(config: AlignConfig, resume: str | None) -> None:
    # After --help: torch takes seconds to import.
    from sair_core.training.align.task import AlignTask
    from sair_core.training.loop import train_task

    print(f"The encoder is in {train_task(AlignTask, config, resume=resume)}.")


if __name__ == "__main__":
    sys.exit(main())
