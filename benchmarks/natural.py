"""What Natural fills cost, beside PatchMatch in the same run, and how the cost grows with the hole.

python benchmarks/natural.py --data ../shared/data/scenes/val [--device cuda] [--json FILE]

Medians of interleaved warm fills of the same photos and holes; *again* is the same hole with another seed.
Photos are enlarged from the folder's, for they need texture; holes are discs in the middle. Peak memory is
that of a process of its own for each case, with Python, torch, the model and the photo, which does one
Natural fill and nothing else; of the largest case it is also said by what the process was doing, by stage.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run from anywhere, installed or not

from benchmarks.machine import clear_peak, peak_memory_gb  # noqa: E402
from sair_core.evaluation.patchmatch import PatchMatch  # noqa: E402
from sair_core.evaluation.report import align, machine_facts  # noqa: E402
from sair_core.evaluation.samples import list_samples  # noqa: E402
from sair_core.photos.photo import Photo, load_photo  # noqa: E402
from sair_core.pipeline import InpaintPipeline  # noqa: E402
from sair_core.stages import current_stage, listen  # noqa: E402

Fill = Callable[[np.ndarray, np.ndarray], object]
# Height and width in px, hole in px, fills that are timed, bar in seconds (None: the time of PatchMatch).
CASES = (
    (256, 384, round(0.12 * 256 * 384), 5, None),
    (512, 512, round(0.10 * 512 * 512), 5, 1.2),
    (3000, 4000, 400 * 400, 1, 5.0),
)
GROWTH_PX = (2_000, 6_000, 18_000, 54_000)  # holes of one 768 x 1024 photo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of photos")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="of torch (default: as many as there are cores)")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    pipe = InpaintPipeline.from_pretrained(device=args.device)
    if args.case is not None:
        print(json.dumps(fill_once(pipe, args.data, args.case)))
        return
    photos = [sample.load() for sample in list_samples(args.data, limit=3)]

    opened: list[Photo] = []

    def natural(photo: np.ndarray, hole: np.ndarray) -> object:
        opened[:] = [load_photo(photo)]
        return pipe.fill(opened[0], hole)

    def again(photo: np.ndarray, hole: np.ndarray) -> object:
        return pipe.fill(opened[0], hole, seed=1)

    def smooth(photo: np.ndarray, hole: np.ndarray) -> object:
        return pipe.fill(load_photo(photo), hole, texture=False)

    fills: dict[str, Fill] = {
        "natural": natural,
        "again": again,
        "smooth": smooth,
        "patchmatch": PatchMatch(),
    }
    rows, found = [("photo", "hole px", *(f"{name}, s" for name in fills), "bar, s", "peak, GB")], []
    for case, (height, width, hole_px, runs, bar) in enumerate(CASES):
        by_stage = run_case(args, case)
        peak_gb = max(by_stage.values())
        seconds = measure(fills, photos, (height, width), hole_px, runs)
        limit = seconds["patchmatch"] if bar is None else bar
        times = (f"{seconds[name]:.2f}" for name in fills)
        rows.append((f"{height} x {width}", f"{hole_px}", *times, f"{limit:.2f}", f"{peak_gb:.2f}"))
        memory = {"peak_gb": peak_gb, "stages_gb": by_stage}
        found.append({"size_px": [height, width], "hole_px": hole_px, **seconds, **memory})
    print(align(rows, left_columns=1))
    print(align([("the last case, by stage", "peak, GB"), *((n, f"{gb:.2f}") for n, gb in by_stage.items())]))
    growth = {px: measure(fills, photos, (768, 1024), px, 3) for px in GROWTH_PX}
    exponents = {
        name: float(np.polyfit(np.log(GROWTH_PX), np.log([growth[px][name] for px in GROWTH_PX]), 1)[0])
        for name in fills
    }
    print("cost against hole px, exponent: " + ", ".join(f"{n} {e:.2f}" for n, e in exponents.items()))
    for px, seconds in growth.items():
        print(f"  {px} px: " + ", ".join(f"{name} {s:.2f} s" for name, s in seconds.items()))
    print("; ".join(f"{name}: {value}" for name, value in machine_facts().items()))
    if args.json:
        args.json.write_text(json.dumps({"cases": found, "growth": growth, "exponents": exponents}, indent=1))


def measure(
    fills: dict[str, Fill], photos: list[np.ndarray], size_px: tuple[int, int], hole_px: int, runs: int
) -> dict[str, float]:
    """Median seconds of each way to fill, interleaved; one fill before that warms up."""
    hole = disc(size_px, hole_px)
    enlarged = [enlarge(photo, size_px) for photo in photos]
    seconds: dict[str, list[float]] = {name: [] for name in fills}
    for run in range(runs + 1):
        for photo in enlarged[: 1 if size_px[0] > 2000 else None]:
            photo = photo ^ np.uint8(run % 2)  # nothing is remembered of the last
            for name, fill in fills.items():
                start = time.perf_counter()
                fill(photo, hole)
                if run:
                    seconds[name].append(time.perf_counter() - start)
    return {name: median(times) for name, times in seconds.items()}


def run_case(args: argparse.Namespace, case: int) -> dict[str, float]:
    """Return what `fill_once` does in a process of its own."""
    options = ["--data", args.data, "--device", args.device, "--threads", torch.get_num_threads()]
    command = [sys.executable, __file__, *map(str, options), "--case", str(case)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    peaks: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return peaks


def fill_once(pipe: InpaintPipeline, data: Path, case: int) -> dict[str, float]:
    """Fill the photo of a case, and return the peaks of this process's memory in GB, by stage."""
    peaks = {"model loaded": peak_memory_gb()}
    clear_peak()
    height, width, hole_px, *_ = CASES[case]
    photo = enlarge(list_samples(data, limit=1)[0].load(), (height, width))

    def note_peak() -> None:
        name = current_stage()
        if name is not None:
            peaks[name] = max(peaks.get(name, 0.0), peak_memory_gb())
            clear_peak()

    with listen(note_peak):
        pipe.fill(load_photo(photo), disc((height, width), hole_px))
    return peaks


def enlarge(photo: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(photo).resize(size_px[::-1], Image.Resampling.BICUBIC))


def disc(size_px: tuple[int, int], hole_px: int) -> np.ndarray:
    """Return bool `size_px` (height, width), a disc of about `hole_px` pixels in the middle."""
    height, width = size_px
    y, x = np.ogrid[:height, :width]
    return (y - height / 2) ** 2 + (x - width / 2) ** 2 <= hole_px / np.pi


if __name__ == "__main__":
    main()
