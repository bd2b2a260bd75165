"""Learning rates over a run."""

from __future__ import annotations

import math


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
