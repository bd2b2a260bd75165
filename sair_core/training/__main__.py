"""Train on a flat folder of photos:

python -m sair_core.training --data PHOTOS --output runs/mine
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from sair_core.training.config import TrainConfig
from sair_core.training.options import run_command

HELP = {
    "data": "folders of photos (repeat or list)",
    "output": "run folder: checkpoint, log, validation pictures, model",
    "preset": "model configuration: lite or paper",
    "semantics": "full, none (LIIF), unfilled (NFS) or only (OUS); default: the preset's",
    "start": "model whose weights to begin with: bundled name, folder or hub id; its keys may differ",
    "val": "folders of validation photos; default: a part of --data is held back",
    "val_share": "share of --data that is held back",
    "size_px": "side of the training squares, px",
    "final_size_px": "side in the last part of the run, px",
    "final_share": "how much of the run that last part is",
    "batch": "photos a step at --size-px",
    "queries": "pixels asked for a photo at --size-px",
    "hole_share": "share of these inside the hole",
    "scale_share": "share of the steps where finer pixels than the picture's are asked for",
    "scale_max": "how much finer at most",
    "squared_weight": "weight of the squared error beside L1",
    "semantic_weight": "weight of the semantics' distance to those of the unmasked picture",
    "label_weight": "weight of their cross-entropy where pixels have classes",
    "semantic_queries": "pixels a photo asked for their meaning",
    "guide_share": "share of the steps in which the holes are filled by words",
    "steps": "length of the run in optimiser steps",
    "minutes": "length of the run in minutes of training instead",
    "learning_rate": "highest learning rate",
    "schedule": "cosine or step",
    "halve_every": "share of the run after which the step schedule halves the rate",
    "warmup_steps": "steps until the highest rate is reached",
    "weight_decay": "AdamW's weight decay",
    "clip_norm": "largest gradient norm",
    "ema": "decay of the weights' moving average",
    "device": "auto, cpu, cuda or mps",
    "workers": "processes that prepare samples",
    "seed": "of weights, samples and validation split",
    "validate_every": "steps between validations",
    "save_every": "steps between saved states",
}


def main(arguments: list[str] | None = None) -> int:
    """Parse, train, say where the model is; exit code 2 for errors that the user can mend."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    return run_command(
        arguments,
        prog="python -m sair_core.training",
        description=__doc__.splitlines()[0],
        config_class=TrainConfig,
        help=HELP,
        part="train",
        start=_train,
        done=lambda model: f"The model is in {model}. Use it with: python app.py --model {model}",
    )


def _train(config: TrainConfig, resume: bool) -> Path:
    from sair_core.training.fill import train  # after --help: torch takes seconds to import

    return train(config, resume=resume)


if __name__ == "__main__":
    sys.exit(main())
