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
    from sair_core.training.align.task import align  # after --help: torch takes seconds to import

    print(f"The encoder is in {align(config, resume=resume)}.")


if __name__ == "__main__":
    sys.exit(main())
