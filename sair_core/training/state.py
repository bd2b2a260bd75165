"""Everything a run needs to continue: weights, their average, optimiser, counters, log."""

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
from typing import Protocol

import torch
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor, nn

from sair_core.errors import CheckpointError, NotFiniteError
from sair_core.files import replacing

STATE_NAME = "state.pt"
MODEL, BEST = "model", "best"  # folders of a run that hold models
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LATEST, PREVIOUS = "latest", "previous"  # what can be resumed


class StatefulModel(Protocol):
    """An nn.Module that knows which part of its state is its own (`CheckpointModel` is one)."""

    def own_state(self) -> dict[str, Tensor]: ...

    def load_own_state(self, state: dict[str, Tensor], where: str) -> None: ...

    def load_state_dict(self, state: dict[str, Tensor], strict: bool) -> object: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


@dataclass
class Learner:
    """A network and its optimiser. groups in the optimiser may have a "factor" on the learning rate."""

    model: StatefulModel
    optimiser: torch.optim.Optimizer

    def set_rate(self, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group.get("factor", 1.0)


@dataclass
class Progress:
    """Counters that are saved.

    Optimiser steps, samples drawn, seconds spent in training steps and, of these, waiting for samples; how
    often the run went back to an earlier state, and the factor on the rate since; the best value of the
    figure that validation names first.
    """

    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    setbacks: int = 0
    rate_factor: float = 1.0
    best: float | None = None
    log: list[dict[str, float]] = field(default_factory=list)

    def note(self, **figures: float) -> None:
        """Add a row to the log."""
        rounded = {name: float(f"{value:.7g}") for name, value in figures.items()}
        self.log.append({"step": self.step, "seconds": round(self.seconds, 1), **rounded})


class Average:
    """Exponential moving average of a model's own state; it forgets faster early on, to leave the start."""

    def __init__(self, model: StatefulModel, decay: float):
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in model.own_state().items()}

    @torch.no_grad()
    def update(self, model: StatefulModel, step: int) -> None:
        """Move towards the model's present state after optimiser step number `step`."""
        keep = min(self.decay, (1 + step) / (10 + step))
        current = model.own_state()
        floating = [k for k, v in self.state.items() if v.is_floating_point()]
        torch._foreach_lerp_([self.state[k] for k in floating], [current[k] for k in floating], 1 - keep)

    def half(self, prefix: str = "") -> dict[str, Tensor]:
        """What a checkpoint of the part under `prefix` holds: half precision, names without the prefix."""
        return {
            k.removeprefix(prefix): v.half() if v.is_floating_point() else v
            for k, v in self.state.items()
            if k.startswith(prefix)
        }

    def swapped_into(self, model: StatefulModel) -> _Swapped:
        """`with average.swapped_into(model):` the model holds the averaged weights inside the block."""
        return _Swapped(model, self.state)


class _Swapped:
    def __init__(self, model: StatefulModel, state: dict[str, Tensor]):
        self.model, self.state = model, state

    def __enter__(self) -> None:
        self.kept = {k: v.clone() for k, v in self.model.own_state().items()}
        self.model.load_state_dict(self.state, strict=False)

    def __exit__(self, *_: object) -> None:
        self.model.load_state_dict(self.kept, strict=False)


def require_finite(learners: Mapping[str, Learner], average: Average, step: int) -> None:
    """Raise NotFiniteError when a weight is not a number: such a state is never saved."""
    for state in (average.state, *(one.model.own_state() for one in learners.values())):
        bad = [k for k, v in state.items() if v.is_floating_point() and not torch.isfinite(v).all()]
        if bad:
            raise NotFiniteError(f"{', '.join(bad[:3])} is not a number after step {step}.")


def save_run(folder: Path, learners: Mapping[str, Learner], average: Average, progress: Progress) -> None:
    """Write what `load_run` reads, and the log as CSV; the state before stays beside it.

    Raises CheckpointError, with the old files left whole, when the disk is full.
    """
    state = {
        "learners": {
            name: {"model": one.model.own_state(), "optimiser": one.optimiser.state_dict()}
            for name, one in learners.items()
        },
        "average": average.state,
        "progress": dataclasses.asdict(progress),
        "torch_rng": torch.get_rng_state(),
    }
    with saving(folder):
        with replacing(folder / STATE_NAME) as path:
            torch.save(state, path)
            with open(path, "rb+") as file:
                os.fsync(file.fileno())  # a power cut must not leave an empty file in its place
            if (folder / STATE_NAME).exists():
                os.replace(folder / STATE_NAME, _state_file(folder, PREVIOUS))
        write_log(folder, progress)


def write_log(folder: Path, progress: Progress) -> None:
    """`log.csv`, a column for every figure; cells are empty where it was not measured."""
    columns = list(dict.fromkeys(key for row in progress.log for key in row)) or ["step", "seconds"]
    with replacing(folder / "log.csv") as path, open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(progress.log)


@contextlib.contextmanager
def saving(folder: Path) -> Iterator[None]:
    """A disk that is full inside becomes a CheckpointError that says what to do."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        # torch and safetensors have their own words for it.
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
) -> Progress:
    """Continue from `save_run`. Raises CheckpointError when nothing is there or it does not fit."""
    path = find_state(folder, which)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        learned, progress = state["learners"], Progress(**state["progress"])
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}). Continue with --resume {PREVIOUS}, or start again."
        ) from error
    if learned.keys() != learners.keys():
        raise CheckpointError(f"{path} is of another kind of run: it holds {', '.join(learned)}.")
    for name, one in learners.items():
        one.model.load_own_state(learned[name]["model"], where=str(path))
        one.optimiser.load_state_dict(learned[name]["optimiser"])
    for key, value in average.state.items():
        value.copy_(state["average"][key])
    torch.set_rng_state(state["torch_rng"])
    return progress


def find_state(folder: Path, which: str) -> Path:
    """The file that `load_run` reads. Raises CheckpointError when it is not there."""
    path = _state_file(folder, which)
    # Without a latest, the process was killed while it took its place.
    for there in (path, _state_file(folder, PREVIOUS)):
        if there.exists():
            return there
    raise CheckpointError(f"{folder} holds no {path.name}: nothing to resume. Start without --resume.")


def holds_run(folder: Path) -> bool:
    """Whether there is something to resume."""
    return any(_state_file(folder, which).exists() for which in (LATEST, PREVIOUS))


def drop_latest(folder: Path) -> None:
    """Let the previous state be the latest, because the run goes on from it."""
    os.replace(_state_file(folder, PREVIOUS), _state_file(folder, LATEST))


def _state_file(folder: Path, which: str) -> Path:
    return folder / (STATE_NAME if which == LATEST else f"{which}-{STATE_NAME}")


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Weight decay on matrices and kernels only, not on biases and norms."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def adamw(
    model: nn.Module, rate: float, weight_decay: float, betas: tuple[float, float] = (0.9, 0.999)
) -> torch.optim.AdamW:
    """AdamW over what is trained of a model, in `parameter_groups`; fused where the device can."""
    device = next(model.parameters()).device
    groups = parameter_groups(model, weight_decay)
    return torch.optim.AdamW(groups, lr=rate, betas=betas, fused=device.type != "mps")
