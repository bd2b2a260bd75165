"""Train on a flat folder of photos:

python -m sair_core.training --data PHOTOS --output runs/mine
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from pathlib import Path

from sair_core.config import from_dict
from sair_core.errors import SairError
from sair_core.training.config import TrainConfig

HELP = {
    "data": "folders of photos (repeat or list)",
    "output": "run folder: checkpoint, log, validation pictures, model",
    "preset": "model configuration: lite or paper",
    "semantics": "full or none (LIIF); default: the preset's",
    "val": "folders of validation photos; default: a part of --data is held back",
    "val_share": "share of --data that is held back",
    "size_px": "side of the training squares, px",
    "final_size_px": "side in the last part of the run, px",
    "final_share": "how much of the run that last part is",
    "batch": "photos a step at --size-px",
    "queries": "pixels asked for a photo at --size-px",
    "hole_share": "share of these inside the hole",
    "scale_share": "share of samples whose target is finer than their input",
    "scale_max": "how much finer at most",
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
    parser = argparse.ArgumentParser("python -m sair_core.training", description=__doc__.splitlines()[0])
    defaults = {f.name: f.default for f in dataclasses.fields(TrainConfig)}
    for name, text in HELP.items():
        flag = "--" + name.replace("_", "-")
        if name in ("data", "val"):
            parser.add_argument(flag, nargs="+", action="extend", metavar="FOLDER", help=text)
            continue
        default = defaults[name]
        kind = float if name == "minutes" else type(default) if isinstance(default, (int, float)) else str
        stated = default is not dataclasses.MISSING and default is not None
        # No argparse defaults: what is not typed comes from the run being resumed, or from TrainConfig.
        parser.add_argument(flag, type=kind, help=f"{text} (default: {default})" if stated else text)
    parser.add_argument(
        "--no-bf16", action="store_true", help="compute in float32 even where bfloat16 is faster"
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --output; its configuration is kept"
    )
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)

    from sair_core.training.loop import train  # after --help: torch takes seconds to import

    given = {
        k: tuple(v) if isinstance(v, list) else v
        for k, v in vars(args).items()
        if k in HELP and v is not None
    }
    if args.no_bf16:
        given["bf16"] = False
    if not args.output or not (args.data or args.resume):
        parser.error("--output is needed, and --data unless --resume is given")
    try:
        if args.resume:
            given = {**_saved(Path(args.output)), **given}
        model = train(from_dict(TrainConfig, given), resume=args.resume)
    except SairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"The model is in {model}. Use it with: python app.py --model {model}")
    return 0


def _saved(folder: Path) -> dict:
    path = folder / "train.json"
    return json.loads(path.read_text(encoding="utf-8"))["train"] if path.exists() else {}


if __name__ == "__main__":
    sys.exit(main())
