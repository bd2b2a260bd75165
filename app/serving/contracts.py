"""What the app asks of models, and how they are loaded: the only place that imports the pipeline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from sair_core.errors import ModelNotFoundError, SairError
from sair_core.photos.photo import Photo
from sair_core.progress import Cancelled, Progress
from sair_core.semantics.map import SemanticMap
from sair_core.window import Window

from ..host.limits import hosted
from .zero import on_lent_gpu

if TYPE_CHECKING:
    from sair_core.filling.priors import PriorView
    from sair_core.filling.result import FillResult
    from sair_core.zoom.cache import FeatureCache

# Names only, never a path: the visitor must not reach the server's files through the encoder's field.
ENCODER_NAME = re.compile(r"hf-hub:\w[\w.-]*/\w[\w.-]*|\w[\w.-]*(/\d[\w.-]*)? \w[\w.-]*", re.ASCII)


class Reader(Protocol):
    """What the app asks of a semantic reader. model: None where nothing completes what a hole hides."""

    model: Any

    def read(self, rgb: np.ndarray, hole: np.ndarray | None = None, *, complete: bool = True) -> Any: ...

    def name(self, embedding: Any, labels: Sequence[str], *, window: Window | None = None) -> SemanticMap: ...


class Pipeline(Protocol):
    """What the app asks of a pipeline."""

    device: Any
    reader: Reader

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
        window: Window | None = None,
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
        window: Window | None = None,
        quality: int = 95,
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


def load_pipeline(model: str, device: str = "auto") -> Pipeline:
    """Imports torch and reads the weights: seconds, so never at the app's own import."""
    from sair_core.pipeline import InpaintPipeline

    return on_lent_gpu(InpaintPipeline.from_pretrained(model, device=device))


def load_reader(encoder: str, device: str) -> Reader:
    """A reader with an encoder of open_clip's ("NAME TAG") or of the hub's ("hf-hub:..."): fetched, then kept
    on disk. Raises ModelNotFoundError when it is no such name or cannot be fetched, and wherever the app is
    hosted: a visitor's wish must not fill the host's disk."""
    if hosted():
        raise ModelNotFoundError("Other encoders are not fetched on this host. Choose the bundled one.")
    if not ENCODER_NAME.fullmatch(encoder):
        raise ModelNotFoundError(
            f"{encoder!r} names no encoder. Write an open_clip name and the tag of its weights, for example "
            '"ViT-B-16 laion2b_s34b_b88k", or a repository as "hf-hub:organisation/name".'
        )
    import open_clip  # takes seconds

    from sair_core.encoders.semantic import SemanticConfig
    from sair_core.semantics.reader import SemanticReader

    name, _, tag = encoder.partition(" ")
    if tag and not open_clip.is_pretrained_cfg(name.replace("/", "-"), tag):
        raise ModelNotFoundError(
            f"open_clip has no weights {tag!r} for {name!r}. Its repository lists names and tags in "
            "docs/PRETRAINED.md."
        )
    try:
        return SemanticReader.from_pretrained(
            SemanticConfig(name, tag or None, keep_text=True), device=device
        )
    except SairError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # what the libraries below say in their own words
        raise ModelNotFoundError(f"{encoder} could not be loaded ({error}). Choose another.") from error
