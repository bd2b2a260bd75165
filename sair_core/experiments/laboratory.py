"""Where experiments take place: photos, holes and measures that are the same for all, a folder of results."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from sair_core.devices import pick_device
from sair_core.errors import MissingDependencyError, ModelNotFoundError
from sair_core.evaluation.holes import HoleSource, hole_source
from sair_core.evaluation.manifest import Manifest, make_manifest
from sair_core.evaluation.measure import Ruler, digest_hole, load_ruler, name_hole
from sair_core.evaluation.methods import MODEL_ROWS, Method, ModelMethod, RestoreMethod, build_methods
from sair_core.evaluation.runner import Benchmark
from sair_core.evaluation.samples import Sample, list_samples
from sair_core.experiments.commands import format_training
from sair_core.experiments.pictures import Shown
from sair_core.experiments.presets import Preset
from sair_core.experiments.runs import Measured, measure_fills, measure_once, read_measured, train_once
from sair_core.experiments.tables import Row
from sair_core.experiments.variants import VARIANTS, Variant, find_variant
from sair_core.photos.degrade import parse_degradation
from sair_core.photos.folders import spread, spread_groups
from sair_core.photos.masks import share_bins
from sair_core.training.config import RunConfig
from sair_core.weights.checkpoint import CheckpointModel

log = logging.getLogger(__name__)

SAMPLES = 5  # fills of each hole by a model that draws, as in the SPN paper
MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True, eq=False)
class Laboratory:
    """All that experiments of one run have in common.

    output: gets `runs/` (trainings), `measured/` and `manifest.json`. seeds: of the trainings, each is done
    once for every seed. masks, bin_percent: as the evaluation takes them. external: methods of others,
    "NAME=SOURCE". balanced: as many photos of each group as there are (`group_of`), so that no group, such as
    the frames of one film, outweighs all others.
    """

    preset: Preset
    data: Path
    output: Path
    seeds: tuple[int, ...] = (0,)
    masks: str = "irregular"
    bin_percent: int = 20
    external: tuple[str, ...] = ()
    device: str = "auto"
    balanced: bool = False
    commands: dict[str, str] = field(default_factory=dict)

    @cached_property
    def test(self) -> Path:
        """The folder of the photos that are measured."""
        return self.data / self.preset.test

    @cached_property
    def holes(self) -> HoleSource:
        return hole_source(self.masks, 0, self.preset.size_px, share_bins(self.bin_percent))

    @cached_property
    def manifest(self) -> Manifest:
        """What repeats the measurement: made and written by the first one, from then on read and checked."""
        path = self.output / MANIFEST_NAME
        if path.is_file():
            return Manifest.read(path)
        size_px, limit = self.preset.size_px, self.preset.limit
        samples = list_samples(self.test, None if self.balanced else limit)
        if self.balanced and limit is not None:
            samples = spread_groups(samples, limit, lambda sample: group_of(sample.path))
        digests = {}
        for sample in samples:
            for bin_name, mask in self.holes(sample, (size_px, size_px)):
                digests[name_hole(sample, bin_name)] = digest_hole(mask)
        manifest = make_manifest(
            self.test,
            samples,
            self.holes,
            masks=self.masks,
            seed=0,
            size_px=size_px,
            bin_percent=self.bin_percent,
            hole_digests=digests,
        )
        manifest.write(path)
        return manifest

    @cached_property
    def samples(self) -> list[Sample]:
        return self.manifest.find_photos(self.test)

    @cached_property
    def measures(self) -> tuple[Ruler, dict[str, str]]:
        """What fills are measured with, and why a measure is missing."""
        return load_ruler()

    @cached_property
    def others(self) -> Mapping[str, Method]:
        """Methods of others by name. Raises ConfigError."""
        return build_methods((), {}, external=self.external)

    def check(self) -> None:
        """Raise ConfigError or DataError for what is wrong with methods of others, photos or masks."""
        others = f", {len(self.others)} methods of others" if self.others else ""
        log.warning("%d photos to measure%s", len(self.samples), others)

    def configure(self, variant: Variant, seed: int, folder: Path) -> tuple[dict[str, Any], RunConfig]:
        """Return the fields of a training that are not its recipe's, and its configuration."""
        shared = self.preset.sair if variant.kind == "sair" else self.preset.spn
        run = {
            "data": self.preset.folders(self.data),
            "output": str(folder),
            "seed": seed,
            "device": self.device,
        }
        return {**shared, **variant.fields, **run}, variant.configure(shared, **run)

    def train(self, name: str, seed: int, variant: Variant | None = None) -> Path:
        """Return the folder of a variant's model, which is trained where it is missing.

        Raises ModelNotFoundError or MissingDependencyError where something that it needs cannot be had.
        """
        config = self._list_training(name, seed, variant or self._find_variant(name))
        log.warning("%s-%d", name, seed)
        return train_once(config)

    def load_method(self, name: str, seed: int, samples: int = 1) -> ModelMethod:
        """Return what a variant's model alone makes of a hole: no seam removal, no texture.

        One that was trained on degraded photos makes the whole photo. samples: of a model that draws. Raises
        as `train`, and what loading raises.
        """
        variant, model = self._find_variant(name), str(self.train(name, seed))
        if "degrade" in variant.fields:
            return RestoreMethod(model, MODEL_ROWS["sair-restore"], self.device)
        return ModelMethod(model, MODEL_ROWS[f"{variant.kind}-raw"], self.device, samples)

    def measure(self, name: str) -> Row:
        """Return a variant, or a method of the evaluation or of others, as a row: measured, or why not.

        name: with a degradation behind it, of photos that meet that first.
        """
        if name in self.others:
            return Row(name, (self._measure_once(name, self.others[name]),))
        base, _, degradation = name.partition(" ")
        if base not in VARIANTS:
            return Row(name, (self._measure_once(base, build_methods([base], {})[base], degradation),))
        title = name if degradation else VARIANTS[name].title
        try:
            return Row(title, tuple(self._measure_variant(base, seed, degradation) for seed in self.seeds))
        except (ModelNotFoundError, MissingDependencyError) as error:
            return Row(title, reason=str(error))

    def show(self, count: int) -> list[Shown]:
        """Return some of the photos that are measured, spread evenly, with a hole each, the bins in turn."""
        shown, size_px = [], self.preset.size_px
        for i, place in enumerate(spread(len(self.samples), count)):
            sample = self.samples[place]
            holes = list(self.holes(sample, (size_px, size_px)))
            shown.append(Shown(sample.load(size_px), holes[i % len(holes)].mask, group_of(sample.path)))
        return shown

    def measured_path(self, name: str, degradation: str = "") -> Path:
        """Return the file of what is measured of a method, or of a run, on photos that meet a degradation."""
        stem = f"{name} {degradation}".strip().replace(":", "-")  # no file's name has one everywhere
        return self.output / "measured" / f"{stem}.json"

    @cached_property
    def torch_device(self) -> torch.device:
        """The device itself. Raises DeviceError."""
        return pick_device(self.device)

    def _find_variant(self, name: str) -> Variant:
        """Return a variant with what is its own in this preset. Raises ConfigError."""
        variant = find_variant(name)
        return replace(variant, fields={**variant.fields, **self.preset.own.get(name, {})})

    def _list_training(self, name: str, seed: int, variant: Variant) -> RunConfig:
        """Return the configuration of a training, whose command is listed from now on."""
        folder = self.output / "runs" / f"{name}-{seed}"
        fields, config = self.configure(variant, seed, folder)
        self.commands[folder.name] = format_training(variant.kind, fields)
        return config

    def _measure_variant(self, name: str, seed: int, degradation: str) -> Measured:
        path = self.measured_path(f"{name}-{seed}", degradation)
        if path.is_file():
            self._list_training(name, seed, self._find_variant(name))
            return read_measured(path)
        method = self.load_method(name, seed, SAMPLES)
        model = method.pipeline.model
        assert isinstance(model, CheckpointModel)
        parameters = sum(value.numel() for value in model.own_state().values())
        return self._measure_once(f"{name}-{seed}", method, degradation, parameters)

    def _measure_once(
        self, name: str, method: Method, degradation: str = "", parameters: int | None = None
    ) -> Measured:
        ruler, _ = self.measures
        digests, size_px = self.manifest.hole_digests, self.preset.size_px
        benchmark = Benchmark(
            {name: method},
            self.samples,
            self.holes,
            size_px,
            ruler,
            degradations=[parse_degradation(degradation) if degradation else None],
            hole_digests=digests,
        )
        path = self.measured_path(name, degradation)
        return measure_once(path, lambda: measure_fills(benchmark), parameters)


def group_of(photo: Path) -> str:
    """Return what kind of photo it is: its folder where photos are sorted, else the beginning of its name."""
    prefix, separator, _ = photo.name.partition("_")
    return prefix if separator and not prefix.startswith("Places365") else photo.parent.name
