"""How a run begins: its folder, its configuration, the weights it starts from."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sair_core.config import from_dict
from sair_core.errors import ConfigError
from sair_core.files import find_leftovers, replacing
from sair_core.models.load import load_model
from sair_core.training.config import RunConfig
from sair_core.training.state import LATEST, MODEL, STATE_NAME, find_state, holds_run
from sair_core.weights.checkpoint import CheckpointModel, read_config, start_from

C = TypeVar("C")

logger = logging.getLogger(__name__)


def prepare_folder(output: str, resume: str | None) -> Path:
    """Return the run folder, without what a killed process left half written.

    Raises ConfigError when it holds a run that is not to be resumed, CheckpointError when it holds none that
    can be.
    """
    folder = Path(output)
    if resume is not None:
        find_state(folder, resume)
    elif holds_run(folder):
        raise ConfigError(
            f"{folder} already holds a run. Continue it with --resume {LATEST} or name another --output."
        )
    for half in find_leftovers(folder, {STATE_NAME, "log.csv"}) if folder.is_dir() else ():
        half.unlink(missing_ok=True)
    return folder


def write_configuration(folder: Path, **parts: Any) -> None:
    """Write `train.json`: the effective configuration, part by part."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "train.json") as path:
        path.write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")


def choose_model_config(
    config: RunConfig, config_class: type[C], preset: Callable[[str], C], resume: bool
) -> C:
    """Return the configuration of the model to build.

    That of the run when it is resumed, else what `--preset` names, else that of `--from`, else "lite". Raises
    ConfigError when `--from` is of another kind.
    """
    if resume:
        return from_dict(config_class, read_config(Path(config.output) / MODEL)[1])
    if config.preset is not None or config.start is None:
        return preset(config.preset or "lite")
    found = load_model(config.start).config
    if not isinstance(found, config_class):
        raise ConfigError(f"{config.start} is another kind of model. Name one that was trained like this.")
    return found


def load_start_weights(model: CheckpointModel, start: str) -> None:
    """Copy what fits of another model's weights (bundled name, folder, hub id) and log what does not.

    Raises ConfigError when not even half fits, and what `load_model` raises.
    """
    missing, unexpected = start_from(model, load_model(start).own_state())
    sizes = {k: v.numel() for k, v in model.own_state().items()}
    share = 1 - sum(sizes[k] for k in missing) / sum(sizes.values())
    if share < 0.5:
        raise ConfigError(
            f"Only {share:.0%} of the weights of {start} fit this preset. Name the preset it was made with."
        )
    logger.info("begin with the weights of %s (%.0f %% of this model's)", start, 100 * share)
    for what, keys in (("not in it, new", missing), ("in it, not used", unexpected)):
        if keys:
            logger.warning("%s: %s", what, ", ".join(keys))
