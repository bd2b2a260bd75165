"""Length and learning rate of a run."""

from __future__ import annotations

import math
from typing import Protocol


class Schedule(Protocol):
    """How long a run is, and how often it is validated and saved. Training configurations are schedules.

    patience_minutes: of training without a better validation, after which a run ends; None = it goes on.
    """

    @property
    def steps(self) -> int: ...

    @property
    def minutes(self) -> float | None: ...

    @property
    def patience_minutes(self) -> float | None: ...

    @property
    def validate_every(self) -> int: ...

    @property
    def save_every(self) -> int: ...

    def rate(self, step: int, share: float, /) -> float:
        """Return the learning rate of a step; share: how much of the run is done, in [0, 1]."""
        ...

    def phase(self, share: float, /) -> int:
        """Return the number of the part of the run; a new one asks the task for another loader."""
        ...


def share_done(schedule: Schedule, step: int, seconds: float) -> float:
    """Return how much of a run is done after so many steps and seconds of training; 1 or more at its end."""
    if schedule.minutes is not None:
        return seconds / (60 * schedule.minutes)
    return step / schedule.steps


def cosine(share: float, step: int, warmup_steps: int) -> float:
    """Return the factor on the highest rate: linear warm-up, then half a cosine to 0 at share 1."""
    return 0.5 * (1 + math.cos(math.pi * min(share, 1.0))) * warmup(step, warmup_steps)


def halving(share: float, step: int, warmup_steps: int, halve_every: float) -> float:
    """Return the factor on the highest rate: linear warm-up, then halved every `halve_every` of the run."""
    halvings = math.floor(share / halve_every) if halve_every else 0
    return 0.5**halvings * warmup(step, warmup_steps)


def warmup(step: int, steps: int) -> float:
    """Return a factor that grows linearly to 1 in the first `steps` steps."""
    return min(1.0, (step + 1) / max(1, steps))
