"""What every command of the experiments is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from sair_core import __version__
from sair_core.command_line import Option
from sair_core.config import require, strict_dataclass
from sair_core.experiments.laboratory import Laboratory
from sair_core.experiments.presets import PRESETS, Preset
from sair_core.experiments.runs import check_settings
from sair_core.experiments.variants import VARIANTS


@strict_dataclass
class ExperimentOptions:
    """Options of all experiments."""

    data: Annotated[Path, Option(metavar="FOLDER")]
    """the set's folder, as it was downloaded"""
    preset: Literal["small", "celebahq", "ade20k", "places2"] = "small"
    """how large everything is"""
    output: Annotated[Path | None, Option(metavar="FOLDER")] = None
    """trainings, measurements, results.md, tables (CSV) and figures (PNG); default: a folder in runs/"""
    seeds: Annotated[tuple[int, ...], Option(metavar="N")] = (0,)
    """every training once for each; of several, tables have means and standard deviations"""
    masks: str = "irregular"
    """what is measured with: 'irregular' (drawn) or a folder of PNG masks, white = hole"""
    bin_percent: int = 20
    """width of the bins of hole shares: 20, or 10 as in the SPN paper"""
    steps: int | None = None
    """length of every training instead of the preset's"""
    batch: int | None = None
    """photos a step instead of the preset's"""
    size_px: Annotated[int | None, Option("--size", metavar="PX")] = None
    """side of the photos, in training and measurement, instead of the preset's"""
    limit: int | None = None
    """measure only this many photos, spread evenly over the set's"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""

    def __post_init__(self) -> None:
        require(bool(self.seeds), "--seeds must name one at least.")
        for name in ("steps", "batch", "limit"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"--{name} must be at least 1, got {value}.")

    def make_laboratory(
        self, kind: str, external: tuple[str, ...] = (), labelled: bool = False
    ) -> Laboratory:
        """Return where these experiments take place; its folder remembers what results depend on.

        kind: begins the name of the default folder. labelled: measure photos with labels where there are any.
        Raises ConfigError for a folder of other experiments,
        DataError for what is wrong with photos or masks.
        """
        preset = self._change(PRESETS[self.preset])
        if labelled and preset.labelled is not None:
            preset = dataclasses.replace(preset, test=preset.labelled)
        laboratory = Laboratory(
            preset,
            self.data,
            self.output or Path("runs") / f"{kind}-{self.preset}",
            self.seeds,
            self.masks,
            self.bin_percent,
            external,
            self.device,
            balanced=labelled,
        )
        settings = {
            "version": __version__,
            "preset": dataclasses.asdict(laboratory.preset),
            "variants": {name: dataclasses.asdict(variant) for name, variant in VARIANTS.items()},
            "data": str(self.data),
            "masks": self.masks,
            "bin_percent": self.bin_percent,
        }
        check_settings(laboratory.output, settings)
        laboratory.check()
        return laboratory

    def _change(self, preset: Preset) -> Preset:
        """Return a preset with what was asked for instead."""
        changes: dict[str, Any] = {}
        if self.steps is not None:
            quarter = -(-self.steps // 4)
            changes |= {"steps": self.steps, "validate_every": self.steps, "save_every": quarter}
        if self.batch is not None:
            changes["batch"] = self.batch
        if self.size_px is not None:
            changes |= {"size_px": self.size_px, "final_size_px": self.size_px}
        return dataclasses.replace(
            preset,
            size_px=self.size_px or preset.size_px,
            limit=self.limit or preset.limit,
            sair={**preset.sair, **changes},
            spn={**preset.spn, **changes},
            own={name: _leave_out(fields, changes) for name, fields in preset.own.items()},
        )


def _leave_out(fields: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
