"""What the app asks of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from sair_core.config import require
from sair_core.errors import ConfigError
from sair_core.filling.engines import NATURAL
from sair_core.photos.photo import Photo
from sair_core.progress import Cancelled, Progress
from sair_core.semantics.map import SemanticMap
from sair_core.window import Window

if TYPE_CHECKING:
    from sair_core.filling.priors import PriorView
    from sair_core.filling.result import FillResult
    from sair_core.semantics.points import Labels, Points
    from sair_core.zoom.cache import FeatureCache


def read_whole(value: float | None, name: str) -> int:
    """Return a number that has to be whole. Raises ConfigError that calls it by its name."""
    if value is None or value != int(value):
        raise ConfigError(f"The {name} must be a whole number, for example 1.")
    return int(value)


class Reader(Protocol):
    """What the app asks of a semantic reader."""

    @property
    def model(self) -> Any:
        """The SAIR that completes what a hole hides; None where nothing does."""

    def read(self, rgb: np.ndarray, hole: np.ndarray | None = None, *, complete: bool = True) -> Any: ...

    def name(self, embedding: Any, labels: Sequence[str], *, window: Window | None = None) -> SemanticMap: ...


@dataclass(frozen=True, eq=False)
class FillOptions:
    """What a fill is asked for besides photo and mask.

    engine: of `Models.engines`. seed: SMOOTH has one fill for a hole, whatever the seed. words: what to fill
    with; blank: what the model sees fit. strength: how much they count, in [0, 1]. source: bool `(H, W)`,
    where NATURAL takes texture from. PAINTED and the model of others heed neither words nor source.
    """

    engine: str = NATURAL
    seed: int = 0
    words: str = ""
    strength: float = 1.0
    source: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for a strength out of range."""
        require(
            0 <= self.strength <= 1, f"The strength of words must be between 0 and 1, not {self.strength:g}."
        )


class Filler(Protocol):
    """What fills holes: a pipeline around any model."""

    def variations(
        self,
        photo: Photo,
        mask: np.ndarray,
        count: int,
        *,
        seed: int = 0,
        words: str | None = None,
        strength: float = 1.0,
        texture: bool | None = None,
        source: np.ndarray | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> list[FillResult]: ...


class Pipeline(Filler, Protocol):
    """What the app asks of a pipeline."""

    @property
    def device(self) -> Any: ...

    @property
    def reader(self) -> Reader: ...

    def prepare(self, photo: Photo) -> None: ...

    def mask_from_words(self, photo: Photo, words: str) -> Image.Image: ...

    def mask_from_points(
        self, photo: Photo, points: Points, labels: Labels | None = None, *, grow_px: float = 0.0
    ) -> np.ndarray: ...

    def view(
        self,
        photo: Photo,
        mask: np.ndarray | None = None,
        *,
        window: Window,
        cache: FeatureCache | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Image.Image: ...

    def export(
        self,
        photo: Photo,
        path: Path,
        *,
        mask: np.ndarray | None = None,
        window: Window,
        cache: FeatureCache | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> tuple[int, int]: ...


class Painter(Filler, Protocol):
    """What the app asks of a pipeline around an SPN."""

    def priors(self, photo: Photo, mask: np.ndarray, *, seed: int = 0) -> list[PriorView]: ...
