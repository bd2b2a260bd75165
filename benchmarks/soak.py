"""Many visitors at once, for a long time: `python benchmarks/soak.py --help`.

Each has a photo of its own, asks for one thing after the other and checks every answer; some give up in the
middle, some ask for too much at once. First each does everything once: what the app keeps for good is in
memory then, and growth counts from there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from benchmarks.serving import APP, running_app  # noqa: E402
from benchmarks.visitor import ACTIONS, FAILED, LEFT, QUEUE_FULL, REFUSED, WRONG, Outcome, Visitor  # noqa: E402

GROWTH_BAR_MB = 100.0
SETTLE_SECONDS = 2.0  # until what was asked for last, and left, is done
SHOWN = 10  # of what went wrong


@dataclass(frozen=True)
class Run:
    """A whole run. warm, outcomes: of the first round and of the rest, which took `seconds`. memory_mb: the
    app's resident memory before and after the rest; files: what it left behind; both None where not known."""

    warm: list[Outcome]
    outcomes: list[Outcome]
    seconds: float
    memory_mb: tuple[float, float] | None
    files: int | None


def main(argv: Sequence[str] | None = None) -> int:
    """Prints what became of the visitors; exit status 1 if a bar is broken."""
    args = parse_arguments(argv)
    command = APP if args.module is None else ("-m", args.module)
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder) / "served"
        with running_app(args.url, command=command, files=served) as (url, pid):
            warm, outcomes, seconds, memory_mb = soak(args, url, args.pid or pid, Path(folder))
        files = None if args.url else sum(path.is_file() for path in served.rglob("*"))
    return show(Run(warm, outcomes, seconds, memory_mb, files), args.sessions)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=8, help="visitors at once (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: %(default)s)")
    parser.add_argument(
        "--actions", type=int, default=5000, help="of each visitor at most (default: %(default)s)"
    )
    parser.add_argument("--url", help="of an app that runs; without it one is started, and ended")
    parser.add_argument("--pid", type=int, help="process of the app at --url, whose memory is looked at")
    parser.add_argument("--module", help=argparse.SUPPRESS)  # another app to start
    return parser.parse_args(argv)


def soak(
    args: argparse.Namespace, url: str, pid: int | None, folder: Path
) -> tuple[list[Outcome], list[Outcome], float, tuple[float, float] | None]:
    """The first four parts of a Run, against the app at `url`."""
    url = url.rstrip("/") + "/"
    visitors = []
    for number in range(args.sessions):
        own = folder / f"visitor-{number}"
        own.mkdir()
        visitors.append(Visitor(url, number, own))
    with ThreadPoolExecutor(args.sessions) as pool:
        warm = sum(pool.map(everything, visitors), [])
        before = resident_mb(pid)
        started = time.monotonic()
        until = started + 60 * args.minutes
        outcomes = sum(pool.map(lambda visitor: stay(visitor, until, args.actions), visitors), [])
        seconds = time.monotonic() - started
    time.sleep(SETTLE_SECONDS)
    after = resident_mb(pid)
    return warm, outcomes, seconds, None if before is None or after is None else (before, after)


def everything(visitor: Visitor) -> list[Outcome]:
    """Each kind of action once, and a fill with every mask."""
    return [visitor.act(kind) for kind in (*ACTIONS, *["fill"] * len(visitor.holes))]


def stay(visitor: Visitor, until: float, actions: int) -> list[Outcome]:
    """One action after the other, until a time (monotonic) or a number of them."""
    outcomes: list[Outcome] = []
    while time.monotonic() < until and len(outcomes) < actions:
        outcomes.append(visitor.act())
    return outcomes


def resident_mb(pid: int | None) -> float | None:
    """Resident memory of a process and what it started; None where there is no such process."""
    try:
        process = psutil.Process(pid) if pid is not None else None
        own = [] if process is None else [process, *process.children(recursive=True)]
        return sum(one.memory_info().rss for one in own) / 2**20 if own else None
    except psutil.NoSuchProcess:
        return None


def show(run: Run, sessions: int) -> int:
    """The table, then everything that broke a bar; the exit status."""
    for kind in ACTIONS:
        seconds = [one.seconds for one in run.outcomes if one.kind == kind]
        if seconds:
            middle, late = np.percentile(seconds, [50, 95])
            print(f"{kind:10} {len(seconds):6}   p50 {middle:6.2f} s   p95 {late:6.2f} s")
    count = len(run.outcomes)
    print(
        f"{count} actions of {sessions} visitors in {run.seconds:.0f} s: {count / run.seconds:.2f} a second"
    )
    every = [*run.warm, *run.outcomes]
    number = {what: sum(one.what == what for one in every) for what in (WRONG, FAILED, REFUSED, LEFT)}
    unclear = [one for one in every if one.what == REFUSED and QUEUE_FULL not in one.text]
    print(
        f"{number[WRONG]} wrong answers, {number[FAILED]} errors, {number[REFUSED]} refused as the queue was "
        f"full ({len(unclear)} without saying so), {number[LEFT]} left in the middle"
    )
    broken = [one for one in every if one.what in (WRONG, FAILED)] + unclear
    for one in broken[:SHOWN]:
        print(f"{one.what}: {one.kind} after {one.seconds:.1f} s: {one.text}")
    growth = 0.0
    if run.memory_mb is None:
        print("memory: not known")
    else:
        growth = run.memory_mb[1] - run.memory_mb[0]
        before, after = run.memory_mb
        print(f"memory: {before:.0f} MB, then {after:.0f} MB: {growth:+.0f} MB (bar {GROWTH_BAR_MB:g})")
    print(f"files left behind: {'not known' if run.files is None else run.files}")
    return int(bool(broken) or growth >= GROWTH_BAR_MB)


if __name__ == "__main__":
    sys.exit(main())
