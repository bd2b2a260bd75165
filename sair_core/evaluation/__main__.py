"""Compare a model with classical baselines on the same photos and masks: `python -m sair_core.evaluation`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import numpy as np
from tqdm import tqdm

from sair_core.command_line import DONE, INTERRUPTED, SOME_FAILED, Option, run_command
from sair_core.config import require, strict_dataclass
from sair_core.errors import ConfigError, MissingDependencyError, SairError
from sair_core.evaluation import report
from sair_core.evaluation.baselines import BASELINES, METHODS, OPENCV_RADIUS_PX, FillMethod, require_opencv
from sair_core.evaluation.perceptual import load_lpips
from sair_core.evaluation.runner import Plan, evaluate
from sair_core.evaluation.samples import list_samples, mask_source
from sair_core.evaluation.summary import Record, gains, summarise
from sair_core.photos.photo import load_photo
from sair_core.weights.bundled import BUNDLED_SAIR, BUNDLED_SPN


@strict_dataclass
class FillsOptions:
    """Compare a model with classical baselines, on the same photos and masks."""

    data: Annotated[Path, Option(metavar="FOLDER")]
    """folder of photos"""
    model: str = BUNDLED_SAIR
    """of the method sair: bundled name, folder or hub id"""
    spn: Annotated[str, Option(metavar="MODEL")] = BUNDLED_SPN
    """of the method spn, named like --model"""
    samples: int = 1
    """fills of each hole by a model that draws (the paper's: 5)"""
    masks: str = "irregular"
    """'irregular' (drawn) or a folder of PNG masks, white = hole"""
    seed: int = 0
    """of the drawn masks"""
    size_px: Annotated[int, Option("--size", metavar="PX")] = 256
    """side of the photos"""
    limit: int | None = None
    """only this many photos, spread evenly over the folder"""
    methods: tuple[str, ...] = ("sair", *BASELINES)
    """what fills the holes"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    workers: int = 1
    """photos at a time; above 1, s/fill is no fair timing"""
    lpips: bool = True
    """measure LPIPS, where its weights can be had"""
    save_masks: Annotated[Path | None, Option(metavar="FOLDER")] = None
    """write each mask as PNG (usable as --masks)"""
    save_pictures: Annotated[Path | None, Option(metavar="FOLDER")] = None
    """write the fills side by side, as PNG"""
    json: Annotated[Path | None, Option(metavar="FILE")] = None
    """write everything, single fills included"""

    def __post_init__(self) -> None:
        for name in ("samples", "workers"):
            require(getattr(self, name) >= 1, f"--{name} must be at least 1, got {getattr(self, name)}.")


def main(
    argv: Sequence[str] | None = None,
    methods: Mapping[str, FillMethod] | None = None,
    *,
    prog: str = "python -m sair_core.evaluation",
) -> int:
    """Run the command line and return its exit status, 1 where a method failed.

    methods: replaces or adds methods by name (used instead of loading a model or calling a baseline).
    """
    compare = functools.partial(compare_methods, given=methods or {})
    return run_command(compare, FillsOptions, argv, prog=prog)


def compare_methods(options: FillsOptions, given: Mapping[str, FillMethod]) -> int:
    """Measure, print and write what was asked for; the exit status. Raises SairError before it measures."""
    plan, lpips_note = prepare(options, given)
    records, status = run(plan, options.workers)
    if not records:
        print("Nothing was measured.", file=sys.stderr)
        return status or SOME_FAILED
    show(options, plan, records, lpips_note, complete=status == DONE)
    return status


def build_methods(options: FillsOptions, given: Mapping[str, FillMethod]) -> dict[str, FillMethod]:
    """Return the methods asked for, in that order.

    Raises what the pipeline's loading raises, and ConfigError for a method that does not exist and when none
    can give the samples asked for.
    """
    known = {**METHODS, **given}
    models = {"sair": options.model, "spn": options.spn}
    for name in options.methods:
        require(
            name in known or name in models,
            f"--methods must be some of {', '.join(dict.fromkeys([*models, *known]))}, got {name!r}.",
        )
    methods = {
        name: known[name] if name in known else ModelMethod(models[name], options.device, options.samples)
        for name in options.methods
    }
    loaded = [method for method in methods.values() if isinstance(method, ModelMethod)]
    if options.samples > 1 and not any(method.samples > 1 for method in loaded):
        raise ConfigError("--samples needs a model that draws: add --methods spn, with a probabilistic SPN.")
    return methods


class ModelMethod:
    """A pipeline as a method on arrays. device: where it runs. samples: fills of each hole; one where the
    model does not draw."""

    def __init__(self, model: str, device: str, samples: int = 1) -> None:
        from sair_core.pipeline import InpaintPipeline

        self.pipeline = InpaintPipeline.from_pretrained(model, device=device)
        self.device = str(self.pipeline.device)
        self.samples = samples if samples > 1 and self.pipeline.draws else 1

    def __call__(self, photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """photo: uint8 (H, W, 3), mask: bool (H, W), True = hole -> uint8 (H, W, 3), or of several samples
        (N, H, W, 3)."""
        opened = load_photo(photo)
        if self.samples == 1:
            return self.pipeline.fill(opened, mask, seed=0).photo.rgb
        fills = self.pipeline.variations(opened, mask, self.samples, seed=0)
        return np.stack([fill.photo.rgb for fill in fills])


def prepare(options: FillsOptions, given: Mapping[str, FillMethod]) -> tuple[Plan, str]:
    """The plan, and a line on LPIPS if it is missing (else empty). Raises SairError."""
    # First what fails at once, then what takes seconds to load.
    samples = list_samples(options.data, options.limit)
    masks = mask_source(options.masks, options.seed, options.size_px)
    require_opencv(set(options.methods) - set(given))
    methods = build_methods(options, given)
    lpips, note = None, "LPIPS left out (--no-lpips)"
    if options.lpips:
        try:
            lpips, note = load_lpips(), ""
        except MissingDependencyError as error:
            note = f"LPIPS unavailable: {error}"
    plan = Plan(
        methods=methods,
        samples=samples,
        masks=masks,
        size_px=options.size_px,
        lpips=lpips,
        mask_folder=options.save_masks,
        picture_folder=options.save_pictures,
    )
    return plan, note


def run(plan: Plan, workers: int) -> tuple[list[Record], int]:
    """The records and an exit status. An error or Ctrl+C ends it early and keeps what is done."""
    records: list[Record] = []
    progress = tqdm(total=len(plan.samples), unit="photo", disable=None)
    with closing(evaluate(plan, workers)) as photos, progress:
        try:
            for found in photos:
                records.extend(found)
                progress.update()
        except KeyboardInterrupt:
            return records, INTERRUPTED
        except SairError as error:
            print(f"error: {error}", file=sys.stderr)
            return records, SOME_FAILED
    return records, DONE


def show(
    options: FillsOptions, plan: Plan, records: Sequence[Record], lpips_note: str, complete: bool
) -> None:
    """Prints the tables and writes the JSON file if one was asked for."""
    summaries = summarise(records)
    advantage = gains(summaries, tuple(BASELINES))
    facts = report.machine_facts()
    devices = {method.device for method in plan.methods.values() if isinstance(method, ModelMethod)}
    if devices:
        facts["device"] = ", ".join(devices)
    photos = len({record.photo_index for record in records})
    times = report.seconds_per_fill(records)

    print(report.format_table(summaries, with_lpips=plan.lpips is not None))
    if any(summary.drawn for summary in summaries):
        print(report.format_drawn(summaries))
    if lpips_note:
        print(lpips_note)
    if advantage:
        print(report.format_gains(advantage))
    altered = {record.method for record in records if record.known_changed_px}
    if altered:
        names = ", ".join(sorted(altered))
        print(f"Pixels outside the hole were altered (and put back before measuring) by: {names}")
    print("seconds per fill (mean): " + ", ".join(f"{name} {value:.3f}" for name, value in times.items()))
    of, masks = f"{photos} of {len(plan.samples)}", f"{options.masks}, seed {options.seed}"
    print(f"photos: {of}, {options.size_px} px; masks: {masks}")
    print("; ".join(f"{name}: {value}" for name, value in facts.items()))
    if not complete:
        print("Stopped early: the figures cover the photos that were done.")
    if options.json:
        settings = {
            "complete": complete,
            "model": options.model if "sair" in options.methods else None,
            "spn": options.spn if "spn" in options.methods else None,
            "samples": options.samples,
            "data": str(options.data),
            "masks": options.masks,
            "seed": options.seed,
            "size_px": options.size_px,
            "limit": options.limit,
            "workers": options.workers,
            "photos": photos,
            "opencv_radius_px": OPENCV_RADIUS_PX,
            "lpips": lpips_note or "alex, v0.1",
            "seconds_per_fill": times,
        }
        content = report.as_json(settings, facts, summaries, advantage, records)
        report.write_json(options.json, content)


if __name__ == "__main__":
    sys.exit(main())
