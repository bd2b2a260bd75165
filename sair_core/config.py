"""Configurations: frozen dataclasses whose fields are checked by type, to JSON and back."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pydantic.dataclasses
from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import dataclass_transform

from sair_core.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

T = TypeVar("T")

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
FROM_TEXT = ConfigDict(allow_inf_nan=False)  # of a single value that was typed
# What a field may be, by pydantic's name for the error.
ALLOWED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "yes or no",
    "string_type": "text",
    "tuple_type": "a list (in Python a tuple)",
    "dict_type": "a JSON object",
    "dataclass_type": "a JSON object",
    "path_type": "a path",
}


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def strict_dataclass(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass that checks the types of its fields however it is built.

    Whole numbers are numbers, and nothing else is converted. A wrong, unknown or missing field raises
    ConfigError, which names the field, its value and what is allowed.
    """
    built: Any = pydantic.dataclasses.dataclass(frozen=True, config=STRICT)(cls)
    fill = built.__init__

    @functools.wraps(fill)
    def __init__(self: Any, *args: Any, **values: Any) -> None:
        try:
            fill(self, *args, **values)
        except ValidationError as error:
            raise refusal(cls, error) from error

    built.__init__ = __init__
    return built


def to_dict(config: Any) -> dict[str, Any]:
    """Return a config dataclass as plain JSON types (tuples become lists)."""
    return dataclasses.asdict(config, dict_factory=lambda items: {k: _plain(v) for k, v in items})


def from_dict(cls: type[T], data: dict[str, Any]) -> T:
    """Build a strict dataclass, and those that it holds, from plain JSON types.

    Raises ConfigError naming every wrong, unknown or missing key: a config written by another version is
    never read half.
    """
    require(isinstance(data, dict), f"{cls.__name__}: expected a JSON object, got {data!r}")
    try:
        return TypeAdapter(cls).validate_json(json.dumps(data))
    except ValidationError as error:
        raise refusal(cls, error) from error


def refusal(cls: type, error: ValidationError) -> ConfigError:
    """Return what pydantic says of the values for a config class in words of ours."""
    faults = error.errors(include_url=False)
    for fault in faults:
        if isinstance(own := fault.get("ctx", {}).get("error"), ConfigError):  # of a `__post_init__`
            return own
    fields = [field.name for field in dataclasses.fields(cast(Any, cls))]
    wrong: dict[str, str] = {}
    missing, unknown = [], []
    for fault in faults:
        first, *inner = fault["loc"]
        names = [fields[first] if isinstance(first, int) else first, *inner]
        if fault["type"] == "unexpected_keyword_argument":
            unknown.append(_place(names))
        elif fault["type"] == "missing" and isinstance(names[-1], str):
            missing.append(_place(names))
        else:
            wrong[_place(names[:-1] if fault["type"] == "missing" else names)] = sentence(fault)
    sentences = [f"{place} {text}" for place, text in wrong.items()]
    if missing:
        sentences.append(f"missing keys {sorted(missing)}")
    if unknown:
        sentences.append(f"unknown keys {sorted(unknown)}; known are {sorted(fields)}")
    return ConfigError(f"{cls.__name__}: {'; '.join(sentences)}")


def sentence(fault: ErrorDetails) -> str:
    """Return what a value must be and what it is: "must be a whole number, got 128.5"."""
    if fault["type"] == "missing":  # the last of the places of a tuple
        allowed = f"{int(fault['loc'][-1]) + 1} values"
    elif fault["type"] == "too_long":
        allowed = f"{fault.get('ctx', {})['max_length']} values"
    else:
        allowed = ALLOWED.get(fault["type"]) or fault["msg"].removeprefix("Input should be ")
    return f"must be {allowed}, got {fault['input']!r}"


def require(condition: bool, message: str) -> None:
    """Raise `ConfigError(message)` unless `condition` holds; for `__post_init__` checks."""
    if not condition:
        raise ConfigError(message)


def require_megapixels(limit: float) -> None:
    """Raise ConfigError for a limit on photos that cannot be held: Pillow opens none above 178 megapixels."""
    require(0 < limit <= 178, f"--max-megapixels must be above 0 and at most 178, got {limit:g}.")


def _place(names: Sequence[int | str]) -> str:
    """ "sir.widths[1]"."""
    return "".join(f"[{n}]" if isinstance(n, int) else f".{n}" for n in names).removeprefix(".")


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value
