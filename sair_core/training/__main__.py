"""Train on a flat folder of photos:

python -m sair_core.training --data PHOTOS --output runs/mine
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from sair_core.training.config import DetailTrainConfig, RunConfig, SpnTrainConfig, TrainConfig
from sair_core.training.options import newest_run, run_command, saved

SHARED = {
    "kind": "what is trained: sair, detail (a SAIR's views) or spn",
    "data": "folders of photos (repeat or list)",
    "output": "run folder: checkpoint, log, validation pictures, model",
    "preset": "model configuration: lite, paper or tiny; default: that of --from, or lite",
    "start": "model whose weights to begin with: bundled name, folder or hub id",
    "val": "folders of validation photos; default: a part of --data is held back",
    "val_share": "share of --data that is held back",
    "size_px": "side of the training squares, px",
    "final_size_px": "side in the last part of the run, px",
    "final_share": "how much of the run that last part is",
    "batch": "photos a step at --size-px, in each process",
    "accumulate": "parts that a batch is computed in, for less memory",
    "steps": "length of the run in optimiser steps",
    "minutes": "length of the run in minutes of training instead",
    "learning_rate": "highest learning rate",
    "warmup_steps": "steps until it is reached",
    "clip_norm": "largest gradient norm",
    "ema": "decay of the weights' moving average",
    "device": "auto, cpu, cuda or mps",
    "workers": "processes that prepare samples",
    "seed": "of weights, samples and validation split",
    "validate_every": "steps between validations",
    "save_every": "steps between saved states",
}
SAIR = {
    "semantics": "full, none (LIIF), unfilled (NFS) or only (OUS); default: as it is configured",
    "queries": "pixels asked for a photo at --size-px",
    "hole_share": "share of these inside the hole",
    "scale_share": "share of the steps where finer pixels than the picture's are asked for",
    "scale_max": "how much finer at most",
    "squared_weight": "weight of the squared error beside L1",
    "semantic_weight": "weight of the semantics' distance to those of the unmasked picture",
    "label_weight": "weight of their cross-entropy where pixels have classes",
    "semantic_queries": "pixels a photo asked for their meaning",
    "guide_share": "share of the steps in which the holes are filled by words",
    "schedule": "cosine or step",
    "halve_every": "share of the run after which the step schedule halves the rate",
    "weight_decay": "AdamW's weight decay",
}
DETAIL = {
    "queries": "pixels asked for a photo",
    "weight_decay": "AdamW's weight decay",
}
SPN = {
    "probabilistic": "yes or no: several fills for one hole",
    "twice_share": "share of a batch that is filled twice, to make fills differ",
    "prior_weight": "weight of the distance to the pretext model, Eq. (4)",
    "image_weight": "lambda 1, of the colours, Eq. (10)",
    "adversarial_weight": "lambda 2, Eq. (11)",
    "feature_weight": "lambda 3, Eq. (13)",
    "diverse_weight": "lambda 4, Eq. (14)",
    "kl_weight": "lambda 5, Eq. (6)",
}
KINDS = {
    "sair": (TrainConfig, {**SHARED, **SAIR}),
    "detail": (DetailTrainConfig, {**SHARED, **DETAIL}),
    "spn": (SpnTrainConfig, {**SHARED, **SPN}),
}


def main(arguments: list[str] | None = None) -> int:
    """Parse, train, say where the model is; exit code 2 for errors that the user can mend."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    kind = _kind(arguments)
    config_class, help = KINDS[kind]
    return run_command(
        arguments,
        prog="python -m sair_core.training",
        description=f"{__doc__.splitlines()[0]} These are the options of --model {kind}.",
        config_class=config_class,
        help=help,
        part="train",
        start=_train,
        done=lambda model: f"The model is in {model}. Use it with: python app.py --model {model}",
    )


def _kind(arguments: list[str] | None) -> str:
    """What is trained, or was in the run that is continued: its options are other ones."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--model", choices=KINDS)
    parser.add_argument("--output")
    parser.add_argument("--resume", nargs="?", const="latest")
    args, _ = parser.parse_known_args(arguments)
    run = args.output or (newest_run("train") if args.resume else None)
    before = saved(Path(run), "train").get("kind") if args.resume and run else None
    return args.model or before or "sair"


def _train(config: RunConfig, resume: str | None) -> Path:
    # After --help: torch takes seconds to import.
    if isinstance(config, SpnTrainConfig):
        from sair_core.training.tasks.spn import train
    elif isinstance(config, DetailTrainConfig):
        from sair_core.training.tasks.detail import train
    else:
        from sair_core.training.tasks.sair import train
    return train(config, resume=resume)


if __name__ == "__main__":
    sys.exit(main())
