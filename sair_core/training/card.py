"""The model card of a run: Markdown with metadata, as the Hugging Face hub shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

from sair_core.errors import CheckpointError, DataError
from sair_core.training.curves import OTHERS, read_log
from sair_core.training.monitor import CURVES_NAME, format_duration
from sair_core.training.state import MODEL
from sair_core.training.task import score
from sair_core.weights.checkpoint import read_config
from sair_core.weights.network import is_repo


@dataclass(frozen=True)
class Purpose:
    """What a kind of model is for, as its card says it.

    sentence: goes on with "of SAIR Studio"; example: with `{repo}` for the model's name.
    """

    sentence: str
    pipeline_tag: str
    tags: tuple[str, ...]
    language: str
    example: str


_FILL = """from sair_core import InpaintPipeline

InpaintPipeline.from_pretrained("{repo}").fill("photo.jpg", "mask.png").image.save("filled.png")"""
_SELECT = "sair evaluate selection --data PHOTOS --model {repo}"
# By `model_type`.
PURPOSES = {
    "sair": Purpose(
        "Fills holes in photos. A SAIR",
        "image-to-image",
        ("image-inpainting", "implicit-neural-representation", "sair"),
        "python",
        _FILL,
    ),
    "spn": Purpose(
        "Fills holes in photos, each in several ways. An SPN",
        "image-to-image",
        ("image-inpainting", "generative-adversarial-network", "spn"),
        "python",
        _FILL,
    ),
    "selection": Purpose(
        "Selects the object under points. A selection network",
        "image-segmentation",
        ("interactive-segmentation", "sair"),
        "bash",
        _SELECT,
    ),
}


def model_card(run: Path, repo: str) -> str:
    """Return the card of a run's model: photos and configuration of the training, and its figures.

    repo: name of the model on the hub, `user/name`. Raises DataError when the folder holds no run.
    """
    facts = public_facts(run)
    try:
        kind, _ = read_config(run / MODEL)
    except CheckpointError as error:
        raise DataError(
            f"{run} holds no trained model ({error}). Give the --output folder of a training."
        ) from error
    config = facts["train"]
    rows = read_log(run)
    steps, seconds = int(max(row["step"] for row in rows)), max(row["seconds"] for row in rows)
    data = ", ".join(f"`{folder}`" for folder in config["data"])
    length = f"{steps} steps in {format_duration(seconds)}"
    network = facts.get("perceptual")
    perceptual = f" Perceptual losses with the maps of {network}." if network else ""
    purpose = PURPOSES[kind]
    return f"""---
{_metadata(purpose)}
---

# {repo.split("/")[-1]}

{purpose.sentence} of SAIR Studio, {_describe_start(config)}.

```{purpose.language}
{purpose.example.format(repo=repo)}
```

## Training

- Photos: {data}. The weights are bound to their terms.
- {length}, squares of {config["size_px"]}, then {config["final_size_px"]} px.
- The whole configuration is in `train.json`.{perceptual}

![Loss and validation over the steps]({CURVES_NAME})

## Figures

On photos that were held back from the training:

{_figures_table(rows)}
"""


def public_facts(run: Path) -> dict[str, Any]:
    """Return what `train.json` says, with folders by their last name only: no local path is published.

    Raises DataError when the folder holds no run.
    """
    try:
        facts = json.loads((run / "train.json").read_text(encoding="utf-8"))
        config = facts["train"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{run} holds no run ({error}). Give the --output folder of a training.") from error
    for name in ("data", "val"):
        config[name] = [Path(folder).name for folder in config[name]]
    config["output"] = Path(config["output"]).name
    if config["start"] and (not is_repo(config["start"]) or Path(config["start"]).is_dir()):
        config["start"] = Path(config["start"]).name
    return facts


def _metadata(purpose: Purpose) -> str:
    """Return the card's YAML header."""
    data = ModelCardData(
        license="other",
        license_name="terms-of-the-training-photos",
        pipeline_tag=purpose.pipeline_tag,
        library_name="sair-studio",
        tags=list(purpose.tags),
    )
    return data.to_yaml(original_order=["license", "license_name"])


def _describe_start(config: Mapping[str, Any]) -> str:
    """Return a phrase: the preset, the model whose weights the training began with, or both."""
    start, preset = config.get("start"), config.get("preset")
    parts = [f"preset `{preset or 'lite'}`"] if preset or not (start or config["kind"] == "select") else []
    parts += [f"begun with the weights of `{start}`"] if start else []
    return ", ".join(parts or ["trained from nothing"])


def _figures_table(rows: list[dict[str, float]]) -> str:
    """Return a Markdown table of the first, the best and the last validation."""
    validated = [row for row in rows if set(row) - OTHERS]
    columns = [name for name in validated[0] if name not in OTHERS]
    chosen = {
        "at the start": validated[0],
        "best": max(validated, key=lambda row: score({columns[0]: row[columns[0]]})),
        "at the end": validated[-1],
    }
    lines = [f"| | step | {' | '.join(columns)} |", "|---|---|" + "---|" * len(columns)]
    for name, row in chosen.items():
        figures = " | ".join(f"{row[column]:.3f}" for column in columns)
        lines.append(f"| {name} | {row['step']:.0f} | {figures} |")
    return "\n".join(lines)
