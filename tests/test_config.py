from dataclasses import dataclass

import pytest

from sair_core.config import from_dict, require, to_dict
from sair_core.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    widths: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = Inner()
    maybe: Inner | None = None

    def __post_init__(self):
        require(self.name != "bad", f"name must not be {self.name!r}")


def test_round_trip_of_nested_dataclasses():
    config = Outer("a", Inner((3, 4)), Inner((5,)))
    plain = to_dict(config)
    assert plain == {"name": "a", "inner": {"widths": [3, 4]}, "maybe": {"widths": [5]}}
    assert from_dict(Outer, plain) == config
    assert from_dict(Outer, {"name": "a", "maybe": None}) == Outer("a")


def test_unknown_and_missing_keys_are_named():
    with pytest.raises(ConfigError, match="colour"):
        from_dict(Outer, {"name": "a", "colour": 1})
    with pytest.raises(ConfigError, match="name"):
        from_dict(Outer, {})
    with pytest.raises(ConfigError, match="expected a JSON object"):
        from_dict(Outer, [1])
    with pytest.raises(ConfigError, match="must not be 'bad'"):
        from_dict(Outer, {"name": "bad"})
