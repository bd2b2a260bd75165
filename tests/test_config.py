import dataclasses
import json
import pickle
from pathlib import Path
from typing import Literal

import pytest

from sair_core.config import from_dict, require, strict_dataclass, to_dict
from sair_core.errors import ConfigError
from sair_core.files import ASSETS
from sair_core.models.load import MODELS
from sair_core.models.selection import SelectionNet
from sair_core.weights.checkpoint import read_config


@strict_dataclass
class Inner:
    widths: tuple[int, ...] = (1, 2)


@strict_dataclass
class Outer:
    name: str
    inner: Inner = Inner()
    maybe: Inner | None = None

    def __post_init__(self):
        require(self.name != "bad", f"name must not be {self.name!r}")


@strict_dataclass
class Kinds:
    whole: int = 1
    number: float = 1.0
    flag: bool = True
    minutes: float | None = None
    pair: tuple[float, float] = (1.0, 2.0)
    folder: Path = Path(".")
    mode: Literal["a", "b"] = "a"


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
    with pytest.raises(ConfigError, match=r"unknown keys \['inner.depth'\]"):
        from_dict(Outer, {"name": "a", "inner": {"depth": 1}})
    with pytest.raises(ConfigError, match="unknown keys.*colour.*known are.*inner.*maybe.*name"):
        Outer("a", colour=1)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"whole": 128.5}, "Kinds: whole must be a whole number, got 128.5"),
        ({"whole": "abc"}, "whole must be a whole number, got 'abc'"),
        ({"whole": True}, "whole must be a whole number, got True"),
        ({"whole": None}, "whole must be a whole number, got None"),
        ({"number": "1"}, "number must be a number, got '1'"),
        ({"number": float("nan")}, "number must be a finite number, got nan"),
        ({"flag": "no"}, "flag must be true or false, got 'no'"),
        ({"flag": 1}, "flag must be true or false, got 1"),
        ({"minutes": "soon"}, "minutes must be a number, got 'soon'"),
        ({"pair": 3}, "pair must be a list .in Python a tuple., got 3"),
        ({"mode": "c"}, "mode must be 'a' or 'b', got 'c'"),
        ({"whole": "x", "flag": 2}, "whole must be .* got 'x'; flag must be .* got 2"),
    ],
    ids=str,
)
def test_a_value_of_another_type_is_refused_wherever_it_comes_from(values, message):
    for build in (lambda: Kinds(**values), lambda: from_dict(Kinds, values), lambda: changed(values)):
        with pytest.raises(ConfigError, match=message):
            build()


def changed(values):
    return dataclasses.replace(Kinds(), **values)


def test_a_value_inside_a_value_is_named_by_its_place():
    with pytest.raises(ConfigError, match=r"inner.widths\[1\] must be a whole number, got 1.5"):
        from_dict(Outer, {"name": "a", "inner": {"widths": [1, 1.5]}})
    with pytest.raises(ConfigError, match=r"pair must be 2 values, got \[1.0\]"):
        from_dict(Kinds, {"pair": [1.0]})
    with pytest.raises(ConfigError, match=r"pair must be 2 values, got \(1, 2, 3\)"):
        Kinds(pair=(1, 2, 3))
    with pytest.raises(ConfigError, match="widths must be a list .in Python a tuple., got"):
        Inner([1, 2])  # it could be changed afterwards


def test_it_is_a_frozen_dataclass():
    config = Kinds(whole=3, minutes=2)
    assert config.minutes == 2.0 and dataclasses.replace(config, whole=4).whole == 4
    assert pickle.loads(pickle.dumps(config)) == config and hash(config) == hash(Kinds(3, minutes=2.0))
    assert dataclasses.asdict(config)["pair"] == (1.0, 2.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.whole = 5
    assert from_dict(Kinds, json.loads(json.dumps({**to_dict(config), "folder": "a"}))).folder == Path("a")


@pytest.mark.parametrize("folder", sorted(p.parent for p in ASSETS.glob("models/*/config.json")), ids=str)
def test_bundled_configurations_are_read_whole(folder):
    kind, data = read_config(folder)
    config_class = {**MODELS, "selection": SelectionNet}[kind].config_class  # which fills nothing
    assert to_dict(from_dict(config_class, data)) == data
