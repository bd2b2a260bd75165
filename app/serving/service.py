"""The app's way to the models: one piece of work at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from sair_core.errors import ConfigError, FullMaskError, SairError
from sair_core.filling.engines import NATURAL, SMOOTH
from sair_core.photos.masks import as_mask
from sair_core.photos.photo import Photo
from sair_core.progress import Cancelled, Progress
from sair_core.semantics.map import SemanticMap
from sair_core.stages import log_stages
from sair_core.weights.bundled import BUNDLED_SAIR
from sair_core.window import Window

from ..host.guards import limit_time, read_labels
from ..host.limits import OWN, hosted, limits
from .contracts import Filler, FillOptions, Painter, Pipeline, Reader
from .loading import load_pipeline, load_reader
from .models import BUNDLED, Models
from .work import WorkQueue

if TYPE_CHECKING:
    from sair_core.filling.priors import PriorView
    from sair_core.filling.result import FillResult
    from sair_core.semantics.points import Labels, Points
    from sair_core.zoom.cache import FeatureCache

log = logging.getLogger(__name__)

SHARED_FEATURE_BYTES = 64 * 2**20  # of photos that are seen without a page
M = TypeVar("M")
T = TypeVar("T")


@dataclass(frozen=True)
class Reading:
    """A map, and whether the model's SIR completed what the mask hides."""

    map: SemanticMap
    completed: bool


class FillService:
    """Loads the models at first need and queues the work with them.

    The methods `start_...` return at once. `progress` is called from another thread. The future raises what
    the pipeline raises (SairError kinds), and TooLongError where the host limits the time.
    """

    def __init__(
        self,
        load: Callable[[], Pipeline],
        *,
        model: str = BUNDLED_SAIR,
        load_model: Callable[[str], Pipeline] = load_pipeline,
        load_painter: Callable[[], Painter] | None = None,
        load_reader: Callable[[str, str], Reader] = load_reader,
        guest: str | None = None,
        load_guest: Callable[[], Filler] | None = None,
        max_megapixels: float = OWN.megapixels,
    ):
        """load: called on first need, in the working thread; called again later if it raised.

        model: what `load` loads is called. load_model: another model by its name. load_painter: the SPN for
        several fills of a hole, on first need; None where there is none. load_reader: another encoder by its
        name, on a device. guest, load_guest: what the engine of others is called, and what it fills with, on
        first need; None where there is none. max_megapixels: photos with more pixels are refused before they
        are decoded.
        """
        self.models = Models(load, model, load_model, load_painter, load_reader, guest, load_guest)
        self.max_megapixels = max_megapixels
        # One thread for all work: torch keeps its own workers per calling thread. Another one fetches
        # encoders, which can take minutes: nobody's fill waits for that.
        self.work = WorkQueue("model")
        self.fetches = WorkQueue("fetch")

    def load(self) -> None:
        """Load the models and the reader now, in this thread. Raises what that raises."""
        self.models.reader(BUNDLED, self.models.pipeline())
        if self.models.has_painter:
            self.models.painter()
        if self.models.guest is not None:
            self.models.filler(self.models.guest)

    def warm_up(self, *, reader: bool = False) -> Future[None]:
        """Begin to load the model, with its reader if asked; a failure is logged and met again by the next
        work."""

        def load(_: Progress) -> None:
            try:
                pipeline = self.models.pipeline()
                if reader:
                    self.models.reader(BUNDLED, pipeline)
            except SairError as error:
                log.error("The model could not be loaded: %s", error)

        return self.work.submit(load)

    def read_ahead(self, photo: Photo) -> None:
        """Read a photo that was just opened, if there is nothing else to do, for what will be asked of it. A
        failure is logged and met again by the next work. Not where the app is hosted, for many."""

        def read(_: Progress) -> None:
            try:
                pipeline = self.models.pipeline()
                with log_stages(log, "read ahead"):
                    pipeline.prepare(photo)
            except SairError as error:
                log.error("The photo could not be read ahead: %s", error)

        if not len(self.work) and not hosted():
            self.work.submit(read)

    def start_fill(
        self,
        photo: Photo,
        mask: np.ndarray,
        options: FillOptions = FillOptions(),
        *,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Future[FillResult]:
        """Queue a fill. mask: bool `(H, W)`, True = hole. cancelled: asked again and again; once True, the
        future raises CancelledError."""
        fills = self._filling(photo, mask, 1, options, cancelled)

        def fill(filler: Filler, progress: Progress) -> FillResult:
            return fills(filler, progress)[0]

        return self._start(self._filler(options.engine), fill, progress)

    def start_variations(
        self,
        photo: Photo,
        mask: np.ndarray,
        count: int,
        options: FillOptions = FillOptions(),
        *,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Future[list[FillResult]]:
        """Queue `count` fills of one hole, with the seeds seed, seed + 1, ...; else as `start_fill`."""
        fill = self._filling(photo, mask, count, options, cancelled)
        return self._start(self._filler(options.engine), fill, progress)

    def _filler(self, engine: str) -> Callable[[Progress], Filler]:
        """What loads that with which an engine fills."""
        return lambda progress: self.models.filler(engine, progress)

    @staticmethod
    def _filling(
        photo: Photo, mask: np.ndarray, count: int, options: FillOptions, cancelled: Cancelled | None
    ) -> Callable[[Filler, Progress], list[FillResult]]:
        def fill(filler: Filler, progress: Progress) -> list[FillResult]:
            if not 1 <= count <= limits().variations:
                raise ConfigError(f"Ask for 1 to {limits().variations} variations, not {count}.")
            own = options.engine in (NATURAL, SMOOTH)  # the others heed neither words nor sources
            return filler.variations(
                photo,
                mask,
                count,
                seed=options.seed,
                words=options.words if own and options.words.strip() else None,
                strength=options.strength,
                texture=options.engine == NATURAL if own else None,
                source=options.source if own else None,
                progress=progress,
                cancelled=cancelled,
            )

        return fill

    def start_priors(
        self, photo: Photo, mask: np.ndarray, *, seed: int = 0, progress: Progress | None = None
    ) -> Future[list[PriorView]]:
        """Queue what the SPN expects in the hole, for two seeds where it draws."""

        def predict(painter: Painter, progress: Progress) -> list[PriorView]:
            progress(0.3, "Looking at the photo")
            return painter.priors(photo, mask, seed=seed)

        return self._start(self.models.painter, predict, progress)

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

        def read(pipeline: Pipeline, progress: Progress) -> Reading:
            names = read_labels(labels)
            if hole is not None and hole.all():
                raise FullMaskError("The mask covers the whole photo. Leave some of it to look at.")
            reader = self.models.reader(encoder, pipeline, progress)
            progress(0.4, "Reading the photo")
            embedding = reader.read(photo.rgb, hole, complete=complete)
            progress(0.8, "Naming what is in it")
            completed = hole is not None and complete and reader.model is not None
            return Reading(reader.name(embedding, names, window=window), completed)

        return self._start(self.models.pipeline, read, progress)

    def start_words(
        self, photo: Photo, words: str, *, progress: Progress | None = None
    ) -> Future[np.ndarray]:
        """Queue the search for what words name: a mask, bool `(H, W)`, empty where the photo shows none."""

        def search(pipeline: Pipeline, progress: Progress) -> np.ndarray:
            self.models.reader(BUNDLED, pipeline, progress)
            read_labels(words)
            progress(0.4, f"Looking for: {words.strip()}")
            return as_mask(pipeline.mask_from_words(photo, words))

        return self._start(self.models.pipeline, search, progress)

    def start_points(
        self,
        photo: Photo,
        points: Points,
        labels: Labels | None = None,
        *,
        grow_px: float = 0.0,
        progress: Progress | None = None,
    ) -> Future[np.ndarray]:
        """Queue the search for the object under points: a mask, bool `(H, W)`; the arguments as in
        `InpaintPipeline.mask_from_points`."""

        def search(pipeline: Pipeline, progress: Progress) -> np.ndarray:
            self.models.reader(BUNDLED, pipeline, progress)
            progress(0.4, "Looking for the object")
            return pipeline.mask_from_points(photo, points, labels, grow_px=grow_px)

        return self._start(self.models.pipeline, search, progress)

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

        def view(pipeline: Pipeline, progress: Progress) -> Image.Image:
            features = self._shared_features if cache is None else cache
            return pipeline.view(
                photo, mask, window=window, cache=features, progress=progress, cancelled=cancelled
            )

        return self._start(self.models.pipeline, view, progress)

    def start_export(
        self,
        photo: Photo,
        path: Path,
        window: Window,
        *,
        mask: np.ndarray | None = None,
        cache: FeatureCache | None = None,
        cancelled: Cancelled | None = None,
        progress: Progress | None = None,
    ) -> Future[tuple[int, int]]:
        """Queue the writing of what is seen through a window to a file, whose suffix says the format. The
        future's result is its (height, width); when it raises, no file is left. The rest as in `start_view`.
        """

        def export(pipeline: Pipeline, progress: Progress) -> tuple[int, int]:
            return pipeline.export(
                photo, path, mask=mask, window=window, cache=cache, progress=progress, cancelled=cancelled
            )

        return self._start(self.models.pipeline, export, progress)

    def start_switch(self, model: str, *, progress: Progress | None = None) -> Future[None]:
        """Queue the change to another model, by name or folder: whatever is asked for after this is done with
        it, whoever asks. When it cannot be loaded the one in use stays."""

        def switch(progress: Progress) -> None:
            progress(0.2, "Loading the model")
            self.models.switch(model)

        return self.work.submit(switch, progress)

    def start_encoder(self, encoder: str, *, progress: Progress | None = None) -> Future[None]:
        """Queue the fetching of an encoder, beside all other work; the next reading with it need not wait."""

        def fetch(progress: Progress) -> None:
            pipeline = self.work.submit(self.models.pipeline).result()
            self.models.reader(encoder, pipeline, progress)

        return self.fetches.submit(fetch, progress)

    def _start(
        self,
        get_model: Callable[[Progress], M],
        act: Callable[[M, Progress], T],
        progress: Progress | None,
    ) -> Future[T]:
        """Queue work with a model. The host's time limit does not count the wait and the loading."""

        def work(progress: Progress) -> T:
            with log_stages(log, act.__name__):
                return act(get_model(progress), limit_time(progress, limits().seconds))

        return self.work.submit(work, progress)

    @cached_property
    def _shared_features(self) -> FeatureCache:
        from sair_core.zoom.cache import FeatureCache  # brings torch

        return FeatureCache(SHARED_FEATURE_BYTES)
