"""Length and learning rate of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # it imports torch, and `--help` should not
    from sair_core.training.state import Progress


class Schedule(Protocol):
    """How long a run is, and how often it is looked at and saved. Training configurations are schedules."""

    steps: int
    minutes: float | None
    validate_every: int
    save_every: int

    def rate(self, step: int, progress: float) -> float:
        """Learning rate at a step; progress in [0, 1]."""
        ...

    def phase(self, progress: float) -> int:
        """Number of the part of the run; a new one asks the task for another loader."""
        ...


def share_done(schedule: Schedule, progress: Progress) -> float:
    """How much of the run is done, by the clock or by steps."""
    if schedule.minutes is not None:
        return progress.seconds / (60 * schedule.minutes)
    return progress.step / schedule.steps


def cosine(progress: float, step: int, warmup_steps: int) -> float:
    """Factor on the highest rate: linear warm-up over steps, then cosine to zero; progress in [0, 1]."""
    return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))) * warmup(step, warmup_steps)


def halving(progress: float, step: int, warmup_steps: int, halve_every: float) -> float:
    """Factor on the highest rate: halved every `halve_every` of the run, after a linear warm-up."""
    halvings = math.floor(progress / halve_every) if halve_every else 0
    return 0.5**halvings * warmup(step, warmup_steps)


def warmup(step: int, steps: int) -> float:
    """Grows linearly to 1 in the first `steps` steps."""
    return min(1.0, (step + 1) / max(1, steps))
