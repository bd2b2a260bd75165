"""Train the text-aligned encoder: words from a sentence encoder, then photos with labels.

python -m sair_core.training.align --labelled LABELLED --named PHOTOS --output runs/sair-clip
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from sair_core.training.align.config import AlignConfig
from sair_core.training.options import run_command

HELP = {
    "labelled": "folders of photos with label maps (NAME.jpg, NAME.png) and classes.json",
    "output": "run folder: model, log, validation pictures",
    "named": "folders of photos whose file names say what they show",
    "start": "open_clip folder whose weights to begin with; its words are kept",
    "trunk": "timm network of the image tower; it must pool by averaging",
    "text_steps": "steps in which the text tower learns words",
    "text_batch": "phrases in such a step",
    "text_learning_rate": "its highest learning rate",
    "steps": "steps in which the image tower learns",
    "minutes": "length of that part in minutes instead",
    "batch": "labelled crops a step",
    "named_batch": "crops of named photos a step",
    "size_px": "side of the crops, px of the enlarged photo",
    "enlarge": "smallest and largest enlargement of the photo",
    "distractors": "words a step that no pixel may be nearer to than to its own",
    "named_weight": "weight of the named photos in the loss",
    "learning_rate": "highest learning rate",
    "warmup_steps": "steps until it is reached",
    "weight_decay": "AdamW's weight decay",
    "clip_norm": "largest gradient norm",
    "ema": "decay of the weights' moving average",
    "val_share": "share of the labelled photos that is held back",
    "device": "auto, cpu, cuda or mps",
    "workers": "processes that prepare samples",
    "seed": "of weights, samples and validation split",
    "validate_every": "steps between validations",
    "save_every": "steps between saved states",
}


def main(arguments: list[str] | None = None) -> int:
    """Parse, train, say where the encoder is; exit code 2 for errors that the user can mend."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    return run_command(
        arguments,
        prog="python -m sair_core.training.align",
        description=__doc__.splitlines()[0],
        config_class=AlignConfig,
        help=HELP,
        part="align",
        start=_align,
        done=lambda model: f"The encoder is in {model}.",
    )


def _align(config: AlignConfig, resume: str | None) -> Path:
    from sair_core.training.align.task import align  # after --help: torch takes seconds to import

    return align(config, resume=resume)


if __name__ == "__main__":
    sys.exit(main())
