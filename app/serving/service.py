"""The app's way to the models: one piece of work at a time."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from sair_core.errors import ConfigError, FullMaskError, ModelNotFoundError, SairError
from sair_core.photos.masks import as_mask
from sair_core.photos.photo import Photo
from sair_core.progress import Cancelled, Progress, no_progress
from sair_core.semantics.map import SemanticMap
from sair_core.weights.bundled import BUNDLED_SAIR
from sair_core.window import Window

from ..host.guards import limit_time, read_labels
from ..host.limits import OWN, limits
from .contracts import Painter, Pipeline, Reader, load_pipeline, load_reader

if TYPE_CHECKING:
    from sair_core.filling.priors import PriorView
    from sair_core.filling.result import FillResult
    from sair_core.zoom.cache import FeatureCache

log = logging.getLogger(__name__)

SHARED_FEATURE_BYTES = 64 * 2**20  # of photos that are seen without a page
BUNDLED = "Bundled"
T = TypeVar("T")


@dataclass(frozen=True)
class Reading:
    """A map, and whether the model's SIR said what the mask hides."""

    map: SemanticMap
    completed: bool


class FillService:
    """Loads the pipeline once and runs one piece of work at a time, in the order of asking."""

    def __init__(
        self,
        load: Callable[[], Pipeline],
        *,
        model: str = BUNDLED_SAIR,
        load_model: Callable[[str], Pipeline] = load_pipeline,
        load_painter: Callable[[], Painter] | None = None,
        load_reader: Callable[[str, str], Reader] = load_reader,
        max_megapixels: float = OWN.megapixels,
    ):
        """load: called on first need, in the working thread; called again later if it raised.

        model: what `load` loads is called. load_model: another model by its name. load_painter: the SPN for
        several fills of a hole, on first need; None where there is none. load_reader: another encoder by its
        name, on a device. max_megapixels: photos with more pixels are refused before they are decoded.
        """
        self.max_megapixels = max_megapixels
        self.model = self.first_model = model  # the one in use, the one that the app began with
        self._load = load
        self._load_model = load_model
        self._load_painter = load_painter
        self._load_reader = load_reader
        self._pipeline: Pipeline | None = None
        self._painter: Painter | None = None
        self._features: FeatureCache | None = None
        self._readers: dict[str, Reader] = {}  # the bundled one, and the last other one
        # One thread for all work: torch keeps its own workers per calling thread. Another one fetches
        # encoders, which can take minutes: nobody's fill waits for that.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._fetcher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fetch")
        self._waiting = 0
        self._lock = threading.Lock()

    @property
    def ready(self) -> bool:
        """Whether the model is in memory."""
        return self._pipeline is not None

    @property
    def paints(self) -> bool:
        """Whether there is an SPN: `start_variations` and `start_priors`."""
        return self._load_painter is not None

    def load(self) -> None:
        """Load the models and the reader now, in this thread. Raises what that raises."""
        self._reader(BUNDLED, self._ensure(), no_progress)
        if self.paints:
            self._ensure_painter()

    def warm_up(self, *, reader: bool = False) -> None:
        """Start to load the model in the background, with its reader if asked; a failure is logged and met
        again by the next work."""
        self._worker.submit(self._warm_up, reader)

    def start_fill(
        self,
        photo: Photo,
        mask: np.ndarray,
        *,
        seed: int = 0,
        words: str = "",
        strength: float = 1.0,
        progress: Progress | None = None,
    ) -> Future[FillResult]:
        """Queue a fill. mask: bool `(H, W)`, True = hole. The future's result is a FillResult.

        words: what to fill with; blank: what the model sees fit. strength: how much they count, in [0, 1].
        progress is called from another thread. The future raises what the pipeline raises (SairError kinds);
        so do all the others.
        """

        def work(pipeline: Pipeline, report: Progress) -> FillResult:
            guide = words if words.strip() else None
            return pipeline.fill(photo, mask, seed=seed, words=guide, strength=strength, progress=report)

        return self._start(work, progress)

    def start_variations(
        self,
        photo: Photo,
        mask: np.ndarray,
        count: int,
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Future[list[FillResult]]:
        """Queue `count` fills of one hole by the SPN, with the seeds seed, seed + 1, ...; as `start_fill`."""

        def work(painter: Painter, report: Progress) -> list[FillResult]:
            if not 1 <= count <= limits().variations:
                raise ConfigError(f"Ask for 1 to {limits().variations} variations, not {count}.")
            return painter.variations(photo, mask, count, seed=seed, progress=report)

        return self._start_painting(work, progress)

    def start_priors(
        self, photo: Photo, mask: np.ndarray, *, seed: int = 0, progress: Progress | None = None
    ) -> Future[list[PriorView]]:
        """Queue what the SPN expects in the hole, for two seeds where it draws."""

        def work(painter: Painter, report: Progress) -> list[PriorView]:
            report(0.3, "Looking at the photo")
            return painter.priors(photo, mask, seed=seed)

        return self._start_painting(work, progress)

    def start_reading(
        self,
        photo: Photo,
        labels: str | Sequence[str],
        hole: np.ndarray | None = None,
        *,
        complete: bool = True,
        encoder: str = BUNDLED,
        window: Window | None = None,
        progress: Progress | None = None,
    ) -> Future[Reading]:
        """Queue the naming of every pixel, of the photo or of a window of it.

        hole: bool `(H, W)`, not looked into; complete: let SIR say what it hides, where the model has one.
        encoder: BUNDLED, or a name as `load_reader` takes it.
        """

        def work(pipeline: Pipeline, report: Progress) -> Reading:
            names = read_labels(labels)
            if hole is not None and hole.all():
                raise FullMaskError("The mask covers the whole photo. Leave some of it to look at.")
            reader = self._reader(encoder, pipeline, report)
            report(0.4, "Reading the photo")
            embedding = reader.read(photo.rgb, hole, complete=complete)
            report(0.8, "Naming what is in it")
            completed = hole is not None and complete and reader.model is not None
            return Reading(reader.name(embedding, names, window=window), completed)

        return self._start(work, progress)

    def start_words(
        self, photo: Photo, words: str, *, progress: Progress | None = None
    ) -> Future[np.ndarray]:
        """Queue the search for what words name: a mask, bool `(H, W)`, empty where the photo shows none."""

        def work(pipeline: Pipeline, report: Progress) -> np.ndarray:
            self._reader(BUNDLED, pipeline, report)
            read_labels(words)
            report(0.4, f"Looking for: {words.strip()}")
            return as_mask(pipeline.mask_from_words(photo, words))

        return self._start(work, progress)

    def start_view(
        self,
        photo: Photo,
        window: Window,
        *,
        mask: np.ndarray | None = None,
        cache: FeatureCache | None = None,
        cancelled: Cancelled | None = None,
        progress: Progress | None = None,
    ) -> Future[Image.Image]:
        """Queue what is seen of a photo through a window, RGB of the window's size.

        mask: bool `(H, W)`, a hole to fill first. cache: where what the model has computed of the photo is
        looked up and kept; who brings none shares a small one. cancelled: asked again and again; once True,
        the future raises CancelledError.
        """

        def work(pipeline: Pipeline, report: Progress) -> Image.Image:
            kept = self._shared_features() if cache is None else cache
            return pipeline.view(photo, mask, window=window, cache=kept, progress=report, cancelled=cancelled)

        return self._start(work, progress)

    def _shared_features(self) -> FeatureCache:
        if self._features is None:
            from sair_core.zoom.cache import FeatureCache  # brings torch

            self._features = FeatureCache(SHARED_FEATURE_BYTES)
        return self._features

    def start_export(
        self,
        photo: Photo,
        path: Path,
        window: Window,
        *,
        mask: np.ndarray | None = None,
        quality: int = 95,
        cache: FeatureCache | None = None,
        cancelled: Cancelled | None = None,
        progress: Progress | None = None,
    ) -> Future[tuple[int, int]]:
        """Queue the writing of what is seen through a window to a file, whose suffix says the format. The
        future's result is its (height, width); when it raises, no file is left. The rest as in `start_view`.
        """

        def work(pipeline: Pipeline, report: Progress) -> tuple[int, int]:
            return pipeline.export(
                photo, path, mask=mask, window=window, quality=quality, cache=cache, progress=report,
                cancelled=cancelled,
            )  # fmt: skip

        return self._start(work, progress)

    def start_model(self, model: str, *, progress: Progress | None = None) -> Future[None]:
        """Queue the change to another model, by name or folder: whatever is asked for after this is done with
        it, whoever asks. When it cannot be loaded the one in use stays."""

        def work(report: Progress) -> None:
            report(0.2, "Loading the model")
            pipeline = self._load_model(model)
            with self._lock:
                self._pipeline, self.model = pipeline, model
                self._readers.pop(BUNDLED, None)  # it came with the model before

        return self._queue(work, progress)

    def start_encoder(self, encoder: str, *, progress: Progress | None = None) -> Future[None]:
        """Queue the fetching of an encoder, beside all other work; the next reading with it need not wait."""

        def work() -> None:
            pipeline = self._worker.submit(self._ensure).result()
            self._reader(encoder, pipeline, progress or no_progress)

        return self._fetcher.submit(work)

    def _start(self, work: Callable[[Pipeline, Progress], T], progress: Progress | None) -> Future[T]:
        return self._queue(lambda report: self._run(work, report), progress)

    def _start_painting(self, work: Callable[[Painter, Progress], T], progress: Progress | None) -> Future[T]:
        def run(report: Progress) -> T:
            if self.paints and self._painter is None:
                report(0.0, "Loading the model (only the first time)")
            return work(self._ensure_painter(), limit_time(report, limits().seconds))

        return self._queue(run, progress)

    def _queue(self, work: Callable[[Progress], T], progress: Progress | None) -> Future[T]:
        report = progress or no_progress
        with self._lock:
            ahead = self._waiting
            self._waiting += 1
        if ahead:
            report(0.0, "Waiting for the work before this one")
        # In the context of who asks: ZeroGPU reads there on whose account a GPU is lent.
        future = self._worker.submit(contextvars.copy_context().run, work, report)
        future.add_done_callback(self._leave)
        return future

    def _run(self, work: Callable[[Pipeline, Progress], T], report: Progress) -> T:
        if not self.ready:
            report(0.0, "Loading the model (only the first time)")
        return work(self._ensure(), limit_time(report, limits().seconds))

    def _warm_up(self, reader: bool) -> None:
        try:
            pipeline = self._ensure()
            if reader:
                self._reader(BUNDLED, pipeline, no_progress)
        except SairError as error:
            log.error("The model could not be loaded: %s", error)

    def _ensure(self) -> Pipeline:
        if self._pipeline is None:
            self._pipeline = self._load()
        return self._pipeline

    def _ensure_painter(self) -> Painter:
        if self._load_painter is None:
            raise ModelNotFoundError("There is no SPN here. Start the app with --spn and the name of one.")
        if self._painter is None:
            self._painter = self._load_painter()
        return self._painter

    def _reader(self, encoder: str, pipeline: Pipeline, report: Progress) -> Reader:
        reader = self._readers.get(encoder)
        if reader is None and encoder == BUNDLED:
            report(0.1, "Loading the encoder (only the first time)")
            reader = pipeline.reader
        elif reader is None:
            report(0.1, f"Fetching {encoder} (this can take minutes the first time)")
            reader = self._load_reader(encoder, str(pipeline.device))
        with self._lock:
            kept = {k: old for k, old in self._readers.items() if BUNDLED in (k, encoder)}
            self._readers = {**kept, encoder: reader}
        return reader

    def _leave(self, _: Future) -> None:
        with self._lock:
            self._waiting -= 1
