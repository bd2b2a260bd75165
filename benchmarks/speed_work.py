"""What `benchmarks/speed.py` measures in a process of its own each, as memory and first times need."""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import peaks_gb, square_mask, synthetic_photo

WARM_RUNS = 5
ZOOM_SCALES = (1.05, 2.0, 4.0, 8.0, 20.5, 64.0)  # at 1 a view is the photo's own pixels


def fill_small(args: argparse.Namespace) -> dict[str, float]:
    """Median seconds of warm fills by the model alone, 512 x 512 px, a tenth hole: a piece, and strokes."""
    from sair_core import InpaintPipeline
    from sair_core.photos.masks import irregular_mask

    pipe = InpaintPipeline.from_pretrained(args.model, device=args.device, texture=False)
    photo = synthetic_photo(512, 512)
    masks = {
        "object": square_mask(512, 512, side=round(512 * math.sqrt(0.1))),
        "strokes": irregular_mask(np.random.default_rng(0), (512, 512), (0.095, 0.105)),
    }
    seconds = {}
    for name, mask in masks.items():
        times = []
        for _ in range(1 + WARM_RUNS):
            began = time.perf_counter()
            pipe.fill(photo, mask)
            times.append(time.perf_counter() - began)
        seconds[name] = statistics.median(times[1:])
    return seconds


def fill_large(args: argparse.Namespace) -> dict[str, float]:
    """Seconds of the first and second fill of a photo file, and the process's peak memory in GB."""
    with Image.open(args.photo) as photo:
        width, height = photo.size
    mask = square_mask(height, width, side=400)
    began = time.perf_counter()
    from sair_core import InpaintPipeline

    pipe = InpaintPipeline.from_pretrained(args.model, device=args.device, texture=False)
    seconds = {"load": time.perf_counter() - began}
    for name in ("first", "second"):
        began = time.perf_counter()
        pipe.fill(args.photo, mask)
        seconds[name] = time.perf_counter() - began
    return {**seconds, **peaks_gb(args.device)}


def semantic_map(args: argparse.Namespace) -> dict[str, float]:
    """Seconds of a map with ten labels, 512 x 512 px, for a new photo, and with other labels on the same one.

    The encoder is loaded and warm; the labels are new each time.
    """
    from sair_core import InpaintPipeline
    from sair_core.semantics.words import vocabulary

    pipe = InpaintPipeline.from_pretrained(args.model, device=args.device)
    words = list(vocabulary("ade20k"))
    pipe.semantics(synthetic_photo(256, 256), words[:10])
    photo = np.asarray(synthetic_photo(512, 512))
    times: dict[str, list[float]] = {"first": [], "labels": []}
    for run in range(WARM_RUNS):
        for name in times:
            labels = [words.pop() for _ in range(10)]
            began = time.perf_counter()
            pipe.semantics(photo + np.uint8(run), labels)
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def zoom(args: argparse.Namespace) -> dict[str, float]:
    """Seconds of views of 1024 x 768 px of a 12-megapixel photo by scale, features there, median and best;
    and of the first view, with features to compute."""
    from sair_core import InpaintPipeline
    from sair_core.photos.photo import load_photo
    from sair_core.zoom.cache import FeatureCache

    pipe = InpaintPipeline.from_pretrained(args.model, device=args.device)
    photo = load_photo(synthetic_photo(3000, 4000))
    times: dict[float, list[float]] = {scale: [] for scale in ZOOM_SCALES}
    # In turn, so that what else the machine does falls on all scales alike.
    for _ in range(1 + 2 * WARM_RUNS):
        for scale, seconds in times.items():
            began = time.perf_counter()
            pipe.view(photo, centre_yx=(0.1, -0.2), scale=scale)
            seconds.append(time.perf_counter() - began)
    began = time.perf_counter()
    pipe.view(photo, centre_yx=(0.1, -0.2), scale=8, cache=FeatureCache())
    return {
        "first": time.perf_counter() - began,
        **{f"{scale:g}": statistics.median(seconds[1:]) for scale, seconds in times.items()},
        **{f"best {scale:g}": min(seconds[1:]) for scale, seconds in times.items()},
    }


def export_large(args: argparse.Namespace) -> dict[str, float]:
    """Seconds, peak memory in GB and progress of the export of a 2-megapixel photo at x4; then how soon after
    the asking an export ends that is cancelled."""
    from sair_core import InpaintPipeline
    from sair_core.errors import CancelledError
    from sair_core.zoom.cache import FeatureCache

    pipe = InpaintPipeline.from_pretrained(args.model, device=args.device)
    photo = synthetic_photo(1224, 1632)
    reports: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        height, width = pipe.export(
            photo, Path(folder) / "out.png", scale=4, progress=lambda share, text: reports.append(share)
        )
        seconds = time.perf_counter() - began
        asked: list[float] = []

        def cancelled() -> bool:
            if time.perf_counter() - began > 1.0 and not asked:
                asked.append(time.perf_counter())
            return bool(asked)

        began = time.perf_counter()
        with contextlib.suppress(CancelledError):
            pipe.export(photo, Path(folder) / "out.tif", scale=6, cache=FeatureCache(), cancelled=cancelled)
        ended = time.perf_counter()
    return {
        "seconds": seconds, "megapixels": height * width / 1e6, "reports": len(set(reports)),
        **peaks_gb(args.device), "cancel": ended - asked[0],
    }  # fmt: skip


CHILDREN = {
    "small": fill_small, "large": fill_large, "map": semantic_map, "zoom": zoom, "export": export_large
}  # fmt: skip
