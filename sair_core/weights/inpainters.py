"""Files of inpainting models that others have trained: on disk, or in a repository of the hub."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download, snapshot_download

from sair_core.errors import CheckpointError, MissingDependencyError, ModelNotFoundError
from sair_core.weights.network import HUB_ERRORS, hub_or_cache, is_repo

# The first that a repository holds is taken: safetensors cannot hold code.
SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
# Short names for repositories; the rest of a path is the file in it.
KNOWN = {"lama": "anyisalin/big-lama/big-lama.safetensors"}


def require_spandrel() -> None:
    """Raise MissingDependencyError where the package that reads such models is not installed."""
    if importlib.util.find_spec("spandrel") is None:
        raise MissingDependencyError(
            "Inpainting models of others need the package spandrel. Install it with: "
            "pip install 'sair-studio[engines]'"
        )


def find_inpainter(name: str) -> Path:
    """Return the file of an inpainting model, fetched from the hub once where it is not on this machine.

    name: a file, a hub id user/name or a file in one, user/name/file; or one of KNOWN.
    Raises MissingDependencyError without spandrel, ModelNotFoundError where there is no such model, and
    CheckpointError for a file of another kind.
    """
    require_spandrel()
    path = Path(name)
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            known = ", ".join(SUFFIXES)
            raise CheckpointError(f"{name} is no file of a model. Give one that ends in {known}.")
        return path
    owner, _, rest = KNOWN.get(name.casefold(), name).partition("/")
    repository, _, file = rest.partition("/")
    if path.suffix.lower() in SUFFIXES and not (file and is_repo(f"{owner}/{repository}")):
        raise ModelNotFoundError(f"There is no file {name}. Check the path of --engine.")
    if path.exists() or not is_repo(f"{owner}/{repository}"):
        raise ModelNotFoundError(
            f"There is no engine {name!r}. Engines are natural, smooth, painted, {', '.join(KNOWN)}, the "
            "file of an inpainting model, or a hub id such as user/name."
        )
    return _fetch(f"{owner}/{repository}", file)


def _fetch(repository: str, file: str) -> Path:
    """Return a file of a repository, "" for the only one of its kind, fetched unless it is here already."""
    try:
        with hub_or_cache():
            return Path(hf_hub_download(repository, file or _choose(repository)))
    except HUB_ERRORS as error:
        raise ModelNotFoundError(
            f"{repository!r} is not on this machine and could not be fetched from the hub "
            f"({type(error).__name__}). Check the name and the network, or fetch the model elsewhere and "
            "give its file."
        ) from error


def _choose(repository: str) -> str:
    """Return the model's file in a repository.

    Raises HUB_ERRORS, and ModelNotFoundError unless it is clear.
    """
    try:
        names = HfApi().list_repo_files(repository)
    except HUB_ERRORS:  # what was fetched before is enough
        folder = Path(snapshot_download(repository, local_files_only=True))
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    for suffix in SUFFIXES:
        found = sorted(name for name in names if name.lower().endswith(suffix))
        if len(found) == 1:
            return found[0]
        if found:
            raise ModelNotFoundError(
                f"{repository} holds several models. Name one of them: "
                f"{', '.join(f'{repository}/{name}' for name in found[:8])}."
            )
    raise ModelNotFoundError(f"{repository} holds no file that ends in {', '.join(SUFFIXES)}. Give another.")
