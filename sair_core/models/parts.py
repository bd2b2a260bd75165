"""Parts of a model that a configuration names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from typing import Any, TypeVar

from sair_core.config import from_dict, require, strict_dataclass, to_dict

Built = TypeVar("Built")


@strict_dataclass
class Part:
    """An entry of a registry and the arguments of its config, e.g. `Part("unet", {"out_channels": 64})`."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


def resolve(part: Part, registry: Mapping[str, tuple[Callable[..., Any], type]], what: str) -> Part:
    """Write the part out in full, so that a checkpoint does not depend on what the defaults are when it is
    read. Raises ConfigError for a name that the registry of `(class, config class)` does not know."""
    check_known(part.name, registry, what)
    return Part(part.name, to_dict(from_dict(registry[part.name][1], part.arguments)))


def check_known(name: str, names: Collection[str], what: str) -> None:
    """Raise ConfigError unless the name is one of these."""
    require(name in names, f"unknown {what} {name!r}; known are {sorted(names)}")


def build(part: Part, registry: Mapping[str, tuple[Callable[..., Built], type]], *arguments: int) -> Built:
    """Build the part itself: its class called with the arguments and its config."""
    part_class, config_class = registry[part.name]
    return part_class(*arguments, from_dict(config_class, part.arguments))
