"""Train and measure what the papers' tables and figures show: `sair evaluate tables`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

from sair_core.command_line import DONE, SOME_FAILED, Option, run_command
from sair_core.config import require, strict_dataclass
from sair_core.experiments.options import ExperimentOptions
from sair_core.experiments.sections import EVERYTHING, make_section
from sair_core.experiments.write import write_results


@strict_dataclass
class TablesOptions(ExperimentOptions):
    """Train and measure what the papers' tables and figures show, on your copy of a set or on a small one.

    What is finished is kept, what was stopped goes on.
    """

    only: Annotated[tuple[str, ...], Option(metavar="NAME")] = ()
    """these tables and figures alone"""
    method: Annotated[tuple[str, ...], Option(metavar="NAME=SOURCE")] = ()
    """methods of others in the comparisons, as in sair evaluate fills"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.only:
            require(name in EVERYTHING, f"--only must be some of {', '.join(EVERYTHING)}, got {name!r}.")


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.experiments") -> int:
    """Run the command line and return its exit status, 1 where something could not be had."""
    return run_command(make_tables, TablesOptions, argv, prog=prog)


def make_tables(options: TablesOptions) -> int:
    """Train, measure and write what was asked for; the exit status. Raises SairError."""
    laboratory = options.make_laboratory("tables", options.method)
    sections, failed = [], False
    for name in options.only or EVERYTHING:
        text, complete = make_section(name, laboratory)
        sections.append(text)
        failed |= not complete
        path = write_results(laboratory, f"The papers' experiments, preset {options.preset}", sections)
    print(path.read_text("utf-8"))
    return SOME_FAILED if failed else DONE


if __name__ == "__main__":
    sys.exit(main())
