"""What a training of the text-aligned encoder does."""

from __future__ import annotations

from typing import Annotated

from sair_core.command_line import Option
from sair_core.config import require, strict_dataclass
from sair_core.training.config import FOLDERS
from sair_core.training.schedule import cosine


@strict_dataclass
class AlignConfig:
    """Train the text-aligned encoder in two stages.

    Words first: the text tower learns from a sentence encoder. Then photos: the image tower learns from
    labels, with the words held fixed.
    """

    labelled: Annotated[tuple[str, ...], FOLDERS]
    """folders of photos with label maps (NAME.jpg, NAME.png), and classes.json in them or above"""
    output: Annotated[str, FOLDERS]
    """run folder: model, log, validation pictures"""
    named: Annotated[tuple[str, ...], FOLDERS] = ()
    """folders of photos without label maps; file names may say what they show, and the classifier does"""
    start: Annotated[str | None, Option("--from", metavar="FOLDER")] = None
    """open_clip folder whose weights to begin with; its words are kept"""
    words: Annotated[str | None, FOLDERS] = None
    """open_clip folder whose words alone are kept, with a new image tower"""
    trunk: str = "tf_efficientnet_lite2"
    """timm network of the image tower; it must pool by averaging"""
    imagenet: bool = True
    """begin with its ImageNet weights, and learn from that classifier, too"""
    frozen_stages: int = 3
    """first stages of a trunk with ImageNet weights that stay as they are"""
    trunk_rate: float = 0.06
    """learning rate of such a trunk, as a share of that of its projection"""
    blend: float = 0.9
    """share of what training changed that the encoder keeps where it began with trained weights"""
    name_shift: float = 0.35
    """how far ImageNet's names move, before the image tower learns, towards where the classifier's class
    vectors lie: a share of the way; not with --from"""
    embed_dim: int = 256
    """dimensions of the common space"""
    text_width: int = 192
    """of the text tower"""
    text_layers: int = 4
    """of the text tower"""
    context_length: int = 32
    """tokens that the text tower reads"""
    text_steps: int = 3000
    """steps in which the text tower learns words"""
    text_batch: int = 384
    """phrases in such a step"""
    text_learning_rate: float = 2e-3
    """its highest learning rate"""
    steps: int = 3000
    """steps in which the image tower learns"""
    minutes: float | None = None
    """length of that part in minutes instead"""
    batch: int = 14
    """labelled crops a step"""
    named_batch: int = 6
    """crops of the other photos a step"""
    size_px: int = 256
    """side of the crops, px of the enlarged photo"""
    enlarge: tuple[float, float] = (0.8, 2.4)
    """smallest and largest enlargement of the photo"""
    distractors: int = 96
    """words a step that no pixel may be nearer to than to its own"""
    named_weight: float = 0.2
    """weight of the named photos in the loss"""
    teacher_weight: float = 1.0
    """weight of the classifier's soft labels of photos without label maps"""
    prototype_weight: float = 1.0
    """weight of features made up of its class vectors, which are to meet their names"""
    learning_rate: float = 1e-3
    """highest learning rate"""
    warmup_steps: int = 100
    """steps until it is reached"""
    weight_decay: float = 0.05
    """AdamW's weight decay"""
    clip_norm: float = 1.0
    """largest gradient norm"""
    accumulate: int = 1
    """parts that a batch is computed in, for less memory"""
    ema: float = 0.998
    """decay of the weights' moving average"""
    val_share: float = 0.06
    """share of the labelled photos that is held back"""
    bf16: bool = True
    """compute in bfloat16 where that is faster, else in float32"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    workers: int = 1
    """processes that prepare samples"""
    seed: int = 0
    """of weights, samples and validation split"""
    patience_minutes: float | None = None
    """end once no validation was better for so many minutes of training; default: never"""
    validate_every: int = 500
    """steps between validations"""
    save_every: int = 250
    """steps between saved states"""

    def __post_init__(self) -> None:
        require(bool(self.labelled), "labelled: name at least one folder of photos with label maps")
        of_the_towers = ("embed_dim", "text_width", "text_layers", "context_length")
        of_the_run = ("steps", "batch", "accumulate", "learning_rate", "validate_every", "save_every")
        for name in (*of_the_towers, *of_the_run, "text_batch", "size_px"):
            require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}")
        weights = ("named_weight", "teacher_weight", "prototype_weight")
        for name in ("text_steps", "named_batch", "distractors", "frozen_stages", *weights):
            require(getattr(self, name) >= 0, f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("trunk_rate", "blend"):
            require(0 < getattr(self, name) <= 1, f"{name} must be within (0, 1], got {getattr(self, name)}")
        require(
            self.start is None or self.words is None,
            "--from keeps the words of its folder: leave --words out.",
        )
        for name in ("ema", "val_share", "name_shift"):
            require(0 <= getattr(self, name) < 1, f"{name} must be within [0, 1), got {getattr(self, name)}")
        require(
            0 < self.enlarge[0] <= self.enlarge[1],
            f"enlarge must be two growing factors, got {self.enlarge}",
        )
        require(self.minutes is None or self.minutes > 0, f"minutes must be positive, got {self.minutes}")

    def rate(self, step: int, share: float) -> float:
        """Return the learning rate of the second stage; share: of it done, in [0, 1]."""
        return self.learning_rate * cosine(share, step, self.warmup_steps)

    def phase(self, share: float) -> int:
        """Return 0: the whole stage is one part."""
        return 0
