"""ZeroGPU: where Hugging Face lends a GPU for one piece of work at a time.

There, the work runs in a fork of this process that has the GPU. What it is given and what it gives back are
pickled on the way, so callbacks and caches stay behind; of its errors only the names would arrive, so ours
travel as values. Everywhere else a pipeline is left as it is.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sair_core.errors import SairError
from sair_core.progress import Cancelled, Progress, never_cancelled, no_progress, raise_if_cancelled

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from sair_core.filling.priors import PriorView
    from sair_core.filling.result import FillResult
    from sair_core.photos.photo import Photo
    from sair_core.semantics.map import SemanticMap
    from sair_core.semantics.points import Labels, Points
    from sair_core.window import Window
    from sair_core.zoom.cache import FeatureCache

    from .contracts import Pipeline, Reader

# Only Spaces have it. Imported before torch, which it changes where GPUs are lent.
spaces: Any = importlib.import_module("spaces") if importlib.util.find_spec("spaces") else None

START_SECONDS = 10  # for the weights to reach the GPU
MEGAPIXEL_SECONDS = 2.0  # of output; more than it takes, as late work is killed
MAX_SECONDS = 120  # the lender refuses to be asked for more
F = TypeVar("F", bound=Callable[..., Any])
P = TypeVar("P", bound="Pipeline")


def gpus_are_lent() -> bool:
    """Return whether this runs where GPUs are lent."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def on_gpu(seconds: Callable[..., int]) -> Callable[[F], F]:
    """Decorate work that needs the GPU; without the package `spaces` the work stays what it is.

    seconds: given what the work is given, how long to ask for the GPU.
    """
    return (lambda work: work) if spaces is None else spaces.GPU(duration=seconds)


def gpu_seconds(
    name: str, size_px: tuple[int, int], arguments: Sequence[Any], options: dict[str, Any]
) -> int:
    """Return how long to ask for the GPU for a result of (height, width), or several of them."""
    megapixels = options.get("count", 1) * size_px[0] * size_px[1] / 1e6
    return min(MAX_SECONDS, math.ceil(START_SECONDS + MEGAPIXEL_SECONDS * megapixels))


def on_lent_gpu(pipeline: P) -> P | BorrowingPipeline:
    """Return a pipeline that borrows a GPU for each piece of work where GPUs are lent, else the one given.

    There, call this before the app is launched and in the main thread: the forks know what is loaded then.
    """
    return BorrowingPipeline(pipeline) if gpus_are_lent() else pipeline


class BorrowingPipeline:
    """A `contracts.Pipeline` and `Painter`. Nothing of a photo is remembered from one call to the next."""

    def __init__(self, pipeline: Pipeline):
        reader = pipeline.reader  # loaded now, for the forks

        def name(unread: Unread, labels: Sequence[str], window: Window | None) -> SemanticMap:
            embedding = reader.read(unread.rgb, unread.hole, complete=unread.complete)
            return reader.name(embedding, labels, window=window)

        @on_gpu(gpu_seconds)
        def work(
            what: str, size_px: tuple[int, int], arguments: Sequence[Any], options: dict[str, Any]
        ) -> Any:
            act = name if what == "name" else getattr(pipeline, what)
            try:
                return act(*arguments, **options)
            except SairError as error:
                return error

        self._work = work
        self.device = pipeline.device
        self.reader = BorrowingReader(reader, self._call)

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
    ) -> list[FillResult]:
        options = {
            "count": count, "seed": seed, "words": words, "strength": strength, "texture": texture,
            "source": source,
        }  # fmt: skip
        return self._call(
            "variations", photo.size_px, photo, mask, options=options, progress=progress, cancelled=cancelled
        )

    def priors(self, photo: Photo, mask: np.ndarray, *, seed: int = 0) -> list[PriorView]:
        return self._call("priors", photo.size_px, photo, mask, options={"seed": seed})

    def prepare(self, photo: Photo) -> None:
        """Do nothing: a GPU is borrowed only for what was asked for."""

    def mask_from_words(self, photo: Photo, words: str) -> Image.Image:
        return self._call("mask_from_words", photo.size_px, photo, words)

    def mask_from_points(
        self, photo: Photo, points: Points, labels: Labels | None = None, *, grow_px: float = 0.0
    ) -> np.ndarray:
        options = {"grow_px": grow_px}
        return self._call("mask_from_points", photo.size_px, photo, points, labels, options=options)

    def view(
        self,
        photo: Photo,
        mask: np.ndarray | None = None,
        *,
        window: Window,
        cache: FeatureCache | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Image.Image:
        return self._call(
            "view", window.size_px, photo, mask,
            options={"window": window}, progress=progress, cancelled=cancelled,
        )  # fmt: skip

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
    ) -> tuple[int, int]:
        return self._call(
            "export", window.size_px, photo, path,
            options={"mask": mask, "window": window}, progress=progress, cancelled=cancelled,
        )  # fmt: skip

    def _call(
        self,
        name: str,
        size_px: tuple[int, int],
        *arguments: Any,
        options: dict[str, Any] | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Any:
        """Call a method of the pipeline on a lent GPU. size_px: of its result, (height, width)."""
        raise_if_cancelled(cancelled or never_cancelled)
        (progress or no_progress)(0.05, "Waiting for a GPU")
        outcome = self._work(name, size_px, arguments, options or {})
        if isinstance(outcome, SairError):
            raise outcome
        return outcome


class Unread(NamedTuple):
    """What a reader is given to read."""

    rgb: np.ndarray
    hole: np.ndarray | None
    complete: bool


class BorrowingReader:
    """A `contracts.Reader`. An embedding would stay on the GPU, so a photo is read when it is named."""

    def __init__(self, reader: Reader, call: Callable[..., Any]):
        """call: as `BorrowingPipeline._call`."""
        self.model = reader.model
        self._call = call

    def read(self, rgb: np.ndarray, hole: np.ndarray | None = None, *, complete: bool = True) -> Unread:
        return Unread(rgb, hole, complete)

    def name(self, embedding: Unread, labels: Sequence[str], *, window: Window | None = None) -> SemanticMap:
        size_px = embedding.rgb.shape[:2] if window is None else window.size_px
        return self._call("name", size_px, embedding, labels, window)
