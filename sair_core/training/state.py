"""What is saved of a run so that it can go on: networks, their average, optimisers, counters and log."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import errno
import os
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError

from sair_core.errors import CheckpointError, NotFiniteError
from sair_core.files import replacing
from sair_core.training.average import Average
from sair_core.training.optimisers import Learner

STATE_NAME = "state.pt"
MODEL, BEST = "model", "best"  # folders of a run that hold models
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LATEST, PREVIOUS = "latest", "previous"  # what can be resumed


@dataclass
class Counters:
    """How far a run is, and its log.

    step: optimiser steps taken. samples: drawn so far. seconds: spent in training steps; waited: of these,
    waiting for samples. setbacks: how often the run went back to an earlier state; rate_factor: on the
    learning rate since. best: highest score of a validation (see `task.score`); better_at: `seconds` when it
    was reached.
    """

    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    setbacks: int = 0
    rate_factor: float = 1.0
    best: float | None = None
    better_at: float = 0.0
    log: list[dict[str, float]] = field(default_factory=list)

    def add_row(self, **figures: float) -> None:
        """Add a row to the log: step, seconds and figures, with seven digits."""
        rounded = {name: float(f"{value:.7g}") for name, value in figures.items()}
        self.log.append({"step": self.step, "seconds": round(self.seconds, 1), **rounded})


def require_finite(learners: Mapping[str, Learner], average: Average, step: int) -> None:
    """Raise NotFiniteError when a weight is not a number: such a state is never saved."""
    for state in (average.state, *(one.model.own_state() for one in learners.values())):
        bad = [k for k, v in state.items() if v.is_floating_point() and not torch.isfinite(v).all()]
        if bad:
            raise NotFiniteError(f"{', '.join(bad[:3])} is not a number after step {step}.")


def save_run(folder: Path, learners: Mapping[str, Learner], average: Average, counters: Counters) -> None:
    """Write what `load_run` reads, and the log as CSV; the state before is kept as PREVIOUS.

    Raises CheckpointError, with the old files left whole, when the disk is full.
    """
    state = {
        "learners": {
            name: {"model": one.model.own_state(), "optimiser": one.optimiser.state_dict()}
            for name, one in learners.items()
        },
        "average": average.state,
        "progress": dataclasses.asdict(counters),
        "torch_rng": torch.get_rng_state(),
    }
    with explain_full_disk(folder):
        with replacing(folder / STATE_NAME) as path:
            torch.save(state, path)
            with open(path, "rb+") as file:
                os.fsync(file.fileno())  # a power cut must not leave an empty file in its place
            if (folder / STATE_NAME).exists():
                os.replace(folder / STATE_NAME, _state_file(folder, PREVIOUS))
        write_log(folder, counters)


def write_log(folder: Path, counters: Counters) -> None:
    """Write `log.csv`: a column for every figure, whose cells are empty where it was not measured."""
    columns = list(dict.fromkeys(key for row in counters.log for key in row)) or ["step", "seconds"]
    with replacing(folder / "log.csv") as path, open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(counters.log)


@contextlib.contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Raise CheckpointError, which says what to do, when the disk becomes full inside a `with` block."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        # torch and safetensors raise errors of their own for it.
        full = getattr(error, "errno", None) in FULL or re.search("space left|StreamWriter", str(error))
        if not full:
            raise
        raise CheckpointError(
            f"{folder} cannot be written to: the disk is full ({error}). What was saved before is whole. "
            "Free some space, then continue with --resume latest."
        ) from error


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG; a crash never leaves half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG")


def load_run(
    folder: Path, learners: Mapping[str, Learner], average: Average, which: str = LATEST
) -> Counters:
    """Load what `save_run` wrote into networks, optimisers, average and random state; return the counters.

    which: LATEST or PREVIOUS. Raises CheckpointError when there is no such state or it does not fit.
    """
    path = find_state(folder, which)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        saved, counters = state["learners"], Counters(**state["progress"])
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}). Continue with --resume {PREVIOUS}, or start again."
        ) from error
    if saved.keys() != learners.keys():
        raise CheckpointError(
            f"{path} is of another kind of run: it holds {', '.join(saved)}."
            " Resume it as that, or start another."
        )
    for name, one in learners.items():
        one.model.load_own_state(saved[name]["model"], where=str(path))
        one.optimiser.load_state_dict(saved[name]["optimiser"])
    for key, value in average.state.items():
        value.copy_(state["average"][key])
    torch.set_rng_state(state["torch_rng"])
    return counters


def find_state(folder: Path, which: str) -> Path:
    """Return the file that `load_run` reads. Raises CheckpointError when there is none."""
    path = _state_file(folder, which)
    # Where the latest is missing, the process was killed before it took the place of the previous one.
    for there in (path, _state_file(folder, PREVIOUS)):
        if there.exists():
            return there
    raise CheckpointError(f"{folder} holds no {path.name}: nothing to resume. Start without --resume.")


def holds_run(folder: Path) -> bool:
    """Return whether a folder holds a state to resume."""
    return any(_state_file(folder, which).exists() for which in (LATEST, PREVIOUS))


def drop_latest(folder: Path) -> None:
    """Make the previous state the latest: the run goes on from it."""
    os.replace(_state_file(folder, PREVIOUS), _state_file(folder, LATEST))


def drop_states(folder: Path) -> None:
    """Delete what a run could be resumed from."""
    for which in (LATEST, PREVIOUS):
        _state_file(folder, which).unlink(missing_ok=True)


def _state_file(folder: Path, which: str) -> Path:
    return folder / (STATE_NAME if which == LATEST else f"{which}-{STATE_NAME}")
