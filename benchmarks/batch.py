"""Photos a minute of a folder: `python benchmarks/batch.py --help`.

The same large photos three times: each filled alone, with nothing to open and to write; by the steps of
`sair batch` one after the other; by `sair batch`, which opens and writes while it fills. With Ray installed
also by --workers of its workers, on a cluster that is started before.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from benchmarks.machine import (  # noqa: E402
    as_markdown,
    limit_cores,
    peak_memory_gb,
    square_mask,
    synthetic_photo,
    write_section,
)
from sair_core.batch.config import BatchConfig  # noqa: E402
from sair_core.batch.run import prepare, run  # noqa: E402
from sair_core.batch.runners import connect  # noqa: E402
from sair_core.batch.work import NamedModel, Worker  # noqa: E402
from sair_core.evaluation.report import machine_facts  # noqa: E402
from sair_core.photos.photo import load_photo  # noqa: E402

HOLE_PX = 400  # a side


def main(argv: Sequence[str] | None = None) -> int:
    """Print photos a minute and the share of the time that fills alone would take."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=int, default=8, help="(default: %(default)s)")
    parser.add_argument("--size", type=int, nargs=2, default=(3000, 4000), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--suffix", default=".jpg", help="of the photos: .jpg or .png (default: %(default)s)")
    parser.add_argument("--engine", default="natural", help="natural or smooth (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="use this many, 0 = all (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="of Ray, where it is installed")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write its section `batch` anew")
    args = parser.parse_args(argv)
    limit_cores(args.cores)
    with tempfile.TemporaryDirectory() as folder:
        text = measure(Path(folder), args)
    print(text)
    if args.page:
        write_section(args.page, "batch", text)
    return 0


def measure(folder: Path, args: argparse.Namespace) -> str:
    """Return a table of the ways to do a folder."""
    photos, mask = write_folder(folder, args.photos, tuple(args.size), args.suffix)
    model = NamedModel("sair-lite", "cpu", args.engine)

    def config(name: str, runner: str = "local", workers: int = 0) -> BatchConfig:
        output = folder / name
        output.mkdir()
        return BatchConfig(
            image=photos,
            mask=mask,
            output=output,
            engine=args.engine,
            device="cpu",
            runner=runner,
            workers=workers,
        )

    def by_steps() -> None:
        worker = Worker(config("steps"), model)
        _, contents = prepare(worker.config)
        for job in contents.jobs:
            worker.run(job)

    def by_batch(name: str, runner: str = "local", workers: int = 0) -> None:
        options = config(name, runner, workers)
        report, contents = prepare(options)
        for line in run(options, model, report, contents.jobs):
            assert line.status == "done", line

    seconds = {"fills alone": fill_alone(photos, mask, model), "one step after the other": timed(by_steps)}
    seconds["sair batch"] = timed(lambda: by_batch("batch"))
    if importlib.util.find_spec("ray") is not None:
        connect()
        name = f"sair batch --runner ray --workers {args.workers}"
        seconds[name] = timed(lambda: by_batch("ray", "ray", args.workers))
    alone = seconds["fills alone"]
    rows = [("", "photos a minute", "seconds a photo", "efficiency")]
    for name, total in seconds.items():
        each = total / args.photos
        rows.append((name, f"{60 / each:.1f}", f"{each:.2f}", f"{alone / total:.0%}"))
    facts = {**machine_facts(), "peak of this process, GB": f"{peak_memory_gb():.1f}"}
    size = f"{args.size[1]} x {args.size[0]} px"
    head = (
        f"{args.photos} photos of {size} ({args.suffix}), a hole of {HOLE_PX} x {HOLE_PX} px, {args.engine}:"
    )
    return "\n\n".join([head, as_markdown(rows), "; ".join(f"{k}: {v}" for k, v in facts.items())])


def write_folder(folder: Path, count: int, size_px: tuple[int, int], suffix: str) -> tuple[Path, Path]:
    """Write photos that differ, and one mask for all; return the folder and the mask."""
    photos, mask = folder / "photos", folder / "mask.png"
    photos.mkdir()
    pixels = np.asarray(synthetic_photo(*size_px))
    for i in range(count):
        Image.fromarray(pixels ^ np.uint8(i)).save(photos / f"{i}{suffix}", quality=92)
    side = min(HOLE_PX, *(n // 2 for n in size_px))
    Image.fromarray(square_mask(*size_px, side=side)).save(mask)
    return photos, mask


def fill_alone(photos: Path, mask: Path, model: NamedModel) -> float:
    """Return the seconds of the fills, without what comes before and after them. The first one warms up."""
    pipeline, hole = model.load(), np.asarray(Image.open(mask)) > 0
    paths = sorted(photos.iterdir())
    pipeline.fill(load_photo(paths[0]), hole)
    total = 0.0
    for path in paths:
        photo = load_photo(path)
        total += timed(lambda photo=photo: pipeline.fill(photo, hole))
    return total


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
