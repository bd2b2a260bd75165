"""Configurations of training runs, saved beside their results; each is the command line of its task."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Annotated, Literal

from sair_core.command_line import Option
from sair_core.config import require, strict_dataclass
from sair_core.photos.degrade import parse_degradation
from sair_core.training.schedule import cosine, halving, warmup
from sair_core.weights.bundled import BUNDLED_ENCODER

if TYPE_CHECKING:
    from typing_extensions import Self

FOLDERS = Option(metavar="FOLDER")
MODEL = Option("--model", metavar="{sair,detail,spn,select}")


@strict_dataclass
class RunConfig:
    """What the training of any model has.

    A run ends after `steps` optimiser steps, or after `minutes` of training when that is given. In the last
    `final_share` of the run photos are seen at `final_size_px` and the batch shrinks so that a step costs the
    same. Each of several processes has a batch.
    """

    data: Annotated[tuple[str, ...], FOLDERS]
    """folders of photos (repeat or list)"""
    output: Annotated[str, FOLDERS]
    """run folder: checkpoint, log, validation pictures, model"""
    kind: Annotated[str, MODEL] = ""
    """what is trained: sair, detail (a SAIR's views), spn or select (the object under points)"""
    preset: str | None = None
    """model configuration, with the recipe of its paper where it is of one: lite, tiny, paper, and for a SAIR
    lite-trunk, liif, edsr, sem-edsr, lte, sem-lte, nfs, ous, sam, for an SPN spl; default: that of --from, or
    lite"""
    start: Annotated[str | None, Option("--from", metavar="MODEL")] = None
    """model whose weights to begin with: bundled name, folder or hub id"""
    val: Annotated[tuple[str, ...], FOLDERS] = ()
    """folders of validation photos; default: a part of --data is held back"""
    val_share: float = 0.015
    """share of --data that is held back"""
    size_px: int = 128
    """side of the training squares, px"""
    final_size_px: int = 256
    """side in the last part of the run, px"""
    final_share: float = 0.5
    """how much of the run that last part is"""
    batch: int = 16
    """photos a step at --size-px, in each process"""
    accumulate: int = 1
    """parts that a batch is computed in, for less memory"""
    steps: int = 14000
    """length of the run in optimiser steps"""
    minutes: float | None = None
    """length of the run in minutes of training instead"""
    epochs: float | None = None
    """length of the run in epochs (each photo once, at --size-px) instead"""
    patience_minutes: float | None = None
    """end once no validation was better for so many minutes of training; default: never"""
    learning_rate: float = 1.2e-3
    """highest learning rate"""
    warmup_steps: int = 200
    """steps until it is reached"""
    betas: tuple[float, float] = (0.9, 0.99)
    """decay rates of Adam's moments"""
    clip_norm: float = 1.0
    """largest gradient norm; 0: any"""
    ema: float = 0.999
    """decay of the weights' moving average"""
    bf16: bool = True
    """compute in bfloat16 where that is faster, else in float32"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    workers: int = 1
    """processes that prepare samples"""
    seed: int = 0
    """of weights, samples and validation split"""
    validate_every: int = 500
    """steps between validations"""
    save_every: int = 250
    """steps between saved states"""

    def __post_init__(self) -> None:
        require(bool(self.data), "data: name at least one folder of photos")
        self._require_positive("size_px", "final_size_px", "batch", "steps", "validate_every", "save_every")
        self._require_positive("accumulate", "learning_rate")
        self._require_shares("final_share", "val_share", "ema")
        for name in ("minutes", "epochs", "patience_minutes"):
            value = getattr(self, name)
            require(value is None or value > 0, f"{name} must be positive, got {value}")

    def with_epochs(self, photos: int, processes: int) -> Self:
        """Return the configuration of a run on so many photos: its epochs, where it has any, as steps."""
        if self.epochs is None:
            return self
        steps = math.ceil(self.epochs * photos / (self.batch * processes))
        return dataclasses.replace(self, steps=steps)

    def rate(self, step: int, share: float) -> float:
        """Return the learning rate: linear warm-up, then cosine to zero. share: of the run, in [0, 1]."""
        return self.learning_rate * cosine(share, step, self.warmup_steps)

    def phase(self, share: float) -> int:
        """Return 0 while photos are seen at `size_px`, then 1. share: of the run, in [0, 1]."""
        return int(share >= 1 - self.final_share)

    def shape(self, phase: int) -> tuple[int, int]:
        """Return `(size_px, batch)` of a phase."""
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
    """Train a SAIR on folders of photos."""

    kind: Annotated[Literal["sair"], MODEL] = "sair"
    semantics: str | None = None
    """full, none (LIIF), unfilled (NFS) or only (OUS); default: as it is configured"""
    encoder: Annotated[str | None, Option(metavar="NAME")] = None
    """semantic encoder: sair-clip, a folder, an open_clip model (ViT-B-16, or ViT-B-16:TAG), hf-hub:ORG/NAME,
    or a network of timm (samvit_base_patch16 is SAM's); default: as it is configured"""
    encoder_upsample: float | None = None
    """how many times a photo is enlarged before the semantic encoder; default: as it is configured"""
    appearance: Literal["unet", "table4", "edsr"] | None = None
    """another appearance encoder; default: as it is configured"""
    initial_fill: Literal["zero", "pull_push"] | None = None
    """what that encoder finds in a hole; default: as it is configured"""
    oracle: bool = False
    """semantics under holes are those of the whole photo: what a perfect SIR would be worth"""
    sir_only: bool = False
    """train what completes the semantics under a hole and nothing else, for another semantic encoder"""
    queries: int = 1536
    """pixels asked for a photo at --size-px; they grow where the batch shrinks"""
    hole_share: Annotated[float | Literal["even"], Option(metavar="X|even")] = 0.8
    """share of these inside the hole: the weight of the hole in the loss; even: pixels alike, wherever they
    are"""
    masks: Annotated[str | None, Option(metavar="FOLDER")] = None
    """folder of masks to train with, white = hole, the bins in equal parts; default: they are drawn"""
    degrade: Annotated[tuple[str, ...], Option(metavar="KIND:STRENGTH")] = ()
    """what photos meet beside holes, one of these each: noise:0.1, blur:2, scale:4, several as
    blur:2+noise:0.1, a range as scale:1-4, or none"""
    scale_share: float = 0.0
    """share of the steps where finer pixels than the picture's are asked for, of 4 or 16 smaller pictures in
    the place of each"""
    scale_max: float = 4.0
    """how much finer at most"""
    # L1 alone asks for the median of what could be in a hole; some squared error moves the answer towards the
    # mean, which PSNR rewards.
    squared_weight: float = 0.0
    """weight of the squared error beside L1"""
    perceptual_weight: float | None = None
    """weight of the distance of an ImageNet classifier's maps; default: 0, or 0.02 with --from where the
    classifier's package is installed"""
    semantic_weight: float = 0.2
    """weight of the semantics' distance to those of the unmasked picture"""
    label_weight: float = 0.02
    """weight of their cross-entropy where pixels have classes"""
    semantic_queries: int = 256
    """pixels a photo asked for their meaning"""
    guide_share: float = 0.25
    """share of the steps in which the holes are filled by what the truth would be called"""
    schedule: Literal["cosine", "step"] = "cosine"
    """to zero, or halved in steps"""
    halve_every: float = 0.5
    """share of the run after which the step schedule halves the rate"""
    weight_decay: float = 0.01
    """AdamW's weight decay"""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_positive("queries", "semantic_queries")
        self._require_not_negative("semantic_weight", "label_weight", "squared_weight")
        require(
            self.perceptual_weight is None or self.perceptual_weight >= 0,
            f"perceptual_weight must not be negative, got {self.perceptual_weight}",
        )
        self._require_shares("scale_share", "halve_every", "guide_share")
        if self.hole_share != "even":
            self._require_shares("hole_share")
        for text in self.degrade:
            parse_degradation(text)
        require(
            not (self.degrade and self.scale_share),
            "--degrade asks for finer pixels by a scale: leave --scale-share out.",
        )
        require(self.scale_max >= 1, f"scale_max must be at least 1, got {self.scale_max}")

    def queries_of(self, phase: int) -> int:
        """Return how many pixels a photo is asked for in a phase."""
        return max(1, self.queries * self.batch // self.shape(phase)[1])

    def rate(self, step: int, share: float) -> float:
        """Return the learning rate: linear warm-up, then cosine to zero or halved every `halve_every`."""
        if self.schedule == "cosine":
            return super().rate(step, share)
        return self.learning_rate * halving(share, step, self.warmup_steps, self.halve_every)


@strict_dataclass
class DetailTrainConfig(RunConfig):
    """Train a SAIR's `detail` on folders of photos: what views show between a photo's pixels.

    A photo is reduced to --size-px and asked for pixels that are up to four times finer.
    """

    kind: Annotated[Literal["detail"], MODEL] = "detail"
    size_px: int = 48
    final_size_px: int = 48
    queries: int = 2304
    """pixels asked for a photo"""
    learning_rate: float = 2e-3
    weight_decay: float = 0.0
    """AdamW's weight decay"""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_positive("queries")


@strict_dataclass
class SpnTrainConfig(RunConfig):
    """Train an SPN on folders of photos (its paper, 3.3): losses of Eq. (12), or Eq. (15) when probabilistic.

    The rate is a tenth in the last quarter of the run. Weights that are not given are those of `WEIGHTS`.
    """

    kind: Annotated[Literal["spn"], MODEL] = "spn"
    learning_rate: float = 1e-4
    warmup_steps: int = 0
    betas: tuple[float, float] = (0.0, 0.9)
    clip_norm: float = 10.0
    probabilistic: Annotated[bool | None, Option(metavar="{yes,no}")] = None
    """several fills for one hole; default: as the model to begin with, or yes"""
    adversary: Literal["projected", "patch"] = "projected"
    """what judges the fills: maps of an ImageNet classifier, or the paper's patch discriminator"""
    scales: int | None = None
    """priors that are learnt and used, 1 (SPL) to 3; default: as it is configured"""
    blocks: int | None = None
    """SPADE ResBlocks at the coarsest scale (the paper's Table 4: 4, 8 and 12)"""
    fusion: Literal["spade", "concat"] | None = None
    """how a prior enters the generator; concat: the paper's "w/o SPADE\""""
    pretext: Annotated[str | None, Option(metavar="NAME")] = None
    """what the priors are distilled from: a network of timm, sair-clip, another SPN (spn-lite, a folder), the
    folder of an open_clip model, edges, or none"""
    random_pretext: bool = False
    """leave that network with random weights, the paper's "SPN w / rand\""""
    masks: Annotated[str | None, Option(metavar="FOLDER")] = None
    """folder of masks to train with, white = hole, the bins in equal parts; default: they are drawn"""
    judge: str = "tf_efficientnet_lite2"
    """classifier whose maps the projected adversary sees: tf_efficientnet_lite0, 1 or 2"""
    image_steps: int = 0
    """steps at the beginning in which fills learn neither from the adversary nor to differ"""
    object_share: float = 0.5
    """share of the batches whose holes are as large as objects and as round"""
    pale_share: float = 0.5
    """share of the photos that are shown with less contrast and around another grey, as in fog or at dusk"""
    twice_share: float = 0.5
    """share of a batch that is filled twice, with other noise, to make fills differ (Eq. 14)"""
    prior_weight: float | None = None
    """weight of the distance to the pretext model, Eq. (4)"""
    image_weight: float | None = None
    """lambda 1, of the colours, Eq. (10)"""
    adversarial_weight: float | None = None
    """lambda 2, Eq. (11)"""
    feature_weight: float | None = None
    """lambda 3, Eq. (13)"""
    diverse_weight: float | None = None
    """lambda 4, Eq. (14)"""
    kl_weight: float | None = None
    """lambda 5, Eq. (6)"""
    gamut_weight: float | None = None
    """weight of colours beyond those of the photo, which the paper does not have"""
    # With the paper's 1e-5 two equal fills, as all are at first, cost 100,000.
    epsilon: float = 0.02
    """of Eq. (14), which keeps the loss of two equal fills finite"""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_shares("twice_share", "object_share", "pale_share")
        self._require_not_negative("image_steps")
        self._require_positive("epsilon")

    def rate(self, step: int, share: float) -> float:
        """Return the learning rate: linear warm-up, and a tenth in the last quarter."""
        return self.learning_rate * (0.1 if share >= 0.75 else 1.0) * warmup(step, self.warmup_steps)


@strict_dataclass
class SelectionTrainConfig(RunConfig):
    """Train what selects the object under points, on folders of photos with label maps.

    NAME.png lies beside NAME.jpg, and classes.json in the folder or above it. Squares of --size-px are seen.
    """

    kind: Annotated[Literal["select"], MODEL] = "select"
    encoder: Annotated[str, Option(metavar="NAME")] = BUNDLED_ENCODER
    """semantic encoder that reads the photos: one that knows words, as in a training of a SAIR"""
    size_px: int = 160
    final_size_px: int = 160
    batch: int = 8
    val_share: float = 0.05
    steps: int = 3000
    learning_rate: float = 2e-3
    warmup_steps: int = 50
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    """AdamW's weight decay"""
    ema: float = 0.99
    bf16: bool = False
    workers: int = 0  # each would hold what the encoder made of all photos

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.preset is None, "preset: what selects objects has none. Leave --preset out.")
        for name in ("size_px", "final_size_px"):
            value = getattr(self, name)
            require(value % 16 == 0, f"{name} must be a multiple of 16, got {value}")
