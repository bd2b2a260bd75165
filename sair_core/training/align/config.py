"""What a training of the text-aligned encoder does."""

from __future__ import annotations

from sair_core.config import require, strict_dataclass
from sair_core.training.schedule import cosine


@strict_dataclass
class AlignConfig:
    """Two stages: words first (the text tower learns from a teacher), then photos (words held fixed).

    labelled: folders of photos with index PNGs and a `classes.json` in them or above. named: folders of
    photos whose names say what they show. Crops are `size_px` of photos enlarged by `enlarge`.
    batch: crops a step of photos with pixel labels; named_batch: of those with names only.
    distractors: words a step that no pixel may be nearer to than to its own name.
    """

    labelled: tuple[str, ...]
    output: str
    named: tuple[str, ...] = ()
    start: str | None = None
    trunk: str = "resnet18d"
    embed_dim: int = 256
    text_width: int = 192
    text_layers: int = 4
    context_length: int = 32
    text_steps: int = 3000
    text_batch: int = 384
    text_learning_rate: float = 2e-3
    steps: int = 3000
    minutes: float | None = None
    batch: int = 14
    named_batch: int = 4
    size_px: int = 256
    enlarge: tuple[float, float] = (1.1, 2.4)
    distractors: int = 96
    named_weight: float = 0.2
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    ema: float = 0.998
    val_share: float = 0.06
    bf16: bool = True
    device: str = "auto"
    workers: int = 1
    seed: int = 0
    validate_every: int = 500
    save_every: int = 250

    def __post_init__(self) -> None:
        require(bool(self.labelled), "labelled: name at least one folder of photos with label maps")
        positive = ("embed_dim", "text_width", "text_layers", "text_batch", "steps", "batch", "size_px")
        for name in (*positive, "context_length", "learning_rate", "validate_every", "save_every"):
            require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}")
        for name in ("text_steps", "named_batch", "distractors", "named_weight"):
            require(getattr(self, name) >= 0, f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("ema", "val_share"):
            require(0 <= getattr(self, name) < 1, f"{name} must be within [0, 1), got {getattr(self, name)}")
        require(
            0 < self.enlarge[0] <= self.enlarge[1],
            f"enlarge must be two growing factors, got {self.enlarge}",
        )
        require(self.minutes is None or self.minutes > 0, f"minutes must be positive, got {self.minutes}")

    def rate(self, step: int, progress: float) -> float:
        """Learning rate of the second stage; progress in [0, 1]."""
        return self.learning_rate * cosine(progress, step, self.warmup_steps)

    def phase(self, progress: float) -> int:
        """The whole stage is one part."""
        return 0
