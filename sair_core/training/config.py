"""What a training run does, saved beside its result."""

from __future__ import annotations

from sair_core.config import require, strict_dataclass
from sair_core.training.schedule import cosine, halving, warmup


@strict_dataclass
class RunConfig:
    """What the training of any model has.

    A run ends after `steps` optimiser steps, or after `minutes` of training when that is given.
    batch is per step at `size_px`. In the last `final_share` of the run photos are seen at `final_size_px`
    and the batch shrinks so that a step costs the same.
    accumulate: parts that a batch is computed in, for less memory. Each of several processes has a batch.
    start: a model (bundled name, folder, hub id) whose weights the run begins with. preset: what is built;
    None: what `start` is, or without one "lite".
    """

    data: tuple[str, ...]
    output: str
    preset: str | None = None
    start: str | None = None
    val: tuple[str, ...] = ()
    val_share: float = 0.015
    size_px: int = 128
    final_size_px: int = 256
    final_share: float = 0.5
    batch: int = 16
    steps: int = 14000
    minutes: float | None = None
    learning_rate: float = 1.2e-3
    warmup_steps: int = 200
    clip_norm: float = 1.0
    accumulate: int = 1
    ema: float = 0.999
    bf16: bool = True
    device: str = "auto"
    workers: int = 1
    seed: int = 0
    validate_every: int = 500
    save_every: int = 250

    def __post_init__(self) -> None:
        require(bool(self.data), "data: name at least one folder of photos")
        self._require_positive("size_px", "final_size_px", "batch", "steps", "validate_every", "save_every")
        self._require_positive("accumulate", "learning_rate")
        self._require_shares("final_share", "val_share", "ema")
        require(self.minutes is None or self.minutes > 0, f"minutes must be positive, got {self.minutes}")

    def phase(self, progress: float) -> int:
        """0 while photos are seen at `size_px`, 1 at `final_size_px`; progress in [0, 1]."""
        return int(progress >= 1 - self.final_share)

    def shape(self, phase: int) -> tuple[int, int]:
        """`(size_px, batch)` of a phase."""
        if phase == 0:
            return self.size_px, self.batch
        area = (self.final_size_px / self.size_px) ** 2
        return self.final_size_px, max(1, round(self.batch / area))

    def _require_positive(self, *names: str) -> None:
        for name in names:
            require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}")

    def _require_shares(self, *names: str) -> None:
        for name in names:
            require(0 <= getattr(self, name) <= 1, f"{name} must be within [0, 1], got {getattr(self, name)}")

    def _require_not_negative(self, *names: str) -> None:
        for name in names:
            require(getattr(self, name) >= 0, f"{name} must not be negative, got {getattr(self, name)}")


@strict_dataclass
class TrainConfig(RunConfig):
    """Training of a SAIR.

    queries: pixels asked for a photo at `size_px`; they grow where the batch shrinks.
    hole_share: share of the queried pixels that lie inside the hole: the weight of the hole in the loss.
    scale_share: share of the steps where pixels are asked for that are up to `scale_max` times finer than the
    picture, of which there are then 4 or 16 smaller ones in the place of each.
    squared_weight: weight of the squared error beside L1. L1 alone asks for the median of what could be in
    a hole; some squared error moves the answer towards the mean, which PSNR rewards.
    semantic_weight, label_weight: of the semantics' distance to those of the unmasked picture, and of their
    cross-entropy where pixels have classes; asked of `semantic_queries` pixels a photo. guide_share: share of
    the steps in which the holes are filled by what the truth would be called, so that words are listened to.
    """

    kind: str = "sair"
    semantics: str | None = None
    queries: int = 1536
    hole_share: float = 0.8
    scale_share: float = 0.0
    scale_max: float = 4.0
    squared_weight: float = 0.0
    semantic_weight: float = 0.2
    label_weight: float = 0.02
    semantic_queries: int = 256
    guide_share: float = 0.25
    schedule: str = "cosine"
    halve_every: float = 0.5
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_positive("queries", "semantic_queries")
        self._require_not_negative("semantic_weight", "label_weight", "squared_weight")
        self._require_shares("hole_share", "scale_share", "halve_every", "guide_share")
        require(
            self.schedule in ("cosine", "step"), f"schedule must be cosine or step, got {self.schedule!r}"
        )
        require(self.scale_max >= 1, f"scale_max must be at least 1, got {self.scale_max}")

    def queries_of(self, phase: int) -> int:
        """Pixels asked for a photo in a phase."""
        return max(1, self.queries * self.batch // self.shape(phase)[1])

    def rate(self, step: int, progress: float) -> float:
        """Learning rate: linear warm-up, then cosine to zero or halved every `halve_every` of the run."""
        if self.schedule == "cosine":
            return self.learning_rate * cosine(progress, step, self.warmup_steps)
        return self.learning_rate * halving(progress, step, self.warmup_steps, self.halve_every)


@strict_dataclass
class DetailTrainConfig(RunConfig):
    """Training of a SAIR's `detail`: what views show between a photo's pixels.

    size_px: of the reduced photo, which is asked for `queries` pixels that are up to four times finer.
    """

    kind: str = "detail"
    size_px: int = 48
    final_size_px: int = 48
    queries: int = 2304
    learning_rate: float = 2e-3
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_positive("queries")

    def rate(self, step: int, progress: float) -> float:
        """Learning rate: linear warm-up, then cosine to zero."""
        return self.learning_rate * cosine(progress, step, self.warmup_steps)


@strict_dataclass
class SpnTrainConfig(RunConfig):
    """Training of an SPN (its paper, 3.3): losses of Eq. (12), or Eq. (15) when probabilistic.

    The rate is a tenth in the last quarter of the run. twice_share: share of a batch that is filled a second
    time, with other noise, for the diversity of Eq. (14). probabilistic: None is what the model to begin with
    is, or True. The weights are those of `SpnWeights`.
    """

    kind: str = "spn"
    learning_rate: float = 1e-4
    warmup_steps: int = 0
    clip_norm: float = 10.0
    probabilistic: bool | None = None
    twice_share: float = 0.5
    prior_weight: float = 1.0
    image_weight: float = 10.0
    adversarial_weight: float = 1.0
    feature_weight: float = 10.0
    diverse_weight: float = 0.05
    kl_weight: float = 0.05
    betas: tuple[float, float] = (0.0, 0.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_shares("twice_share")

    def rate(self, step: int, progress: float) -> float:
        """Learning rate: a tenth in the last quarter."""
        return self.learning_rate * (0.1 if progress >= 0.75 else 1.0) * warmup(step, self.warmup_steps)
