"""How the papers train what they describe: defaults that a preset brings to the command line.

What is typed goes before them. From Python:
`TrainConfig(data=..., output=..., preset="paper", **find_recipe("sair", "paper"))`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# SAIR paper, section 4: L1 on colour, Adam, 1e-4 halved every 100 of 200 epochs, batches of 16. It names no
# number of queried pixels; 2304 a photo are LIIF's, drawn evenly: in the mean L1 of the whole picture.
SAIR: dict[str, Any] = {
    "size_px": 256,
    "final_size_px": 256,
    "batch": 16,
    "epochs": 200.0,
    "learning_rate": 1e-4,
    "schedule": "step",
    "halve_every": 0.5,
    "warmup_steps": 0,
    "betas": (0.9, 0.999),
    "weight_decay": 0.0,  # AdamW without decay is Adam
    "clip_norm": 0.0,
    "ema": 0.0,
    "queries": 2304,
    "hole_share": "even",
    "squared_weight": 0.0,
    "semantic_weight": 0.0,
    "label_weight": 0.0,
    "perceptual_weight": 0.0,  # of a start from another model, too
    "guide_share": 0.0,
}
# SPN paper, 3.3: Adam and its rate are defaults of every SPN. It names neither the length of a training nor
# the batch.
SPN: dict[str, Any] = {
    "size_px": 256,
    "final_size_px": 256,
    "adversary": "patch",
    "object_share": 0.0,
    "pale_share": 0.0,
    "twice_share": 1.0,
    "diverse_weight": 1.0,
    "kl_weight": 0.05,
    "epsilon": 1e-5,
    "clip_norm": 0.0,
    "ema": 0.0,
}
RECIPES: dict[str, Mapping[str, Mapping[str, Any]]] = {
    "sair": dict.fromkeys(("paper", "liif", "edsr", "sem-edsr", "lte", "sem-lte", "nfs", "ous", "sam"), SAIR),
    "spn": dict.fromkeys(("paper", "spl"), SPN),
}
LENGTHS = ("minutes", "epochs", "steps")  # how long a run is; the first that is given


def find_recipe(kind: str, preset: str | None) -> dict[str, Any]:
    """Return the fields of a training's configuration that a preset brings; empty for one of no paper.

    kind: what is trained, as `RunConfig.kind`.
    """
    return dict(RECIPES.get(kind, {}).get(preset or "", {}))
