"""A training's configuration as the command that a person would type for it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, get_type_hints

from sair_core.training.tasks import TASKS


def format_training(kind: str, fields: Mapping[str, Any]) -> str:
    """Return `sair train ...` with these fields of the configuration of `TASKS[kind]`; None is left out."""
    hints = get_type_hints(TASKS[kind].config_class)
    words = ["sair", "train", "--model", kind]
    for name, value in fields.items():
        flag = "--" + name.replace("_", "-")
        if value is None:
            continue
        if hints[name] is bool:
            words.append(flag if value else f"--no-{flag[2:]}")
        elif isinstance(value, bool):  # one that may be left open
            words += [flag, "yes" if value else "no"]
        elif isinstance(value, tuple):
            words += [flag, *map(str, value)]
        else:
            words += [flag, str(value)]
    return shlex.join(words)
