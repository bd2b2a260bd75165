"""The app's way to the model, and the only place that imports the pipeline."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sair_core.errors import SairError
from sair_core.images import Photo

if TYPE_CHECKING:
    from sair_core.pipeline import FillResult

log = logging.getLogger(__name__)

MAX_MEGAPIXELS = 50.0
Progress = Callable[[float, str], None]


class Pipeline(Protocol):
    """What the app asks of a pipeline."""

    def fill(
        self, photo: Photo, mask: np.ndarray, *, seed: int = 0, progress: Progress | None = None
    ) -> FillResult: ...


def load_pipeline(model: str, device: str) -> Pipeline:
    """Imports torch and reads the weights: seconds, so never at the app's own import."""
    from sair_core.pipeline import InpaintPipeline

    return InpaintPipeline.from_pretrained(model, device=device)


class FillService:
    """Loads the pipeline once and runs one fill at a time, in the order in which they were asked for."""

    def __init__(self, load: Callable[[], Pipeline], *, max_megapixels: float = MAX_MEGAPIXELS):
        """load: called on first need, in the working thread; called again later if it raised.

        max_megapixels: photos with more pixels are refused before they are decoded.
        """
        self.max_megapixels = max_megapixels
        self._load = load
        self._pipeline: Pipeline | None = None
        # One thread for all fills: torch keeps its own workers per calling thread.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fill")
        self._waiting = 0
        self._lock = threading.Lock()

    @property
    def ready(self) -> bool:
        """Whether the model is in memory."""
        return self._pipeline is not None

    def warm_up(self) -> None:
        """Start to load the model in the background; a failure is logged and met again by the next fill."""
        self._worker.submit(self._warm_up)

    def start(
        self, photo: Photo, mask: np.ndarray, *, seed: int = 0, progress: Progress | None = None
    ) -> Future:
        """Queue a fill. mask: bool `(H, W)`, True = hole. The future's result is a FillResult.

        progress is called from another thread. The future raises what the pipeline raises (SairError kinds).
        """
        report = progress or (lambda share, text: None)
        with self._lock:
            ahead = self._waiting
            self._waiting += 1
        if ahead:
            report(0.0, "Waiting for the fill before this one")
        future = self._worker.submit(self._run, photo, mask, seed, report)
        future.add_done_callback(self._leave)
        return future

    def fill(self, photo: Photo, mask: np.ndarray, *, seed: int = 0) -> FillResult:
        """As `start`, but waits."""
        return self.start(photo, mask, seed=seed).result()

    def _warm_up(self) -> None:
        try:
            self._ensure()
        except SairError as error:
            log.error("The model could not be loaded: %s", error)

    def _ensure(self) -> Pipeline:
        if self._pipeline is None:
            self._pipeline = self._load()
        return self._pipeline

    def _run(self, photo: Photo, mask: np.ndarray, seed: int, report: Progress) -> FillResult:
        if not self.ready:
            report(0.0, "Loading the model (only the first time)")
        return self._ensure().fill(photo, mask, seed=seed, progress=report)

    def _leave(self, _: Future) -> None:
        with self._lock:
            self._waiting -= 1
