"""Fills every photo with every method and measures the results, one record after the other."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np
from PIL import Image, ImageDraw

from sair_core.errors import DataError, PhotoError
from sair_core.evaluation import metrics
from sair_core.evaluation.baselines import METHODS, FillMethod, composite, mean
from sair_core.evaluation.perceptual import PerceptualMetric
from sair_core.evaluation.samples import MaskSource, Sample
from sair_core.evaluation.summary import Drawn, Record
from sair_core.photos import masks

log = logging.getLogger(__name__)

# Identical pictures have an infinite PSNR, and no mean over photos survives one. 8-bit pictures of 256 px
# that differ anywhere stay below 102 dB, real fills below 60.
PSNR_CAP_DB = 100.0


@dataclass(frozen=True)
class Plan:
    """What an evaluation does. `methods`: name -> fill(uint8 (S, S, 3), bool (S, S)) -> uint8 (S, S, 3).

    Several samples of a hole come as (N, S, S, 3). A method is given the photo with its hole painted in the
    mean colour, never the true pixels.
    """

    methods: Mapping[str, FillMethod]
    samples: Sequence[Sample]
    masks: MaskSource
    size_px: int
    lpips: PerceptualMetric | None = None
    mask_folder: Path | None = None
    picture_folder: Path | None = None
    # A model is shared by all workers: one fill at a time, as in the app.
    model_lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


def evaluate(plan: Plan, workers: int = 1) -> Generator[list[Record], None, None]:
    """Yields the records of each photo (all bins, all methods) as soon as they are there.

    Photos that cannot be read are logged and yield an empty list. What is yielded is the same, in another
    order, for any number of workers (threads). Errors of a method are raised.
    """
    for folder in (plan.mask_folder, plan.picture_folder):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    if workers <= 1:
        yield from (evaluate_photo(plan, sample) for sample in plan.samples)
        return
    pool = ThreadPoolExecutor(workers)
    pending: set[Future[list[Record]]] = {
        pool.submit(evaluate_photo, plan, sample) for sample in plan.samples
    }
    try:
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        # Reached on Ctrl+C too: photos not begun are dropped, those in work end on their own.
        pool.shutdown(wait=True, cancel_futures=True)


def evaluate_photo(plan: Plan, sample: Sample) -> list[Record]:
    """One photo, all bins, all methods; empty (and logged) if the photo cannot be read."""
    try:
        photo = sample.load(plan.size_px)
    except PhotoError as error:
        log.warning("%s is left out: %s", sample.path, error)
        return []
    records = []
    for bin_index, bin_range in enumerate(masks.BINS):
        mask = plan.masks(sample.index, bin_index)
        if mask is None:
            continue
        name = f"{sample.index:05d}_{sample.path.stem}_{masks.bin_name(bin_range)}.png"
        if plan.mask_folder is not None:
            masks.mask_to_image(mask).save(plan.mask_folder / name)
        pictures = {}
        for method, fill in plan.methods.items():
            record, pictures[method] = _measure(plan, sample, bin_index, method, fill, photo, mask)
            records.append(record)
        if plan.picture_folder is not None:
            picture_strip(photo, mask, pictures).save(plan.picture_folder / name)
    return records


def picture_strip(photo: np.ndarray, mask: np.ndarray, pictures: Mapping[str, np.ndarray]) -> Image.Image:
    """The photo, what is left of it, and each method's fill side by side, with their names on top."""
    holed = composite(photo, np.full_like(photo, 255), mask)
    panels = {"photo": photo, "known": holed, **pictures}
    height, width = photo.shape[:2]
    gap, title = 4, 16
    strip = Image.new("RGB", ((width + gap) * len(panels) - gap, height + title), "white")
    draw = ImageDraw.Draw(strip)
    for i, (name, panel) in enumerate(panels.items()):
        draw.text((i * (width + gap) + 2, 2), name, fill="black")
        strip.paste(Image.fromarray(panel), (i * (width + gap), title))
    return strip


def _measure(
    plan: Plan,
    sample: Sample,
    bin_index: int,
    method: str,
    fill: FillMethod,
    photo: np.ndarray,
    mask: np.ndarray,
) -> tuple[Record, np.ndarray]:
    # What the hole hides is truly hidden, whatever a method reads. Copies: it may work in place.
    arguments = mean(photo, mask), mask.copy()
    with nullcontext() if method in METHODS else plan.model_lock:
        began = time.perf_counter()
        filled = fill(*arguments)
        seconds = time.perf_counter() - began
    if filled.shape[-3:] != photo.shape or filled.ndim > 4 or not filled.size or filled.dtype != np.uint8:
        raise DataError(
            f"The method {method!r} returned {filled.dtype} {filled.shape}, not uint8 {photo.shape}."
        )
    samples = filled if filled.ndim == 4 else filled[None]
    results = [composite(photo, sample, mask) for sample in samples]
    result = results[0]
    record = Record(
        photo=sample.path.name,
        photo_index=sample.index,
        bin=masks.bin_name(masks.BINS[bin_index]),
        method=method,
        hole_share=masks.hole_ratio(mask),
        psnr_db=min(metrics.psnr(photo, result), PSNR_CAP_DB),
        ssim=metrics.ssim(photo, result),
        l1=metrics.l1(photo, result),
        lpips=None if plan.lpips is None else plan.lpips(photo, result),
        seconds=seconds / len(samples),
        known_changed_px=int(np.count_nonzero((samples[0] != result).any(axis=-1))),
        gradient=metrics.gradient(result, mask),
        gradient_true=metrics.gradient(photo, mask),
        drawn=_drawn(photo, mask, results, plan.lpips) if filled.ndim == 4 else None,
    )
    return record, result


def _drawn(
    photo: np.ndarray, mask: np.ndarray, results: Sequence[np.ndarray], lpips: PerceptualMetric | None
) -> Drawn | None:
    """Of one sample alone there is nothing to say."""
    if len(results) < 2:
        return None
    pairs = list(itertools.combinations(results, 2))
    best = max(results, key=lambda result: metrics.psnr(photo, result))
    return Drawn(
        samples=len(results),
        psnr_db=min(metrics.psnr(photo, best), PSNR_CAP_DB),
        ssim=metrics.ssim(photo, best),
        l1=metrics.l1(photo, best),
        diversity_l1=fmean(metrics.l1_inside(a, b, mask) for a, b in pairs),
        diversity_lpips=None if lpips is None else fmean(lpips(a, b) for a, b in pairs),
    )
