"""Models by name: bundled in `assets/models`, in a folder, or on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from sair_core.errors import CheckpointError, ModelNotFoundError
from sair_core.files import digest
from sair_core.models.sair import Sair
from sair_core.models.spn import Spn
from sair_core.weights.bundled import BUNDLED, BUNDLED_ENCODER
from sair_core.weights.checkpoint import CONFIG_NAME, WEIGHTS_NAME, fetch, read_config
from sair_core.weights.network import is_repo

# model_type -> class. A new kind of model is one file and one line here.
MODELS: dict[str, type[Sair] | type[Spn]] = {model.model_type: model for model in (Sair, Spn)}


def list_bundled_models() -> list[str]:
    """Return the names of the models of MODELS that come with the project, sorted."""
    folders = (f.parent for f in BUNDLED.glob(f"*/{CONFIG_NAME}"))
    return sorted(folder.name for folder in folders if read_config(folder)[0] in MODELS)


def load_model(name: str | Path) -> Sair | Spn:
    """Load a model by bundled name, folder or hub id, on the CPU, ready for inference.

    Raises ModelNotFoundError when there is none of that name, CheckpointError when it is damaged.
    """
    folder = find_folder(name) or fetch(str(name))
    kind, _ = read_config(folder)
    if kind not in MODELS:
        raise CheckpointError(f"{folder} holds a {kind!r} model; known are {', '.join(MODELS)}.")
    return MODELS[kind].from_pretrained(str(folder)).eval()


def digest_model(name: str | Path) -> str:
    """Return hexadecimal digits that change with what a model computes.

    They are of its files, and of the bundled encoder, which reads words for it. Raises ModelNotFoundError,
    CheckpointError.
    """
    folder = find_folder(name) or fetch(str(name))
    try:
        return digest(
            folder / CONFIG_NAME,
            folder / WEIGHTS_NAME,
            *sorted((BUNDLED / BUNDLED_ENCODER).glob("open_clip_*")),
        )
    except OSError as error:
        raise CheckpointError(
            f"The model {name} cannot be read ({error}). Save or fetch it again."
        ) from error


def find_folder(name: str | Path) -> Path | None:
    """Return the folder of a bundled name or a path; None when `name` can only be a hub id."""
    for folder in (BUNDLED / str(name), Path(name)):
        if (folder / CONFIG_NAME).is_file():
            return folder
    if Path(name).is_dir():
        raise ModelNotFoundError(
            f"The folder {name} holds no {CONFIG_NAME}. Give a folder saved by the trainer."
        )
    if is_repo(str(name)):
        return None
    raise ModelNotFoundError(
        f"There is no model {str(name)!r}. Bundled are {', '.join(list_bundled_models()) or 'none'}; "
        "or give a folder, or a hub id such as user/name."
    )
