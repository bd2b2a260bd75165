"""Command lines of trainings: options of their configuration, and `--resume`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sair_core.command_line import exit_status, make_parser, read_values
from sair_core.config import from_dict
from sair_core.errors import CheckpointError, ConfigError
from sair_core.training.recipes import LENGTHS, find_recipe

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

C = TypeVar("C", bound="DataclassInstance")
RUNS = Path("runs")  # where the newest run is looked for


def run_training(
    train: Callable[[C, str | None], None],
    config_class: type[C],
    argv: Sequence[str] | None,
    *,
    prog: str,
    part: str,
) -> int:
    """Read a training's configuration from the command line, train, and return the exit status.

    train: `(config, what to resume or None)`. part: of `train.json`, where the configuration is kept.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    parser = make_parser(config_class, prog=prog, required=False)
    add_resume(parser)
    args = parser.parse_args(argv)
    resume = args.__dict__.pop("resume", None)
    return exit_status(lambda: train(_configuration(config_class, args, resume is not None, part), resume))


def add_resume(parser: argparse.ArgumentParser) -> None:
    """Add the option that continues a run."""
    parser.add_argument(
        "--resume", nargs="?", const="latest", default=None, choices=("latest", "previous"),
        help="continue the run in --output (default: the newest in runs/) exactly, from its latest state or "
        "the one before; its configuration is kept where nothing else is said",
    )  # fmt: skip


def newest_run(part: str) -> str | None:
    """Return the run of this kind in RUNS whose state was saved last."""
    states = [f for f in RUNS.glob("*/state.pt") if saved(f.parent, part)]
    return str(max(states, key=lambda f: f.stat().st_mtime).parent) if states else None


def saved(folder: Path, part: str) -> dict[str, Any]:
    """Return the configuration of a run as plain JSON types; empty where there is none."""
    try:
        found = json.loads((folder / "train.json").read_text(encoding="utf-8"))[part]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _configuration(config_class: type[C], args: argparse.Namespace, resume: bool, part: str) -> C:
    """What was typed, over the defaults or over what the run that is continued was."""
    typed = read_values(config_class, args)
    if not resume:
        needed = (f for f in dataclasses.fields(config_class) if f.default is dataclasses.MISSING)
        missing = [f"--{f.name}" for f in needed if f.name not in typed]
        if missing:
            raise ConfigError(f"{' and '.join(missing)} must be given, unless --resume continues a run.")
        recipe = find_recipe(getattr(config_class, "kind", ""), typed.get("preset"))
        return config_class(**{**recipe, **_other_lengths(config_class, typed), **typed})
    folder = typed.get("output") or newest_run(part)
    before = saved(Path(folder), part) if folder else {}
    if not before:
        raise CheckpointError(f"There is nothing to resume in {folder or RUNS}. Name a run with --output.")
    changes = {**_other_lengths(config_class, typed), **typed, "output": folder}
    return dataclasses.replace(from_dict(config_class, before), **changes)


def _other_lengths(config_class: type[C], typed: dict[str, Any]) -> dict[str, None]:
    """Return the fields that say how long a run is in another way than what was typed, unset."""
    if not set(LENGTHS) & typed.keys():
        return {}
    optional = (field.name for field in dataclasses.fields(config_class) if field.default is None)
    return {name: None for name in optional if name in LENGTHS}
