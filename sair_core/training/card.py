"""A run as a model that others can use: its card, and its way to the Hugging Face hub."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi

from sair_core.errors import ConfigError, DataError
from sair_core.training.curves import OTHERS, read_log
from sair_core.training.report import CURVES_NAME, duration
from sair_core.training.state import BEST, MODEL
from sair_core.weights.checkpoint import CONFIG_NAME, WEIGHTS_NAME, read_config
from sair_core.weights.network import HUB_ERRORS, require_repo

CARD_NAME = "README.md"


def model_card(run: Path, repo: str) -> str:
    """Markdown with the figures of a run: what it was trained on, how, and what validation said.

    Folders are given by their last name, so that no path of this machine is told. Raises DataError when the
    folder holds no run.
    """
    try:
        facts = json.loads((run / "train.json").read_text(encoding="utf-8"))
        kind, _ = read_config(run / MODEL)
    except (OSError, ValueError) as error:
        raise DataError(f"{run} holds no run ({error}). Give the --output folder of a training.") from error
    config: Mapping[str, Any] = facts["train"]
    rows = read_log(run)
    steps, seconds = int(max(row["step"] for row in rows)), max(row["seconds"] for row in rows)
    data = ", ".join(f"`{Path(folder).name}`" for folder in config["data"])
    seen_by = facts.get("perceptual")
    perceptual = f" Perceptual losses with the maps of {seen_by}." if seen_by else ""
    return f"""---
license: other
license_name: terms-of-the-training-photos
pipeline_tag: image-to-image
library_name: sair-studio
tags: [image-inpainting, implicit-neural-representation, {kind}]
---

# {repo.split("/")[-1]}

Fills holes in photos. A {kind.upper()} of SAIR Studio, {_built(config)}.

```python
from sair_core import InpaintPipeline

InpaintPipeline.from_pretrained("{repo}").fill("photo.jpg", "mask.png").image.save("filled.png")
```

## Training

- Photos: {data}. The weights are bound to their terms.
- {steps} steps in {duration(seconds)}, squares of {config["size_px"]}, then {config["final_size_px"]} px.
- The whole configuration is in `train.json`.{perceptual}

![Loss and validation over the steps]({CURVES_NAME})

## Figures

On photos that were held back from the training:

{_table(rows)}
"""


def push(run: Path, repo: str, *, private: bool = False, best: bool = False) -> str:
    """Upload a run's model (or its best one) with its card in one commit, and give its address.

    Raises DataError for a folder without a run, ConfigError for a bad name and where the hub refuses.
    """
    require_repo(repo, "a model")
    card = model_card(run, repo)
    source = run / (BEST if best else MODEL)
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        if not (source / name).is_file():
            why = ": no validation of this run was better than its first. Leave --best out" if best else ""
            raise DataError(f"There is no {source / name}{why}.")
    api = HfApi()
    with tempfile.TemporaryDirectory() as folder:
        for path in (source / CONFIG_NAME, source / WEIGHTS_NAME, run / CURVES_NAME):
            if path.is_file():
                shutil.copy2(path, folder)
        (Path(folder) / "train.json").write_text(_without_paths(run), encoding="utf-8")
        (Path(folder) / CARD_NAME).write_text(card, encoding="utf-8")
        try:
            api.create_repo(repo, repo_type="model", private=private, exist_ok=True)
            api.upload_folder(repo_id=repo, folder_path=folder, commit_message="A model of SAIR Studio")
        except HUB_ERRORS as error:
            raise ConfigError(
                f"The hub did not take it ({error}). Check the network, and log in with: hf auth login"
            ) from error
    return f"{api.endpoint}/{repo}"


def _built(config: Mapping[str, Any]) -> str:
    """What it is made of and what it began with."""
    start, preset = config.get("start"), config.get("preset")
    parts = [f"preset `{preset or 'lite'}`"] if preset or not start else []
    parts += [f"begun with the weights of `{_short(start)}`"] if start else []
    return ", ".join(parts)


def _table(rows: list[dict[str, float]]) -> str:
    """First, best and last validation."""
    validated = [row for row in rows if set(row) - OTHERS]
    columns = [name for name in validated[0] if name not in OTHERS]
    chosen = {
        "at the start": validated[0],
        "best": max(validated, key=lambda row: row[columns[0]]),
        "at the end": validated[-1],
    }
    lines = [f"| | step | {' | '.join(columns)} |", "|---|---|" + "---|" * len(columns)]
    for name, row in chosen.items():
        figures = " | ".join(f"{row[column]:.3f}" for column in columns)
        lines.append(f"| {name} | {row['step']:.0f} | {figures} |")
    return "\n".join(lines)


def _without_paths(run: Path) -> str:
    facts = json.loads((run / "train.json").read_text(encoding="utf-8"))
    config = facts["train"]
    config |= {"data": [Path(f).name for f in config["data"]], "val": [Path(f).name for f in config["val"]]}
    config |= {"output": Path(config["output"]).name, "start": config["start"] and _short(config["start"])}
    return json.dumps(facts, indent=2) + "\n"


def _short(start: str) -> str:
    """A bundled name or a hub id as it is, of a folder its last name."""
    return Path(start).name if Path(start).is_dir() else start
