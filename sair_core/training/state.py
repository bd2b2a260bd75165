"""Everything a run needs to continue: weights, their average, optimiser, counters, log."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor, nn

from sair_core.checkpoint import replacing
from sair_core.errors import CheckpointError

STATE_NAME = "state.pt"


class StatefulModel(Protocol):
    """An nn.Module that knows which part of its state is its own (`CheckpointModel` is one)."""

    def own_state(self) -> dict[str, Tensor]: ...

    def load_own_state(self, state: dict[str, Tensor], where: str) -> None: ...

    def load_state_dict(self, state: dict[str, Tensor], strict: bool) -> object: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


@dataclass
class Progress:
    """Counters that are saved: optimiser steps, samples drawn, seconds spent in training steps."""

    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    log: list[dict[str, float]] = field(default_factory=list)

    def note(self, **figures: float) -> None:
        """Add a row to the log."""
        rounded = {name: round(value, 5) for name, value in figures.items()}
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


def save_run(
    folder: Path, model: StatefulModel, average: Average, optimiser: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write what `load_run` reads, and the log as CSV."""
    state = {
        "model": model.own_state(),
        "average": average.state,
        "optimiser": optimiser.state_dict(),
        "progress": dataclasses.asdict(progress),
        "torch_rng": torch.get_rng_state(),
    }
    with replacing(folder / STATE_NAME) as path:
        torch.save(state, path)
    if progress.log:
        columns = list(dict.fromkeys(key for row in progress.log for key in row))
        with replacing(folder / "log.csv") as path, open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(progress.log)


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG; a crash never leaves half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG")


def load_run(
    folder: Path, model: StatefulModel, average: Average, optimiser: torch.optim.Optimizer
) -> Progress:
    """Continue from `save_run`. Raises CheckpointError when nothing is there or it does not fit."""
    path = folder / STATE_NAME
    if not path.exists():
        raise CheckpointError(f"{folder} holds no {STATE_NAME}: nothing to resume. Start without --resume.")
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_own_state(state["model"], where=str(path))
    device = next(model.parameters()).device
    average.state = {k: v.to(device) for k, v in state["average"].items()}
    optimiser.load_state_dict(state["optimiser"])
    torch.set_rng_state(state["torch_rng"])
    return Progress(**state["progress"])


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Weight decay on matrices and kernels only, not on biases and norms."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
