"""What was measured: a record a fill, a summary a bin and method, the gain over the best baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sair_core import masks
from sair_core.evaluation.baselines import METHODS


@dataclass(frozen=True)
class Record:
    """What one method made of one photo and mask. `hole_share` in [0, 1], `l1` on pixel values in [0, 1].

    `known_changed_px`: pixels outside the hole that the method altered; they are put back before measuring.
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


@dataclass(frozen=True)
class Summary:
    """Means over the photos of one bin and method; `seconds` is the median (the first fill warms up)."""

    bin: str
    method: str
    photos: int
    psnr_db: float
    ssim: float
    l1: float
    lpips: float | None
    seconds: float


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
            lpips = [row.lpips for row in rows if row.lpips is not None]
            summaries.append(
                Summary(
                    bin=bin_name,
                    method=name,
                    photos=len(rows),
                    psnr_db=_mean(row.psnr_db for row in rows),
                    ssim=_mean(row.ssim for row in rows),
                    l1=_mean(row.l1 for row in rows),
                    lpips=_mean(lpips) if lpips else None,
                    seconds=float(np.median([row.seconds for row in rows])),
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


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return math.fsum(values) / len(values)
