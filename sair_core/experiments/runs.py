"""Trainings and measurements that are done once: what is finished is read, what was stopped is continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sair_core.config import from_dict
from sair_core.errors import ConfigError, DataError
from sair_core.evaluation.report import write_json
from sair_core.evaluation.runner import Benchmark, evaluate
from sair_core.evaluation.summary import Failure, Summary, Tally, summarise
from sair_core.training.config import RunConfig
from sair_core.training.loop import train
from sair_core.training.monitor import PROGRESS_NAME
from sair_core.training.state import LATEST, MODEL, holds_run

SETTINGS_NAME = "settings.json"


@dataclass(frozen=True)
class Measured:
    """What was measured of one method.

    summaries: by bin, all bins last. failures: of a method of others. parameters: of a model, without what it
    keeps frozen.
    """

    summaries: tuple[Summary, ...]
    failures: tuple[Failure, ...]
    parameters: int | None = None


def train_once(config: RunConfig) -> Path:
    """Train, or go on with what was stopped, and return the folder of the model.

    Raises KeyboardInterrupt when it was asked to stop, and what `train` raises.
    """
    folder = Path(config.output)
    if not is_finished(folder):
        train(config, resume=LATEST if holds_run(folder) else None)
        if not is_finished(folder):
            raise KeyboardInterrupt
    return folder / MODEL


def is_finished(folder: Path) -> bool:
    """Return whether a training has come to its end."""
    try:
        state: str = json.loads((folder / PROGRESS_NAME).read_text("utf-8"))["state"]
    except (OSError, ValueError, KeyError):
        return False
    return state == "finished"


def measure_once(path: Path, measure: Callable[[], Tally], parameters: int | None = None) -> Measured:
    """Measure and write it to a file, or read what was written there.

    Raises DataError for a file that holds no measurement, and what measuring raises.
    """
    if path.is_file():
        return read_measured(path)
    tally = measure()
    measured = Measured(tuple(summarise(tally)), tuple(tally.failures), parameters)
    write_json(path, asdict(measured))
    return measured


def measure_fills(benchmark: Benchmark) -> Tally:
    """Fill and measure all of a benchmark. Raises what `evaluate` raises."""
    tally = Tally()
    with closing(evaluate(benchmark)) as photos:
        for found in tqdm(photos, total=len(benchmark.samples), unit="photo", disable=None):
            tally.add(found)
    return tally


def read_measured(path: Path) -> Measured:
    """Read what `measure_once` wrote. Raises DataError."""
    try:
        return from_dict(Measured, json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, ConfigError) as error:
        raise DataError(f"{path} holds no measurement ({error}). Delete it to measure again.") from error


def check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write what runs in a folder depend on. Raises ConfigError when those there have other settings."""
    path = folder / SETTINGS_NAME
    settings = json.loads(json.dumps(settings))
    if path.is_file():
        before = json.loads(path.read_text("utf-8"))
        other = sorted(name for name in {*before, *settings} if before.get(name) != settings.get(name))
        if other:
            raise ConfigError(f"{folder} holds runs with another {', '.join(other)}. Give another --output.")
    else:
        write_json(path, settings)
