"""Where the time of fills, a view, a map and a selection goes: `python benchmarks/speed.py --stages`."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from app.widgets.pictures import encode_map, encode_mask, encode_patches, encode_rgb
from benchmarks.machine import as_markdown, count_waits, extra_memory, square_mask, synthetic_photo
from sair_core import InpaintPipeline
from sair_core.devices import has_bf16, pick_device
from sair_core.filling.texture import TextureResult, synthesize
from sair_core.photos.photo import load_photo
from sair_core.stages import REST, listen, stage
from sair_core.weights.bundled import BUNDLED_SPN
from sair_core.zoom.cache import FeatureCache

HOLE_SHARE = 0.1
LABELS = ("sky", "grass", "water", "tree", "road", "person", "car", "building", "sand", "animal")
VIEW_SCALE = 2.5
BARS = {"Smooth": 0.5, "Natural": 1.2}  # seconds of a 512 x 512 px photo on two cores alone
BAR_PX = 512
PEAK_RUNS = 5

Work = Callable[[Path], object]


@dataclass(frozen=True)
class Budget:
    """What a piece of work costs. seconds: medians by stage; total: the median of the whole. gflop: counted,
    in products and convolutions, a multiplication and an addition being two. extra_gb: memory at the peak, on
    top of what was loaded. waits: how often the processor waits for a GPU, None elsewhere."""

    work: str
    seconds: Mapping[str, float]
    total: float
    gflop: float
    extra_gb: float
    waits: int | None = None


def main(args: argparse.Namespace) -> str:
    """Measure, and return the tables as Markdown. args: model, device, side, runs."""
    device = pick_device(args.device)
    works = load_works(args.model, device, args.side)
    with tempfile.TemporaryDirectory() as folder:
        photos = write_photos(Path(folder), args.side, len(works) * (args.runs + 2))
        budgets = measure(works, photos, device)
    return describe(budgets, measure_peak(device), args.side)


def load_works(model: str, device: torch.device, side: int) -> dict[str, Work]:
    """Return what is measured, by name: from a photo's file to the answer that the page is given."""
    sair = InpaintPipeline.from_pretrained(model, device=str(device))
    spn = InpaintPipeline.from_pretrained(BUNDLED_SPN, device=str(device))
    hole = square_mask(side, side, side=round(side * HOLE_SHARE**0.5))

    def fill(pipeline: InpaintPipeline, texture: bool | None) -> Work:
        def work(path: Path) -> object:
            filled = pipeline.fill(path, hole, texture=texture).photo
            with stage("answer"):
                return encode_patches(filled, hole)

        return work

    def view(path: Path) -> object:
        with stage("open"):
            photo = load_photo(path)
        shown = sair.view(photo, scale=VIEW_SCALE, size_px=(side, side), cache=FeatureCache())
        with stage("answer"):
            return encode_rgb(np.asarray(shown))

    def name(path: Path) -> object:
        with stage("open"):
            photo = load_photo(path)
        found = sair.semantics(photo, LABELS)
        with stage("answer"):
            return encode_map(found)

    def select(path: Path) -> object:
        with stage("open"):
            photo = load_photo(path)
        mask = sair.mask_from_points(photo, [(side / 2, side / 2)])
        with stage("answer"):
            return encode_mask(mask)

    works = {
        "Natural": fill(sair, True), "Smooth": fill(sair, False), "Painted": fill(spn, None),
        "view": view, "map": name, "select": select,
    }  # fmt: skip
    if device.type != "cpu":
        works["Natural, texture on the processor"] = on_processor(works["Natural"])
    return works


def on_processor(fill: Work) -> Work:
    """Return a fill with texture that leaves only its guide to the device."""

    def synthesize_here(*args: object, device: object, **kwargs: object) -> TextureResult:
        return synthesize(*args, device="cpu", **kwargs)

    def work(path: Path) -> object:
        with mock.patch("sair_core.filling.natural.synthesize", synthesize_here):
            return fill(path)

    return work


def write_photos(folder: Path, side: int, count: int) -> list[Path]:
    """Write photos that differ, so that nothing is remembered of one for the next."""
    pixels = np.asarray(synthetic_photo(side, side))
    paths = [folder / f"{i}.png" for i in range(count)]
    for i, path in enumerate(paths):
        path.write_bytes(encode_rgb(pixels ^ np.uint8(i)).data)
    return paths


def measure(works: Mapping[str, Work], photos: Sequence[Path], device: torch.device) -> list[Budget]:
    """Run the works in turn, each time on another photo. The first run warms up, the last one is counted."""
    synchronise = torch.cuda.synchronize if device.type == "cuda" else None
    stages: dict[str, list[dict[str, float]]] = {name: [] for name in works}
    extra: dict[str, list[float]] = {name: [] for name in works}
    paths = iter(photos)
    for _ in range(len(photos) // len(works) - 1):
        for name, work in works.items():
            with extra_memory(str(device)) as taken, listen(synchronise) as found:
                work(next(paths))
            stages[name].append(dict(found.seconds))
            extra[name] += taken
    budgets = []
    for name, work in works.items():
        runs = stages[name][1:]
        names = dict.fromkeys(part for run in runs for part in run if part != REST)
        seconds = {part: median(run.get(part, 0.0) for run in runs) for part in (*names, REST)}
        total = median(sum(run.values()) for run in runs)
        gflop, waits = count(work, next(paths), device)
        budgets.append(Budget(name, seconds, total, gflop, max(extra[name][1:]), waits))
    return budgets


def count(work: Work, path: Path, device: torch.device) -> tuple[float, int | None]:
    """Return the 1e9 operations of the products and convolutions of a work, and how often it waits for a GPU,
    None for another device."""
    with FlopCounterMode(display=False) as counter, count_waits(str(device)) as waits:
        work(path)
    return counter.get_total_flops() / 1e9, waits[0] if waits else None


def measure_peak(device: torch.device) -> dict[str, float]:
    """Return the GFLOP/s of a large product and a large convolution, in the dtype that models compute in."""
    dtype = torch.bfloat16 if has_bf16(device) else torch.float32
    left, right = (torch.randn(2048, 2048, device=device, dtype=dtype) for _ in range(2))
    picture = torch.randn(1, 128, 256, 256, device=device, dtype=dtype)
    picture = picture.contiguous(memory_format=torch.channels_last)
    kernel = torch.randn(128, 128, 3, 3, device=device, dtype=dtype).contiguous(
        memory_format=torch.channels_last
    )
    dtype_name = str(dtype).removeprefix("torch.")
    return {
        f"product, {dtype_name}": rate(lambda: left @ right, 2 * 2048**3, device),
        f"convolution, {dtype_name}": rate(
            lambda: F.conv2d(picture, kernel, padding=1), 2 * 9 * 128 * 128 * 256 * 256, device
        ),
    }


@torch.inference_mode()
def rate(work: Callable[[], object], flop: int, device: torch.device) -> float:
    """Return the best GFLOP/s of some runs."""
    seconds = []
    for _ in range(PEAK_RUNS):
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    return flop / min(seconds) / 1e9


def describe(budgets: Sequence[Budget], peak: Mapping[str, float], side: int) -> str:
    """Return a table of each work's stages, and one of their sums."""
    best = max(peak.values())
    sums = [("", "s", "bar, s", "GFLOP", "GFLOP/s", "of the peak", "extra GB", "waits for the GPU")]
    parts = []
    for budget in budgets:
        bar = BARS.get(budget.work) if side == BAR_PX else None
        speed = budget.gflop / budget.total
        sums.append(
            (budget.work, f"{budget.total:.3f}", "" if bar is None else f"{bar:g}", f"{budget.gflop:.1f}",
             f"{speed:.0f}", f"{speed / best:.0%}", f"{budget.extra_gb:.2f}",
             "" if budget.waits is None else f"{budget.waits}")
        )  # fmt: skip
        rows = [(budget.work, "ms", "share")]
        rows += [
            (name, f"{1000 * seconds:.1f}", f"{seconds / budget.total:.0%}")
            for name, seconds in budget.seconds.items()
        ]
        parts.append(as_markdown(rows))
    peaks = ", ".join(f"{name} {gflops:.0f} GFLOP/s" for name, gflops in peak.items())
    return "\n\n".join([as_markdown(sums), f"Peak of this machine in the same run: {peaks}.", *parts])
