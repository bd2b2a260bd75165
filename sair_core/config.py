"""Frozen dataclasses to JSON and back: nested, strict, with the offending value in every message."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, TypeVar

from sair_core.errors import ConfigError

T = TypeVar("T")


def require(condition: bool, message: str) -> None:
    """Raise `ConfigError(message)` unless `condition` holds; for `__post_init__` checks."""
    if not condition:
        raise ConfigError(message)


def require_megapixels(limit: float) -> None:
    """Raise ConfigError for a limit on photos that cannot be held: Pillow opens none above 178 megapixels."""
    require(0 < limit <= 178, f"--max-megapixels must be above 0 and at most 178, got {limit:g}.")


def to_dict(config: Any) -> dict[str, Any]:
    """A config dataclass as plain JSON types (tuples become lists)."""
    return dataclasses.asdict(config, dict_factory=lambda items: {k: _plain(v) for k, v in items})


def from_dict(cls: type[T], data: dict[str, Any]) -> T:
    """Build the dataclass `cls` from plain JSON types.

    Raises ConfigError naming every unknown or missing key: a config written by another version is never
    read half.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{cls.__name__}: expected a JSON object, got {data!r}")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    unknown = sorted(set(data) - set(fields))
    require(not unknown, f"{cls.__name__}: unknown keys {unknown}; known are {sorted(fields)}")
    missing = [
        n
        for n, f in fields.items()
        if n not in data and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    require(not missing, f"{cls.__name__}: missing keys {missing}")
    hints = typing.get_type_hints(cls)
    return cls(**{name: _typed(hints[name], value) for name, value in data.items()})


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value


def _typed(hint: Any, value: Any) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if value is None:
            return None
        hint = next(a for a in typing.get_args(hint) if a is not type(None))
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value)
    if typing.get_origin(hint) is tuple:
        return tuple(value)
    return value
