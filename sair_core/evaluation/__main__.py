"""`python -m sair_core.evaluation`: a model next to classical baselines, on the same photos and masks."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sair_core.errors import ConfigError, MissingDependencyError, SairError
from sair_core.evaluation import report
from sair_core.evaluation.baselines import BASELINES, METHODS, OPENCV_RADIUS_PX, FillMethod, require_opencv
from sair_core.evaluation.perceptual import load_lpips
from sair_core.evaluation.runner import Plan, evaluate
from sair_core.evaluation.samples import list_samples, mask_source
from sair_core.evaluation.summary import Record, gains, summarise
from sair_core.photos.photo import load_photo
from sair_core.weights.bundled import BUNDLED_SAIR, BUNDLED_SPN

# Method -> the model it loads unless told otherwise.
MODEL_METHODS = {"sair": BUNDLED_SAIR, "spn": BUNDLED_SPN}
DEFAULT_METHODS = ("sair", *BASELINES)


def main(argv: Sequence[str] | None = None, methods: Mapping[str, FillMethod] | None = None) -> int:
    """Runs the command line and returns its exit status: 0, 1 after an error, 130 after Ctrl+C.

    `methods` replaces or adds methods by name (used instead of loading a model or calling a baseline).
    """
    args = parse_arguments(argv, choices=(*MODEL_METHODS, *METHODS, *(methods or ())))
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        plan, lpips_note = prepare(args, methods or {})
    except SairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    records, status = run(plan, args.workers)
    if not records:
        print("Nothing was measured.", file=sys.stderr)
        return status or 1
    show(args, plan, records, lpips_note, complete=status == 0)
    return status


def parse_arguments(argv: Sequence[str] | None, choices: Sequence[str]) -> argparse.Namespace:
    """The command line; wrong ones end the process with status 2, as argparse does."""
    parser = argparse.ArgumentParser(prog="python -m sair_core.evaluation", description=__doc__)
    add = parser.add_argument
    for name, model in MODEL_METHODS.items():
        option = "--model" if name == "sair" else f"--{name}"
        add(option, default=model, metavar="MODEL",
            help=f"of the method {name}: bundled name, folder or hub id (default: %(default)s)")  # fmt: skip
    add("--samples", type=int, default=1, help="fills of each hole by a model that draws (the paper's: 5)")
    add("--data", required=True, type=Path, help="folder of photos")
    add("--masks", default="irregular", help="'irregular' (drawn) or a folder of PNG masks, white = hole")
    add("--seed", type=int, default=0, help="of the drawn masks (default: %(default)s)")
    add("--size", type=int, default=256, help="side of the photos in px (default: %(default)s)")
    add("--limit", type=int, help="only this many photos, spread evenly over the folder")
    add("--methods", nargs="+", choices=tuple(dict.fromkeys(choices)), default=list(DEFAULT_METHODS))
    add("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")
    add("--workers", type=int, default=1, help="photos at a time; above 1, s/fill is no fair timing")
    add("--no-lpips", action="store_true", help="leave LPIPS out")
    add("--save-masks", type=Path, metavar="DIR", help="write each mask as PNG (usable as --masks)")
    add("--save-pictures", type=Path, metavar="DIR", help="write the fills side by side, as PNG")
    add("--json", type=Path, metavar="FILE", help="write everything, single fills included")
    return parser.parse_args(argv)


def build_methods(args: argparse.Namespace, given: Mapping[str, FillMethod]) -> dict[str, FillMethod]:
    """The methods asked for, in that order. Raises what the pipeline's loading raises, and ConfigError when
    none of them can give the samples asked for."""
    known = {**METHODS, **given}
    models = {"sair": args.model, "spn": args.spn}
    methods = {
        name: known[name] if name in known else ModelMethod(models[name], args.device, args.samples)
        for name in args.methods
    }
    loaded = [method for method in methods.values() if isinstance(method, ModelMethod)]
    if args.samples > 1 and not any(method.samples > 1 for method in loaded):
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
        fills = self.pipeline.fill(opened, mask, seed=0, variations=self.samples)
        return np.stack([fill.photo.rgb for fill in fills])


def prepare(args: argparse.Namespace, given: Mapping[str, FillMethod]) -> tuple[Plan, str]:
    """The plan, and a line on LPIPS if it is missing (else empty). Raises SairError."""
    if args.workers < 1:
        raise ConfigError(f"--workers must be at least 1, got {args.workers}.")
    if args.samples < 1:
        raise ConfigError(f"--samples must be at least 1, got {args.samples}.")
    # First what fails at once, then what takes seconds to load.
    samples = list_samples(args.data, args.limit)
    masks = mask_source(args.masks, args.seed, args.size)
    require_opencv(set(args.methods) - set(given))
    methods = build_methods(args, given)
    lpips, note = None, "LPIPS left out (--no-lpips)"
    if not args.no_lpips:
        try:
            lpips, note = load_lpips(), ""
        except MissingDependencyError as error:
            note = f"LPIPS unavailable: {error}"
    plan = Plan(
        methods=methods,
        samples=samples,
        masks=masks,
        size_px=args.size,
        lpips=lpips,
        mask_folder=args.save_masks,
        picture_folder=args.save_pictures,
    )
    return plan, note


def run(plan: Plan, workers: int) -> tuple[list[Record], int]:
    """The records and an exit status. An error or Ctrl+C ends it early and keeps what is done."""
    records: list[Record] = []
    with closing(evaluate(plan, workers)) as photos, tqdm(total=len(plan.samples), unit="photo") as progress:
        try:
            for found in photos:
                records.extend(found)
                progress.update()
        except KeyboardInterrupt:
            return records, 130
        except SairError as error:
            print(f"error: {error}", file=sys.stderr)
            return records, 1
    return records, 0


def show(
    args: argparse.Namespace, plan: Plan, records: Sequence[Record], lpips_note: str, complete: bool
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
    print(f"photos: {photos} of {len(plan.samples)}, {args.size} px; masks: {args.masks}, seed {args.seed}")
    print("; ".join(f"{name}: {value}" for name, value in facts.items()))
    if not complete:
        print("Stopped early: the figures cover the photos that were done.")
    if args.json:
        settings = {
            "complete": complete,
            "model": args.model if "sair" in args.methods else None,
            "spn": args.spn if "spn" in args.methods else None,
            "samples": args.samples,
            "data": str(args.data),
            "masks": args.masks,
            "seed": args.seed,
            "size_px": args.size,
            "limit": args.limit,
            "workers": args.workers,
            "photos": photos,
            "opencv_radius_px": OPENCV_RADIUS_PX,
            "lpips": lpips_note or "alex, v0.1",
            "seconds_per_fill": times,
        }
        content = report.as_json(settings, facts, summaries, advantage, records)
        report.write_json(args.json, content)


if __name__ == "__main__":
    sys.exit(main())
