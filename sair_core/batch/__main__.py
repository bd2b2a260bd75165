"""Fill a folder of photos: `python -m sair_core.batch`."""

from __future__ import annotations

import functools
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing

from tqdm import tqdm

from sair_core.batch.config import BatchConfig
from sair_core.batch.report import DONE, FAILED, REPORT_NAME, SKIPPED, Line
from sair_core.batch.run import prepare, run
from sair_core.batch.work import ModelSource, NamedModel
from sair_core.command_line import INTERRUPTED, SOME_FAILED, run_command

SHOWN = 10  # names of files that are left out


def main(
    argv: Sequence[str] | None = None,
    model: ModelSource | None = None,
    *,
    prog: str = "python -m sair_core.batch",
) -> int:
    """Run the command line and return its exit status. model: instead of the one that --model names."""
    return run_command(functools.partial(_fill, model=model), BatchConfig, argv, prog=prog)


def _fill(config: BatchConfig, model: ModelSource | None) -> int:
    report, contents = prepare(config)
    model = model or NamedModel(config.model, config.device, config.engine)
    counts: Counter[str] = Counter()
    with closing(run(config, model, report, contents.jobs)) as lines:
        status = follow(lines, len(contents.jobs), counts)
    print(", ".join(f"{counts[name]} {name}" for name in (DONE, SKIPPED, FAILED)), end="; ")
    print(f"the report is {config.output / REPORT_NAME}")
    if contents.left_out:
        print(f"left out: {_name([f'{line.name} ({line.reason})' for line in contents.left_out])}")
    if contents.unused:
        print(f"masks without a photo: {_name([mask.name for mask in contents.unused])}")
    return status


def _name(entries: Sequence[str]) -> str:
    more = len(entries) - SHOWN
    return ", ".join(entries[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def follow(lines: Iterable[Line], total: int, counts: Counter[str]) -> int:
    """Show progress, count what became of the files; the exit status."""
    with tqdm(total=total, unit="photo", disable=None) as progress:
        try:
            for line in lines:
                counts[line.status] += 1
                if line.status == SKIPPED:
                    # Left out of the rate: the time still to go would look too short.
                    progress.total = total = total - 1
                    progress.refresh()
                    continue
                if line.status == FAILED:
                    progress.write(f"{line.name}: {line.reason}", file=sys.stderr)
                progress.update()
        except KeyboardInterrupt:
            return INTERRUPTED
    return SOME_FAILED if counts[FAILED] else 0


if __name__ == "__main__":
    sys.exit(main())
