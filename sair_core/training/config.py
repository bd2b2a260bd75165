"""What a training run does, saved beside its result."""

from __future__ import annotations

from dataclasses import dataclass

from sair_core.config import require
from sair_core.training.schedule import cosine, halving


@dataclass(frozen=True)
class TrainConfig:
    """A run ends after `steps` optimiser steps, or after `minutes` of training when that is given.

    batch and queries are per step at `size_px`. In the last `final_share` of the run photos are seen at
    `final_size_px` and the batch shrinks so that a step costs the same; queries a photo grow instead.
    hole_share: share of the queried pixels that lie inside the hole: the weight of the hole in the loss.
    scale_share: share of the steps where pixels are asked for that are up to `scale_max` times finer than the
    picture, of which there are then 4 or 16 smaller ones in the place of each.
    squared_weight: weight of the squared error beside L1. L1 alone asks for the median of what could be in
    a hole; some squared error moves the answer towards the mean, which PSNR rewards.
    semantic_weight, label_weight: of the semantics' distance to those of the unmasked picture, and of their
    cross-entropy where pixels have classes; asked of `semantic_queries` pixels a photo. guide_share: share of
    the steps in which the holes are filled by what the truth would be called, so that words are listened to.
    start: a model (bundled name, folder, hub id) whose weights the run begins with.
    """

    data: tuple[str, ...]
    output: str
    preset: str = "lite"
    semantics: str | None = None
    start: str | None = None
    val: tuple[str, ...] = ()
    val_share: float = 0.015
    size_px: int = 128
    final_size_px: int = 256
    final_share: float = 0.5
    batch: int = 16
    queries: int = 1536
    hole_share: float = 0.8
    scale_share: float = 0.0
    scale_max: float = 4.0
    squared_weight: float = 0.0
    semantic_weight: float = 0.2
    label_weight: float = 0.02
    semantic_queries: int = 256
    guide_share: float = 0.25
    steps: int = 14000
    minutes: float | None = None
    learning_rate: float = 1.2e-3
    schedule: str = "cosine"
    warmup_steps: int = 200
    halve_every: float = 0.5
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    clip_norm: float = 1.0
    ema: float = 0.999
    bf16: bool = True
    device: str = "auto"
    workers: int = 1
    seed: int = 0
    validate_every: int = 500
    save_every: int = 250

    def __post_init__(self) -> None:
        require(bool(self.data), "data: name at least one folder of photos")
        for name in ("semantic_weight", "label_weight"):
            require(getattr(self, name) >= 0, f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("size_px", "final_size_px", "batch", "queries", "steps", "validate_every", "save_every",
                     "semantic_queries"):  # fmt: skip
            require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}")
        for name in (
            "final_share",
            "hole_share",
            "scale_share",
            "val_share",
            "ema",
            "halve_every",
            "guide_share",
        ):
            require(0 <= getattr(self, name) <= 1, f"{name} must be within [0, 1], got {getattr(self, name)}")
        require(
            self.schedule in ("cosine", "step"), f"schedule must be cosine or step, got {self.schedule!r}"
        )
        require(self.scale_max >= 1, f"scale_max must be at least 1, got {self.scale_max}")
        require(self.squared_weight >= 0, f"squared_weight must not be negative, got {self.squared_weight}")
        require(self.minutes is None or self.minutes > 0, f"minutes must be positive, got {self.minutes}")
        require(self.learning_rate > 0, f"learning_rate must be positive, got {self.learning_rate}")

    def phase(self, progress: float) -> int:
        """0 while photos are seen at `size_px`, 1 at `final_size_px`; progress in [0, 1]."""
        return int(progress >= 1 - self.final_share)

    def shape(self, phase: int) -> tuple[int, int, int]:
        """`(size_px, batch, queries)` of a phase."""
        if phase == 0:
            return self.size_px, self.batch, self.queries
        area = (self.final_size_px / self.size_px) ** 2
        batch = max(1, round(self.batch / area))
        return self.final_size_px, batch, max(1, self.queries * self.batch // batch)

    def rate(self, step: int, progress: float) -> float:
        """Learning rate: linear warm-up, then cosine to zero or halved every `halve_every` of the run."""
        if self.schedule == "cosine":
            return self.learning_rate * cosine(progress, step, self.warmup_steps)
        return self.learning_rate * halving(progress, step, self.warmup_steps, self.halve_every)
