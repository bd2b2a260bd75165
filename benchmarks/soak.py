"""Many visitors at once, for a long time: `python benchmarks/soak.py --help`.

Each has a photo of its own, asks for one thing after the other and checks every answer; some give up in the
middle or load the page anew, some ask for too much at once. First each does everything once: what the app
keeps for good is in memory then, and growth counts from there.

With --restart the app is killed halfway, amid whatever it does, and started again at the same port. Whoever
waited for an answer then loads the page anew and asks again: what is not answered then is lost.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from benchmarks.serving import APP, find_port, running_app  # noqa: E402
from benchmarks.visitor import ACTIONS, FAILED, LEFT, QUEUE_FULL, REFUSED, WRONG, Outcome, Visitor  # noqa: E402

GROWTH_BAR_MB = 100.0
SETTLE_SECONDS = 2.0  # until what was asked for last, and left, is done
SHOWN = 10  # of what went wrong


@dataclass(frozen=True)
class Run:
    """A whole run. warm, outcomes: of the first round and of the rest, which took `seconds`. memory_mb: the
    app's resident memory before and after the rest; files: what it left behind; both None where not known.
    repeated: what the restart interrupted, when it was asked for again; None without a restart."""

    warm: list[Outcome]
    outcomes: list[Outcome]
    seconds: float
    memory_mb: tuple[float, float] | None
    files: int | None
    repeated: list[Outcome] | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Prints what became of the visitors; exit status 1 if a bar is broken."""
    args = parse_arguments(argv)
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder) / "served"
        with App(args, served) as app:
            run = soak(args, app, Path(folder))
        files = None if args.url else sum(path.is_file() for path in served.rglob("*"))
    return show(replace(run, files=files), args.sessions)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=8, help="visitors at once (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: %(default)s)")
    parser.add_argument(
        "--actions", type=int, default=5000, help="of each visitor at most (default: %(default)s)"
    )
    parser.add_argument("--url", help="of an app that runs; without it one is started, and ended")
    parser.add_argument("--pid", type=int, help="process of the app at --url, whose memory is looked at")
    parser.add_argument("--restart", action="store_true", help="kill the app halfway and start it again")
    parser.add_argument("--module", help=argparse.SUPPRESS)  # another app to start
    args = parser.parse_args(argv)
    if args.restart and args.url:
        parser.error("--restart is for an app that is started here: leave --url out.")
    return args


class App:
    """The app that is visited. gone, back: whether it was killed, and is there again."""

    def __init__(self, args: argparse.Namespace, files: Path):
        """files: folder for what it is sent and what it makes."""
        command = APP if args.module is None else ("-m", args.module)
        port = find_port()
        self._start = lambda: running_app(args.url, command=command, files=files, port=port)
        self._process = contextlib.ExitStack()
        self._pid = args.pid
        self.gone, self.back = threading.Event(), threading.Event()

    def __enter__(self) -> App:
        self.url, pid = self._process.enter_context(self._start())
        self.url = self.url.rstrip("/") + "/"
        self.pid = self._pid or pid
        return self

    def __exit__(self, *error: object) -> None:
        self._process.close()

    def restart(self) -> None:
        self.gone.set()
        os.kill(self.pid, signal.SIGKILL)
        self._process.close()
        self.__enter__()
        self.back.set()


def soak(args: argparse.Namespace, app: App, folder: Path) -> Run:
    visitors = []
    for number in range(args.sessions):
        own = folder / f"visitor-{number}"
        own.mkdir()
        visitors.append(Visitor(app.url, number, own))
    seconds = 60 * args.minutes
    before_restart: list[Outcome] = []
    repeated = None
    with ThreadPoolExecutor(args.sessions) as pool:
        if args.restart:
            seconds /= 2
            before_restart, repeated = survive(pool, visitors, app, seconds)
        warm = sum(pool.map(everything, visitors), [])
        before = resident_mb(app.pid)
        started = time.monotonic()
        outcomes = sum(pool.map(lambda one: stay(one, started + seconds, args.actions), visitors), [])
        seconds = time.monotonic() - started
    time.sleep(SETTLE_SECONDS)
    after = resident_mb(app.pid)
    memory_mb = None if before is None or after is None else (before, after)
    return Run(before_restart + warm, outcomes, seconds, memory_mb, None, repeated)


def survive(
    pool: ThreadPoolExecutor, visitors: list[Visitor], app: App, seconds: float
) -> tuple[list[Outcome], list[Outcome]]:
    """Restart the app after some seconds of visits. Return what came of them, and of what that interrupted,
    asked for again."""
    visits = [pool.submit(stay_until_restart, visitor, app) for visitor in visitors]
    time.sleep(seconds)
    app.restart()
    outcomes, repeated = zip(*(visit.result() for visit in visits))
    return sum(outcomes, []), sum(repeated, [])


def stay_until_restart(visitor: Visitor, app: App) -> tuple[list[Outcome], list[Outcome]]:
    """One action after the other until the app is restarted; what that interrupts is asked for again."""
    outcomes: list[Outcome] = []
    while True:
        outcome = visitor.act()
        if outcome.what == FAILED and app.gone.is_set():
            app.back.wait()
            visitor.load_page()
            return outcomes, [visitor.act(outcome.kind)]
        outcomes.append(outcome)
        if app.back.is_set():
            visitor.load_page()
            return outcomes, []


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
    repeated = run.repeated or []
    every = [*run.warm, *run.outcomes, *repeated]
    number = {what: sum(one.what == what for one in every) for what in (WRONG, FAILED, REFUSED, LEFT)}
    unclear = [one for one in every if one.what == REFUSED and QUEUE_FULL not in one.text]
    print(
        f"{number[WRONG]} wrong answers, {number[FAILED]} errors, {number[REFUSED]} refused as the queue was "
        f"full ({len(unclear)} without saying so), {number[LEFT]} left in the middle"
    )
    if run.repeated is not None:
        lost = [one for one in repeated if one.what in (WRONG, FAILED)]
        print(f"restart: {len(repeated)} interrupted and asked for again, {len(lost)} lost")
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
