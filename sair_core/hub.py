"""Models by name: bundled in `assets/models`, in a folder, or on the Hugging Face hub."""

from __future__ import annotations

import re
from pathlib import Path

from sair_core.bundled import BUNDLED
from sair_core.checkpoint import CONFIG_NAME, CheckpointModel, read_config
from sair_core.errors import ModelNotFoundError
from sair_core.models.sair import Sair

# model_type -> class. A new kind of model is one file and one line here.
MODELS: dict[str, type[CheckpointModel]] = {model.model_type: model for model in (Sair,)}


def bundled_models() -> list[str]:
    """Names of the models that come with the project, sorted."""
    return sorted(f.parent.name for f in BUNDLED.glob(f"*/{CONFIG_NAME}"))


def load_model(name: str | Path) -> CheckpointModel:
    """Load a model by bundled name, folder or hub id, on the CPU, ready for inference.

    Raises ModelNotFoundError when there is none of that name, CheckpointError when it is damaged.
    """
    folder = find_folder(name)
    # Only SAIR models exist on the hub so far; a folder says itself what it holds.
    model_class = Sair if folder is None else MODELS.get(read_config(folder)[0], Sair)
    return model_class.from_pretrained(str(name if folder is None else folder)).eval()


def find_folder(name: str | Path) -> Path | None:
    """The folder of a bundled name or a path; None when `name` can only be a hub id."""
    for folder in (BUNDLED / str(name), Path(name)):
        if (folder / CONFIG_NAME).is_file():
            return folder
    if Path(name).is_dir():
        raise ModelNotFoundError(
            f"The folder {name} holds no {CONFIG_NAME}. Give a folder saved by the trainer."
        )
    if re.fullmatch(r"[\w.-]+/[\w.-]+", str(name)):
        return None
    raise ModelNotFoundError(
        f"There is no model {str(name)!r}. Bundled are {', '.join(bundled_models()) or 'none'}; "
        "or give a folder, or a hub id such as user/name."
    )
