"""One photo with one hole, and how a fill of it is measured."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np
from PIL import Image

from sair_core.errors import MissingDependencyError
from sair_core.evaluation import metrics
from sair_core.evaluation.baselines import composite
from sair_core.evaluation.features import LiteFeatures, Maps, load_features
from sair_core.evaluation.inception import PictureFeatures, load_inception
from sair_core.evaluation.perceptual import PerceptualMetric, load_lpips
from sair_core.evaluation.realism import (
    Texture,
    feature_distance,
    filled_places,
    gradient_ratio,
    texture,
)
from sair_core.evaluation.samples import Sample
from sair_core.evaluation.summary import Drawn, Figures, Pictures, Record, Tally, Textures, sample_name
from sair_core.photos.folders import VOID, Classes
from sair_core.photos.masks import hole_ratio
from sair_core.semantics.reader import SemanticReader

# Identical pictures have an infinite PSNR, and no mean over photos survives one. 8-bit pictures of 256 px
# that differ anywhere stay below 102 dB, real fills below 60.
PSNR_CAP_DB = 100.0


@dataclass(frozen=True, eq=False)
class Case:
    """One photo with one hole: uint8 (H, W, 3) and bool (H, W), True = hole.

    true_maps: features of the photo; labels: class ids of its pixels, uint8 (H, W), 255 = void, and what they
    mean; true_picture: the features of the whole photo that FID compares. None leaves out what needs them.
    degradation: what happened to the photo before it was filled, and seen: what was left of it, uint8
    (h, w, 3). None: the photo as it is.
    """

    sample: Sample
    bin: str
    photo: np.ndarray
    mask: np.ndarray
    true_maps: Maps | None = None
    labels: tuple[np.ndarray, Classes] | None = None
    true_picture: np.ndarray | None = None
    degradation: str | None = None
    seen: np.ndarray | None = None

    @property
    def hole_name(self) -> str:
        """Of the hole's file, and of the hole in a manifest."""
        return name_hole(self.sample, self.bin)

    @property
    def name(self) -> str:
        """Of a fill's file, in every folder that an evaluation reads or writes."""
        if self.degradation is None:
            return self.hole_name
        return f"{self.hole_name}_{self.degradation.replace(':', '-')}"

    def row(self, method: str) -> str:
        """Return the name of the row that a method's fill counts for."""
        return method if self.degradation is None else f"{method} {self.degradation}"

    @cached_property
    def given(self) -> np.ndarray:
        """What a method is given, at the photo's own size, uint8 (H, W, 3); its hole is not yet hidden."""
        if self.seen is None or self.seen.shape == self.photo.shape:
            return self.photo if self.seen is None else self.seen
        size = self.photo.shape[1], self.photo.shape[0]
        return np.asarray(Image.fromarray(self.seen).resize(size, Image.Resampling.BICUBIC))

    @cached_property
    def digest(self) -> str:
        """Of the hole, see `digest_hole`."""
        return digest_hole(self.mask)

    @cached_property
    def true_textures(self) -> tuple[Texture, Texture]:
        """Of the photo, at the places that the hole hides and everywhere."""
        assert self.true_maps is not None
        return textures(self.true_maps, self.mask)


def name_hole(sample: Sample, bin_name: str) -> str:
    """Return what a photo's hole of a bin is called, in files and manifests."""
    return f"{sample.index:05d}_{sample.path.stem}_{bin_name}"


def digest_hole(mask: np.ndarray) -> str:
    """Return the SHA-256 of a hole, bool `(H, W)`: of its size and pixels."""
    return hashlib.sha256(f"{mask.shape}".encode() + np.packbits(mask).tobytes()).hexdigest()


def textures(maps: Maps, mask: np.ndarray) -> tuple[Texture, Texture]:
    """The textures of the places that are mostly hole, and of all places."""
    return texture(maps, filled_places(maps, mask)), texture(maps, [None] * len(maps))


class Ruler:
    """Measures fills with what there is to measure with."""

    def __init__(
        self,
        lpips: PerceptualMetric | None = None,
        features: LiteFeatures | None = None,
        reader: SemanticReader | None = None,
        inception: PictureFeatures | None = None,
    ):
        """None leaves LPIPS, the figures of features, the agreement with labels, or FID out."""
        self.lpips, self.features, self.reader, self.inception = lpips, features, reader, inception

    def measure(
        self, case: Case, method: str, samples: np.ndarray, seconds: float | None, tally: Tally
    ) -> np.ndarray:
        """Add a fill to the tally, and return its first sample inside the photo, uint8 (H, W, 3).

        samples: uint8 (N, H, W, 3); seconds: what each took.
        """
        # Of a degraded photo what is known is to be restored, too: nothing is put back.
        filled = case.mask if case.seen is None else np.ones_like(case.mask)
        results = [composite(case.photo, sample, filled) for sample in samples]
        result = results[0]
        whole, hole = self._compare(case, method, result, tally)
        for number, sample in enumerate(results[1:], 1):
            self._add_textures(case, sample_name(method, number), sample, tally)
        if self.inception is not None and case.true_picture is not None:
            tally.add_pictures((case.bin, method), [Pictures(self.inception(result), case.true_picture)])
        record = Record(
            photo=case.sample.path.name,
            photo_index=case.sample.index,
            bin=case.bin,
            method=method,
            hole_share=hole_ratio(case.mask),
            whole=whole,
            hole=hole,
            lpips=None if self.lpips is None else self.lpips(case.photo, result),
            seconds=seconds,
            known_changed_px=int(np.count_nonzero((samples[0] != result).any(axis=-1))),
            drawn=self._drawn(case, results),
        )
        tally.records.append(record)
        return result

    def _compare(self, case: Case, method: str, result: np.ndarray, tally: Tally) -> tuple[Figures, Figures]:
        """Over the whole picture, and inside the hole."""
        photo, mask = case.photo, case.mask
        whole_distance = hole_distance = None
        maps = self._add_textures(case, method, result, tally)
        if maps is not None and case.true_maps is not None:
            whole_distance = feature_distance(maps, case.true_maps)
            hole_distance = feature_distance(maps, case.true_maps, mask)
        named = None
        if self.reader is not None and case.labels is not None:
            named = self.reader.name(self.reader.read(result), list(case.labels[1].names)).ids
        everything = np.ones_like(mask)
        whole = Figures(
            psnr_db=min(metrics.psnr(photo, result), PSNR_CAP_DB),
            ssim=metrics.ssim(photo, result),
            l1=metrics.l1(photo, result),
            distance=whole_distance,
            gradients=gradient_ratio(result, photo, everything),
            agreement=_share_right(named, case, everything),
        )
        hole = Figures(
            psnr_db=min(metrics.psnr_inside(photo, result, mask), PSNR_CAP_DB),
            ssim=metrics.ssim_inside(photo, result, mask),
            l1=metrics.l1_inside(photo, result, mask),
            distance=hole_distance,
            gradients=gradient_ratio(result, photo, mask),
            agreement=_share_right(named, case, mask),
        )
        return whole, hole

    def _add_textures(self, case: Case, name: str, result: np.ndarray, tally: Tally) -> Maps | None:
        """Add a fill's features to the tally and return them; None where they are not measured."""
        if self.features is None or case.true_maps is None:
            return None
        maps = self.features(result)
        inside, everywhere = map(Textures, textures(maps, case.mask), case.true_textures)
        tally.add_textures((case.bin, name), inside, everywhere)
        return maps

    def _drawn(self, case: Case, results: Sequence[np.ndarray]) -> Drawn | None:
        """Of one sample alone there is nothing to say."""
        if len(results) < 2:
            return None
        photo, lpips = case.photo, self.lpips
        pairs = list(itertools.combinations(results, 2))
        best = max(results, key=lambda result: metrics.psnr(photo, result))
        return Drawn(
            samples=len(results),
            psnr_db=min(metrics.psnr(photo, best), PSNR_CAP_DB),
            ssim=metrics.ssim(photo, best),
            l1=metrics.l1(photo, best),
            diversity_l1=fmean(metrics.l1_inside(a, b, case.mask) for a, b in pairs),
            diversity_lpips=None if lpips is None else fmean(lpips(a, b) for a, b in pairs),
        )


def load_ruler(
    reader: SemanticReader | None = None, *, lpips: bool = True, fid: bool = True
) -> tuple[Ruler, dict[str, str]]:
    """What to measure with, and by measure ("lpips", "inception", "features") why it is missing."""
    wanted: dict[str, tuple[bool, str, Callable[[], object]]] = {
        "lpips": (lpips, "LPIPS", load_lpips),
        "inception": (fid, "FID", load_inception),
        "features": (True, "Fréchet and distance", load_features),
    }
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name, (chosen, title, load) in wanted.items():
        if not chosen:
            missing[name] = f"{title} left out (--no-{title.lower()})"
            continue
        try:
            found[name] = load()
        except MissingDependencyError as error:
            missing[name] = f"{title} unavailable: {error}"
    return Ruler(**found, reader=reader), missing


def _share_right(named: np.ndarray | None, case: Case, mask: np.ndarray) -> float | None:
    """Of the labelled pixels in the mask; None where there are none, or nothing was named."""
    if named is None or case.labels is None:
        return None
    true = case.labels[0][mask]
    right = (named[mask] == true)[true != VOID]
    return float(right.mean()) if right.size else None
