"""What was measured: a record a fill, a summary a bin and method, the gain over the best baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sair_core.evaluation.baselines import METHODS
from sair_core.evaluation.realism import Moments, Texture, add_textures, frechet, gaussian_frechet

ALL = "all"  # the bin of all bins


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
class DrawnMeans(Drawn):
    """Of many holes: means, and the Fréchet distance of each sample over all holes, in the order of the
    seeds; empty where no features were measured."""

    frechet: tuple[float, ...] = ()


@dataclass(frozen=True)
class Figures:
    """A fill beside the truth, of the whole picture or of the hole alone. `l1` on pixel values in [0, 1].

    distance, gradients: as in `realism`. agreement: the share of labelled pixels, in [0, 1], that the encoder
    names in the filled photo as the truth is labelled. None where they cannot be had.
    """

    psnr_db: float
    ssim: float
    l1: float
    distance: float | None = None
    gradients: float | None = None
    agreement: float | None = None


@dataclass(frozen=True)
class Record:
    """What one method made of one photo and mask.

    hole_share: in [0, 1]. seconds: None where nobody knows. known_changed_px: pixels outside the
    hole that the method altered; they are put back before measuring. drawn: of a method that gives several
    samples; all else is of the first.
    """

    photo: str
    photo_index: int
    bin: str
    method: str
    hole_share: float
    whole: Figures
    hole: Figures
    lpips: float | None
    seconds: float | None
    known_changed_px: int
    drawn: Drawn | None = None


@dataclass(frozen=True)
class Failure:
    """A fill that a method could not give, and why."""

    photo: str
    bin: str
    method: str
    reason: str


class Textures(NamedTuple):
    """What a Fréchet distance is computed from: moments of features, filled and true."""

    filled: Texture
    true: Texture

    def plus(self, other: Textures) -> Textures:
        return Textures(add_textures(self.filled, other.filled), add_textures(self.true, other.true))


class Pictures(NamedTuple):
    """Inception's features of a whole picture, float32 `(2048,)`, filled and true."""

    filled: np.ndarray
    true: np.ndarray


Key = tuple[str, str]  # bin, method


def sample_name(method: str, number: int) -> str:
    """Of a sample as a method of its own; the first, number 0, is the method."""
    return f"{method} #{number}" if number else method


class Tally:
    """All that was measured, photo after photo.

    Local features are kept as sums: their memory does not grow with the number of photos. Those of whole
    pictures are kept one by one: 16 KB a fill are less than their sums, 64 MB a row, for all but huge runs.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.failures: list[Failure] = []
        self.hole_digests: dict[str, str] = {}
        self._inside: dict[Key, Textures] = {}
        self._whole: dict[Key, Textures] = {}
        self._pictures: dict[Key, list[Pictures]] = {}

    def add_textures(self, key: Key, inside: Textures, whole: Textures) -> None:
        """Add the features of one fill: of its filled places, and of all."""
        for sums, found in ((self._inside, inside), (self._whole, whole)):
            sums[key] = sums[key].plus(found) if key in sums else found

    def add_pictures(self, key: Key, pictures: Iterable[Pictures]) -> None:
        """Add what FID compares of fills."""
        self._pictures.setdefault(key, []).extend(pictures)

    def add(self, other: Tally) -> None:
        """Add what was measured of other photos."""
        self.records += other.records
        self.failures += other.failures
        self.hole_digests |= other.hole_digests
        for key, inside in other._inside.items():
            self.add_textures(key, inside, other._whole[key])
        for key, pictures in other._pictures.items():
            self.add_pictures(key, pictures)

    def frechet(self, bins: Iterable[str], method: str, *, inside: bool) -> float | None:
        """Fréchet distance over the holes of these bins; None where no features were measured."""
        sums = self._inside if inside else self._whole
        found = [sums[name, method] for name in bins if (name, method) in sums]
        if not found:
            return None
        total = found[0]
        for one in found[1:]:
            total = total.plus(one)
        return frechet(*total)

    def fid(self, bins: Iterable[str], method: str) -> float | None:
        """FID over the pictures of these bins; None where its features were not measured, or of one alone."""
        pictures = [one for name in bins for one in self._pictures.get((name, method), ())]
        if len(pictures) < 2:
            return None
        filled, true = (Moments.of(np.stack(side)) for side in zip(*pictures))
        return gaussian_frechet(filled.mean, filled.covariance, true.mean, true.covariance)


@dataclass(frozen=True)
class Means(Figures):
    """Of many fills: means, but the median of `gradients`, and the Fréchet distance of all their features."""

    frechet: float | None = None


@dataclass(frozen=True)
class Summary:
    """The photos of one bin and method. seconds: the median (the first fill warms up)."""

    bin: str
    method: str
    photos: int
    whole: Means
    hole: Means
    lpips: float | None = None
    fid: float | None = None
    seconds: float | None = None
    drawn: DrawnMeans | None = None


@dataclass(frozen=True)
class Gain:
    """A method minus the best baseline of one bin; the best one is chosen for PSNR and SSIM separately."""

    bin: str
    method: str
    psnr_db: float
    psnr_baseline: str
    ssim: float
    ssim_baseline: str


def summarise(tally: Tally) -> list[Summary]:
    """A summary for each bin and method, in the order of the records; of several bins, all of them last."""
    bins = list(dict.fromkeys(record.bin for record in tally.records))
    methods = list(dict.fromkeys(record.method for record in tally.records))
    groups: dict[str, list[str]] = {name: [name] for name in bins}
    if len(bins) > 1:
        groups[ALL] = bins
    summaries = []
    for name, members in groups.items():
        for method in methods:
            rows = [row for row in tally.records if row.method == method and row.bin in members]
            if rows:
                summaries.append(_summary(name, members, method, rows, tally))
    return summaries


def gains(summaries: Sequence[Summary], baselines: Sequence[str]) -> list[Gain]:
    """For each bin, every method that is no classical one against the best of the measured `baselines`."""
    found = []
    for bin_name in dict.fromkeys(summary.bin for summary in summaries):
        rows = [summary for summary in summaries if summary.bin == bin_name]
        rivals = [row for row in rows if row.method in baselines]
        if not rivals:
            continue
        best_psnr = max(rivals, key=lambda row: row.whole.psnr_db)
        best_ssim = max(rivals, key=lambda row: row.whole.ssim)
        for row in rows:
            if row.method not in METHODS:
                found.append(
                    Gain(
                        bin=bin_name,
                        method=row.method,
                        psnr_db=row.whole.psnr_db - best_psnr.whole.psnr_db,
                        psnr_baseline=best_psnr.method,
                        ssim=row.whole.ssim - best_ssim.whole.ssim,
                        ssim_baseline=best_ssim.method,
                    )
                )
    return found


def _summary(name: str, bins: Sequence[str], method: str, rows: Sequence[Record], tally: Tally) -> Summary:
    seconds = [row.seconds for row in rows if row.seconds is not None]
    return Summary(
        bin=name,
        method=method,
        photos=len({row.photo_index for row in rows}),
        whole=_means([row.whole for row in rows], tally.frechet(bins, method, inside=False)),
        hole=_means([row.hole for row in rows], tally.frechet(bins, method, inside=True)),
        lpips=_mean_of_known(row.lpips for row in rows),
        fid=tally.fid(bins, method),
        seconds=float(np.median(seconds)) if seconds else None,
        drawn=_drawn([row.drawn for row in rows if row.drawn is not None], bins, method, tally),
    )


def _means(rows: Sequence[Figures], frechet_distance: float | None) -> Means:
    gradients = [row.gradients for row in rows if row.gradients is not None]
    return Means(
        psnr_db=_mean(row.psnr_db for row in rows),
        ssim=_mean(row.ssim for row in rows),
        l1=_mean(row.l1 for row in rows),
        distance=_mean_of_known(row.distance for row in rows),
        gradients=float(np.median(gradients)) if gradients else None,
        agreement=_mean_of_known(row.agreement for row in rows),
        frechet=frechet_distance,
    )


def _drawn(rows: Sequence[Drawn], bins: Sequence[str], method: str, tally: Tally) -> DrawnMeans | None:
    if not rows:
        return None
    names = [sample_name(method, number) for number in range(rows[0].samples)]
    distances = [tally.frechet(bins, name, inside=True) for name in names]
    return DrawnMeans(
        samples=rows[0].samples,
        psnr_db=_mean(row.psnr_db for row in rows),
        ssim=_mean(row.ssim for row in rows),
        l1=_mean(row.l1 for row in rows),
        diversity_l1=_mean(row.diversity_l1 for row in rows),
        diversity_lpips=_mean_of_known(row.diversity_lpips for row in rows),
        frechet=tuple(distance for distance in distances if distance is not None),
    )


def _mean_of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _mean(known) if known else None


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return math.fsum(values) / len(values)
