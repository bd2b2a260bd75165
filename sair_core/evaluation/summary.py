"""What was measured: a record a fill, a summary a bin and method, the gain over the best baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sair_core.evaluation.baselines import METHODS
from sair_core.photos import masks


@dataclass(frozen=True)
class Drawn:
    """What several samples of one hole say beyond the first. As in the SPN paper (4.3.1) the best of them is
    the one with the highest PSNR.

    psnr_db, ssim, l1: of the best. diversity_l1: mean L1 between two samples, over the hole's pixels, values
    in [0, 1]; diversity_lpips: mean LPIPS between two, None where LPIPS is not to be had.
    """

    samples: int
    psnr_db: float
    ssim: float
    l1: float
    diversity_l1: float
    diversity_lpips: float | None


@dataclass(frozen=True)
class Record:
    """What one method made of one photo and mask. `hole_share` in [0, 1], `l1` on pixel values in [0, 1].

    `known_changed_px`: pixels outside the hole that the method altered; they are put back before measuring.
    `gradient`, `gradient_true`: `metrics.gradient` of the fill and of what the hole hides. `drawn`: of a
    method that gives several samples; all else is of the first.
    """

    photo: str
    photo_index: int
    bin: str
    method: str
    hole_share: float
    psnr_db: float
    ssim: float
    l1: float
    lpips: float | None
    seconds: float
    known_changed_px: int
    gradient: float | None = None
    gradient_true: float | None = None
    drawn: Drawn | None = None


@dataclass(frozen=True)
class Summary:
    """Means over the photos of one bin and method; `seconds` is the median (the first fill warms up).

    `sharpness`: the mean gradient inside the holes, filled over true: 1 is as sharp as the photos, less is
    blurred. A ratio of means, because plain areas have next to no gradient to divide by.
    """

    bin: str
    method: str
    photos: int
    psnr_db: float
    ssim: float
    l1: float
    lpips: float | None
    seconds: float
    sharpness: float | None = None
    drawn: Drawn | None = None


@dataclass(frozen=True)
class Gain:
    """A method minus the best baseline of one bin; the best one is chosen for PSNR and SSIM separately."""

    bin: str
    method: str
    psnr_db: float
    psnr_baseline: str
    ssim: float
    ssim_baseline: str


def summarise(records: Sequence[Record]) -> list[Summary]:
    """One summary a bin and method, bins in rising order, methods in the order of the records."""
    names = list(dict.fromkeys(record.method for record in records))
    summaries = []
    for bin_name in map(masks.bin_name, masks.BINS):
        for name in names:
            rows = [record for record in records if (record.bin, record.method) == (bin_name, name)]
            if not rows:
                continue
            summaries.append(
                Summary(
                    bin=bin_name,
                    method=name,
                    photos=len(rows),
                    psnr_db=_mean(row.psnr_db for row in rows),
                    ssim=_mean(row.ssim for row in rows),
                    l1=_mean(row.l1 for row in rows),
                    lpips=_mean_of_known(row.lpips for row in rows),
                    seconds=float(np.median([row.seconds for row in rows])),
                    sharpness=_sharpness(rows),
                    drawn=_drawn([row.drawn for row in rows if row.drawn is not None]),
                )
            )
    return summaries


def gains(summaries: Sequence[Summary], baselines: Sequence[str]) -> list[Gain]:
    """For each bin, every method that is no classical one against the best of the measured `baselines`."""
    found = []
    for bin_name in dict.fromkeys(summary.bin for summary in summaries):
        rows = [summary for summary in summaries if summary.bin == bin_name]
        rivals = [row for row in rows if row.method in baselines]
        if not rivals:
            continue
        best_psnr = max(rivals, key=lambda row: row.psnr_db)
        best_ssim = max(rivals, key=lambda row: row.ssim)
        for row in rows:
            if row.method not in METHODS:
                found.append(
                    Gain(
                        bin=bin_name,
                        method=row.method,
                        psnr_db=row.psnr_db - best_psnr.psnr_db,
                        psnr_baseline=best_psnr.method,
                        ssim=row.ssim - best_ssim.ssim,
                        ssim_baseline=best_ssim.method,
                    )
                )
    return found


def _sharpness(rows: Sequence[Record]) -> float | None:
    filled, true = (_mean_of_known(values) for values in zip(*((r.gradient, r.gradient_true) for r in rows)))
    return filled / true if filled is not None and true else None


def _drawn(rows: Sequence[Drawn]) -> Drawn | None:
    if not rows:
        return None
    return Drawn(
        samples=rows[0].samples,
        psnr_db=_mean(row.psnr_db for row in rows),
        ssim=_mean(row.ssim for row in rows),
        l1=_mean(row.l1 for row in rows),
        diversity_l1=_mean(row.diversity_l1 for row in rows),
        diversity_lpips=_mean_of_known(row.diversity_lpips for row in rows),
    )


def _mean_of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _mean(known) if known else None


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return math.fsum(values) / len(values)
