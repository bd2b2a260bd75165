"""What the app asks of models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from sair_core.photos.photo import Photo
from sair_core.progress import Cancelled, Progress
from sair_core.semantics.map import SemanticMap
from sair_core.window import Window

if TYPE_CHECKING:
    from sair_core.filling.priors import PriorView
    from sair_core.filling.result import FillResult
    from sair_core.zoom.cache import FeatureCache


class Reader(Protocol):
    """What the app asks of a semantic reader."""

    @property
    def model(self) -> Any:
        """The SAIR that completes what a hole hides; None where nothing does."""

    def read(self, rgb: np.ndarray, hole: np.ndarray | None = None, *, complete: bool = True) -> Any: ...

    def name(self, embedding: Any, labels: Sequence[str], *, window: Window | None = None) -> SemanticMap: ...


class Pipeline(Protocol):
    """What the app asks of a pipeline."""

    @property
    def device(self) -> Any: ...

    @property
    def reader(self) -> Reader: ...

    def fill(
        self,
        photo: Photo,
        mask: np.ndarray,
        *,
        seed: int = 0,
        words: str | None = None,
        strength: float = 1.0,
        progress: Progress | None = None,
    ) -> FillResult: ...

    def mask_from_words(self, photo: Photo, words: str) -> Image.Image: ...

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


class Painter(Protocol):
    """What the app asks of a pipeline around an SPN."""

    def variations(
        self,
        photo: Photo,
        mask: np.ndarray,
        count: int,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> list[FillResult]: ...

    def priors(self, photo: Photo, mask: np.ndarray, *, seed: int = 0) -> list[PriorView]: ...
