"""What fills and enlargements cost beside those of others, in one run: `python benchmarks/peers.py --help`.

Seconds are medians of interleaved warm runs in one process; a way that takes longer than --patience is run
once. A case is left out where the same share of a smaller photo says that it would take longer than --limit.
Networks of others have random weights: this is about cost alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from benchmarks.machine import (  # noqa: E402
    extra_memory,
    limit_cores,
    square_mask,
    synthetic_photo,
    write_section,
)
from benchmarks.peer_methods import SCALE, load_enlargements, load_fills  # noqa: E402
from benchmarks.peer_report import Case, Figure, describe, growing_hole, growing_photo, plot  # noqa: E402
from sair_core.errors import SairError  # noqa: E402
from sair_core.evaluation.report import machine_facts, write_json  # noqa: E402

SHARES = (0.02, 0.10, 0.40)
FIXED_HOLE_PX = round(0.10 * 512 * 512)  # of the photos that grow around it
SIZES = [(512, 512), (1024, 1024), (2048, 2048), (3000, 4000)]
SIZES_HELP = "sides of square photos, or HEIGHTxWIDTH (default: 512 1024 2048 3000x4000)"
PAGE_HELP = "write its section `peers` anew, and plots beside it"
QUICK = {"sizes": [(64, 64), (96, 96)], "runs": 1}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=read_size, nargs="+", default=SIZES, metavar="PX", help=SIZES_HELP)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="holes, of the photo")
    parser.add_argument("--runs", type=int, default=3, help="that are timed (default: %(default)s)")
    parser.add_argument("--patience", type=float, default=2.0, help="seconds (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=25.0, help="seconds (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="use this many, 0 = all (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="tiny photos, one run: whether it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--page", type=Path, metavar="FILE", help=PAGE_HELP)
    args = parser.parse_args(argv)
    if args.quick:
        vars(args).update(QUICK)
    limit_cores(args.cores)
    import torch

    torch.set_num_threads(args.cores or torch.get_num_threads())
    clock = Clock(args.runs, args.patience, args.limit)
    shared = measure_fills(clock, args.sizes, args.shares, args.device)
    fixed = measure_fixed_hole(clock, args.sizes, args.device)
    zoomed = measure_enlargements(clock, args.sizes, args.device)
    facts = {**machine_facts(), "threads": torch.get_num_threads(), "device": args.device}
    text = describe(shared, fixed, zoomed, facts)
    print(text)
    if args.page:
        plot(args.page.parent / "performance_hole.png", growing_hole(shared), "hole, px")
        plot(args.page.parent / "performance_photo.png", growing_photo(fixed), "photo, px")
        write_section(args.page, "peers", text)
    if args.json:
        figures = {"fills": shared, "fixed_hole": fixed, "enlargements": zoomed}
        write_json(args.json, {"machine": facts, **{k: [asdict(f) for f in v] for k, v in figures.items()}})
    return 0


def read_size(text: str) -> tuple[int, int]:
    """Read "512" or "3000x4000" as (height, width)."""
    height, _, width = text.partition("x")
    return int(height), int(width or height)


class Clock:
    """Measures several ways, in one case after the other; what was loaded for the first stays for all."""

    def __init__(self, runs: int, patience: float, limit: float):
        self.runs, self.patience, self.limit = runs, patience, limit
        self._loaded: dict[str, Callable[..., object]] = {}

    def measure(
        self,
        ways: Mapping[str, Callable[[], Callable[..., object]]],
        case: Case,
        arguments: Callable[[int], Sequence[Any]],
        before: Sequence[Figure] = (),
    ) -> list[Figure]:
        """Return a figure for each way. arguments: of run number n; before: figures of a smaller photo."""
        expected = {f.way: seconds for f in before if (seconds := self._expect(f, case)) is not None}
        notes = {f.way: f.note for f in before if f.seconds is None}
        notes |= {way: f"left out: about {s:.0f} s" for way, s in expected.items() if s > self.limit}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        extra: dict[str, list[float]] = {name: [] for name in ways}
        for run in range(self.runs + 1):
            for name, load in ways.items():
                if name in notes or (run and seconds[name][0] > self.patience):
                    continue
                try:
                    took, more_gb = self._run(name, load, arguments(run))
                except (SairError, MemoryError, RuntimeError) as error:
                    notes[name] = str(error).splitlines()[0] if str(error) else type(error).__name__
                    continue
                seconds[name].append(took)
                extra[name].append(more_gb)
        figures = []
        for name, times in seconds.items():
            warm = times[1:] or times  # the first one warms up, where there are more
            value = median(warm) if warm and name not in notes else None
            figures.append(
                Figure(
                    name,
                    case,
                    value,
                    max(extra[name], default=0.0),
                    len(warm),
                    notes.get(name, ""),
                    expected.get(name) if value is None else None,
                )
            )
        return figures

    def _run(
        self, name: str, load: Callable[[], Callable[..., object]], arguments: Sequence[Any]
    ) -> tuple[float, float]:
        """Return the seconds of one run, and the GB that it took at its peak."""
        if name not in self._loaded:
            self._loaded[name] = load()
            self._loaded[name](*arguments)  # what is loaded at first need is not what it costs
        with extra_memory() as taken:
            began = time.perf_counter()
            self._loaded[name](*arguments)
            seconds = time.perf_counter() - began
        return seconds, taken[0]

    def _expect(self, before: Figure, case: Case) -> float | None:
        """Return the seconds that a case should take by a smaller photo's; None where nobody knows."""
        seconds = before.expected if before.seconds is None else before.seconds
        return None if seconds is None else seconds * case.photo_px / before.case.photo_px


def measure_fills(
    clock: Clock, sizes: Sequence[tuple[int, int]], shares: Sequence[float], device: str
) -> list[Figure]:
    """Measure holes of these shares in photos of these sizes."""
    ways, figures = load_fills(device), []
    before: dict[float, list[Figure]] = {}
    for size_px in sizes:
        for share in shares:
            case, arguments = fill_case(size_px, round(share * size_px[0] * size_px[1]))
            before[share] = clock.measure(ways, case, arguments, before.get(share, ()))
            figures += before[share]
    return figures


def measure_fixed_hole(clock: Clock, sizes: Sequence[tuple[int, int]], device: str) -> list[Figure]:
    """Measure one hole in ever larger photos."""
    hole_px = min(FIXED_HOLE_PX, sizes[0][0] * sizes[0][1] // 10)
    ways, figures, before = load_fills(device), [], []
    for size_px in sizes:
        case, arguments = fill_case(size_px, hole_px)
        before = clock.measure(ways, case, arguments, before)
        figures += before
    return figures


def measure_enlargements(clock: Clock, sizes: Sequence[tuple[int, int]], device: str) -> list[Figure]:
    """Measure the enlargement of whole photos to these sizes."""
    ways, figures, before = load_enlargements(device), [], []
    for size_px in sizes:
        photo = np.asarray(synthetic_photo(size_px[0] // SCALE, size_px[1] // SCALE))
        before = clock.measure(ways, Case(size_px), lambda run, photo=photo: (vary(photo, run),), before)
        figures += before
    return figures


def fill_case(size_px: tuple[int, int], hole_px: int) -> tuple[Case, Callable[[int], Sequence[Any]]]:
    """Return a photo with a square hole, another photo every run."""
    photo, hole = np.asarray(synthetic_photo(*size_px)), square_mask(*size_px, side=round(hole_px**0.5))
    return Case(size_px, int(hole.sum())), lambda run: (vary(photo, run), hole)


def vary(photo: np.ndarray, run: int) -> np.ndarray:
    """Return a photo that nobody has seen, so that nothing is remembered of the last one."""
    return photo ^ np.uint8(run % 8)


if __name__ == "__main__":
    sys.exit(main())
