"""The paper's ablations, each variant trained alike: same data, steps and seeds, then measured alike.

python benchmarks/ablation.py --data PHOTOS --val PHOTOS --output runs/ablation --steps 1000 --seeds 0 1 2

Variants: full, none (LIIF), unfilled (NFS), only (OUS), and full with another SIR: sir-paper, sir-context,
sir-edges. A run that is complete is not repeated, so the command continues where it was stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from sair_core.errors import ConfigError, SairError  # noqa: E402
from sair_core.evaluation.report import align, machine_facts, write_json  # noqa: E402

SIR = {
    "sir-paper": {"context_blocks": 0},
    "sir-context": {},
    "sir-edges": {"edge_aware": True},
}
# An encoder that sees 10 px around (EDSR with 16 blocks, LIIF's: 34); the preset's sees the whole photo.
LOCAL = {"name": "edsr", "arguments": {"out_channels": 32, "blocks": 4}}
LOCAL_VARIANTS = {"local-none": "none", "local-full": "full"}
VARIANTS = ("none", "full", "unfilled", "only", *SIR, *LOCAL_VARIANTS)
MEASURED = "measured.json"
FIGURES = ("psnr_db", "ssim", "l1")


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing, measure, print the table; return 2 for errors that the user can mend."""
    args = _arguments(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    results: dict[str, list[dict[str, dict[str, float]]]] = {}
    try:
        for variant in args.variants:
            for seed in args.seeds:
                folder = args.output / f"{variant}-{seed}"
                _train(args, variant, seed, folder)
                results.setdefault(variant, []).append(_measure(args, folder))
    except SairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(_table(results))
    facts = {**machine_facts(), "steps": args.steps, "seeds": args.seeds, "size": args.size}
    print("; ".join(f"{name}: {value}" for name, value in facts.items()))
    if args.json:
        write_json(args.json, {"machine": facts, "figures": results})
    return 0


def _train(args: argparse.Namespace, variant: str, seed: int, folder: Path) -> None:
    from sair_core.models import presets
    from sair_core.models.parts import Part
    from sair_core.training.config import TrainConfig
    from sair_core.training.loop import train
    from sair_core.training.state import STATE_NAME

    base = presets.PRESETS[args.preset]
    semantics = "full" if variant in SIR else LOCAL_VARIANTS.get(variant, variant)
    if variant in SIR:
        base = dataclasses.replace(base, sir=dataclasses.replace(base.sir, **SIR[variant]))
    if variant in LOCAL_VARIANTS:
        base = dataclasses.replace(base, appearance=Part(**LOCAL))
    name = f"{args.preset}/{variant}"
    presets.PRESETS[name] = base
    config = TrainConfig(
        data=tuple(args.data),
        output=str(folder),
        preset=name,
        semantics=semantics,
        size_px=args.size,
        final_size_px=args.size,
        batch=args.batch,
        steps=args.steps,
        learning_rate=1e-3,
        squared_weight=args.squared_weight,
        seed=seed,
        validate_every=args.steps,
        save_every=min(250, args.steps),
        device=args.device,
    )
    if _read_figures(args, folder) is None:
        train(config, resume="latest" if (folder / STATE_NAME).exists() else None)


def _measure(args: argparse.Namespace, folder: Path) -> dict[str, dict[str, float]]:
    """Return mean figures by hole share, from the run's folder where they are there already."""
    from sair_core.evaluation.holes import IrregularHoles
    from sair_core.evaluation.methods import MODEL_ROWS, ModelMethod
    from sair_core.evaluation.runner import Benchmark, evaluate
    from sair_core.evaluation.samples import list_samples
    from sair_core.evaluation.summary import Tally, summarise

    figures = _read_figures(args, folder)
    if figures is None:
        benchmark = Benchmark(
            methods={"sair": ModelMethod(str(folder / "model"), MODEL_ROWS["sair"], args.device)},
            samples=list_samples(args.val, args.limit),
            holes=IrregularHoles(0),
            size_px=args.size,
        )
        tally = Tally()
        for found in evaluate(benchmark):
            tally.add(found)
        figures = {one.bin: {name: getattr(one.whole, name) for name in FIGURES} for one in summarise(tally)}
        content = {"settings": _settings(args), "figures": figures}
        write_json(folder / MEASURED, content)
    return figures


def _read_figures(args: argparse.Namespace, folder: Path) -> dict[str, dict[str, float]] | None:
    """Return what was measured before, if anything. Raises ConfigError for a run with other settings."""
    if not (folder / MEASURED).exists():
        return None
    content = json.loads((folder / MEASURED).read_text("utf-8"))
    if content["settings"] != _settings(args):
        raise ConfigError(f"{folder} holds a run with other settings. Give another --output.")
    return content["figures"]


def _settings(args: argparse.Namespace) -> dict[str, object]:
    """Return all that a figure depends on but the variant and the seed."""
    names = ("preset", "steps", "size", "batch", "squared_weight", "limit")
    return {name: getattr(args, name) for name in names}


def _table(results: dict[str, list[dict[str, dict[str, float]]]]) -> str:
    """Return mean and spread (standard deviation over seeds) of every figure, a row a variant."""
    bins = list(next(iter(results.values()))[0])
    rows = [("variant", *(f"{b}: PSNR, SSIM, L1" for b in bins))]
    for variant, runs in results.items():
        cells = []
        for b in bins:
            shown = []
            for name, digits in zip(FIGURES, (2, 4, 4)):
                values = [run[b][name] for run in runs]
                spread = statistics.stdev(values) if len(values) > 1 else 0.0
                shown.append(f"{statistics.mean(values):.{digits}f} ±{spread:.{digits}f}")
            cells.append(", ".join(shown))
        rows.append((variant, *cells))
    return align(rows)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", nargs="+", required=True, metavar="FOLDER", help="photos to train on")
    add("--val", required=True, type=Path, metavar="FOLDER", help="photos to measure with")
    add("--output", required=True, type=Path, help="folder of the runs")
    add("--variants", nargs="+", choices=VARIANTS, default=["none", "full"])
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--preset", default="lite", help="default: %(default)s")
    add("--steps", type=int, default=1000, help="of each run (default: %(default)s)")
    add("--size", type=int, default=96, help="side of the photos in px (default: %(default)s)")
    add("--batch", type=int, default=16, help="photos a step (default: %(default)s)")
    add("--squared-weight", type=float, default=6.0, help="default: %(default)s")
    add("--limit", type=int, default=100, help="photos to measure with (default: %(default)s)")
    add("--device", default="auto")
    add("--json", type=Path, metavar="FILE", help="write the figures to a file too")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
