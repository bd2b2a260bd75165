"""`python -m sair_core.batch`: fill a folder of photos, each written under its own name, in its own format.

A run that was stopped, or killed, goes on where it was: what is done and has not changed is skipped. The
exit status is 0 when every photo is done, 1 when some failed (report.jsonl says why), 2 for a wrong command.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from sair_core.batch.config import BatchConfig
from sair_core.batch.runners import RUNNERS
from sair_core.batch.report import DONE, FAILED, REPORT_NAME, SKIPPED, Line
from sair_core.batch.run import prepare, run
from sair_core.batch.work import ModelSource, NamedModel
from sair_core.errors import SairError
from sair_core.weights.bundled import BUNDLED_SAIR


def main(argv: Sequence[str] | None = None, model: ModelSource | None = None) -> int:
    """Runs the command line and returns its exit status: 0, 1, 2, or 130 after Ctrl+C.

    model: instead of the one that --model names.
    """
    args = parse_arguments(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    counts: Counter[str] = Counter()
    try:
        config = BatchConfig(
            image=args.image, output=args.output, mask=args.mask, words=args.words,
            fill_with=args.fill_with, quality=args.quality, keep_gps=args.keep_gps,
            max_megapixels=args.max_megapixels, again=args.again,
        )  # fmt: skip
        report, jobs = prepare(config)
        model = model or NamedModel(args.model, args.device)
        with closing(run(config, model, report, jobs, engine=args.engine, workers=args.workers)) as lines:
            status = follow(lines, len(jobs), counts)
    except SairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(", ".join(f"{counts[name]} {name}" for name in (DONE, SKIPPED, FAILED)), end="; ")
    print(f"the report is {config.output / REPORT_NAME}")
    return status


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line; wrong ones end the process with status 2, as argparse does."""
    parser = argparse.ArgumentParser(prog="python -m sair_core.batch", description=__doc__)
    add = parser.add_argument
    add("--image", required=True, type=Path, metavar="DIR", help="folder of photos")
    add("--output", required=True, type=Path, metavar="DIR", help="folder for the results and report.jsonl")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--mask", type=Path, metavar="DIR|FILE",
        help="white = fill: a folder of masks named as the photos (a.jpg, a.png), or one file for all",
    )  # fmt: skip
    what.add_argument("--words", help='fill all that these name: "person, car"')
    add("--fill-with", metavar="WORDS", help="what to put there, for models that know words")
    add("--model", default=BUNDLED_SAIR, help="bundled name, folder or hub id (default: %(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")
    add("--quality", type=int, default=95, help="of JPEG and WebP, 1 to 100 (default: %(default)s)")
    add("--keep-gps", action="store_true", help="leave in the EXIF where a photo was taken")
    add("--max-megapixels", type=float, default=50.0, help="larger photos fail (default: %(default)s)")
    add("--again", action="store_true", help="do what is done already, too")
    add(
        "--engine",
        choices=tuple(RUNNERS),
        default="local",
        help="this process, or Ray (default: %(default)s)",
    )
    add("--workers", type=int, default=0, help="of Ray, with a model each (default: one a machine)")
    args = parser.parse_args(argv)
    if args.workers < 0:
        parser.error(f"--workers must be 1 or more, got {args.workers}")
    return args


def follow(lines: Iterable[Line], total: int, counts: Counter[str]) -> int:
    """Show progress, count what became of the files; the exit status."""
    with tqdm(total=total, unit="photo") as progress:
        try:
            for line in lines:
                counts[line.status] += 1
                if line.status == SKIPPED:
                    # Left out of the rate: the time still to go would look too short.
                    progress.total -= 1
                    progress.refresh()
                    continue
                if line.status == FAILED:
                    progress.write(f"{line.name}: {line.reason}", file=sys.stderr)
                progress.update()
        except KeyboardInterrupt:
            return 130
    return 1 if counts[FAILED] else 0


if __name__ == "__main__":
    sys.exit(main())
