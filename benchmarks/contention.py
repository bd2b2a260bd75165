"""What a busy neighbour costs: `python benchmarks/contention.py --help`.

The app fills a 512 x 512 px photo with a tenth of it marked, alone and then beside a process that keeps one
core busy, from the request over HTTP to the answer. The bar is for the threads as every command sets them
(`sair_core/cores.py`); the other rows have them spin while they wait, as they do by themselves.
Run it on an otherwise idle machine: what else is busy counts as a neighbour.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from benchmarks.machine import limit_cores, square_mask, synthetic_photo  # noqa: E402
from benchmarks.serving import ask, new_client, running_app  # noqa: E402
from sair_core.evaluation.report import align, machine_facts  # noqa: E402

BAR = 2.5
SIDE_PX, HOLE_PX = 512, 162
LIMIT_SECONDS = 300.0
ENGINES = ("smooth", "natural")
# libgomp's default; a count of its own overrules the policy.
THREADS = {"sleep while they wait": {}, "spin while they wait": {"GOMP_SPINCOUNT": "300000"}}


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table; exit status 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", type=int, default=2, help="use this many, 0 = all (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="medians of so many (default: %(default)s)")
    parser.add_argument("--spin", action="append", default=[], metavar="COUNT",
                        help="another row, with this GOMP_SPINCOUNT; may be repeated")  # fmt: skip
    args = parser.parse_args(argv)
    limit_cores(args.cores)
    table = [("engine", "threads", "alone", "beside a busy core", "ratio", f"bar {BAR:g}")]
    missed = False
    counts = {f"spin {count} times": {"GOMP_SPINCOUNT": count} for count in args.spin}
    for threads, environment in {**THREADS, **counts}.items():
        with mock.patch.dict(os.environ, environment):
            for engine, (alone, beside) in measure(args.runs).items():
                ratio = beside / alone
                verdict = "" if environment else "pass" if ratio <= BAR else "miss"
                missed |= verdict == "miss"
                table.append((engine, threads, f"{alone:.2f} s", f"{beside:.2f} s", f"{ratio:.2f}", verdict))
    print(align(table))
    print("; ".join(f"{name}: {value}" for name, value in machine_facts().items()))
    return int(missed)


def measure(runs: int) -> dict[str, tuple[float, float]]:
    """Median seconds of warm fills by an app of its own, by engine: alone, and beside a busy core."""
    with tempfile.TemporaryDirectory() as folder, running_app(files=Path(folder)) as (url, _):
        photo, mask = Path(folder) / "photo.png", Path(folder) / "mask.png"
        synthetic_photo(SIDE_PX, SIDE_PX).save(photo)
        Image.fromarray(square_mask(SIDE_PX, SIDE_PX, HOLE_PX)).save(mask)
        client = new_client(url, Path(folder))

        def fill(engine: str) -> float:
            began = time.perf_counter()
            kind, answer = ask(
                client, "/fill_engine", photo, mask, engine, 1, 0, "", 1, None, seconds=LIMIT_SECONDS
            )
            if kind != "answer":
                raise RuntimeError(f"{kind}: {answer}")
            return time.perf_counter() - began

        def median(engine: str) -> float:
            fill(engine)  # warm
            return statistics.median(fill(engine) for _ in range(runs))

        alone = {engine: median(engine) for engine in ENGINES}
        with busy_core():
            return {engine: (alone[engine], median(engine)) for engine in ENGINES}


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Keep the last of the usable cores busy, with a process that never waits."""
    core = f"os.sched_setaffinity(0, {{{max(os.sched_getaffinity(0))}}})"
    neighbour = subprocess.Popen([sys.executable, "-c", f"import os\n{core}\nwhile True: pass"])
    try:
        yield
    finally:
        neighbour.kill()
        neighbour.wait()


if __name__ == "__main__":
    sys.exit(main())
