"""The models in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cachetools import LRUCache

from sair_core.errors import ModelNotFoundError
from sair_core.filling.engines import NATURAL, PAINTED, SMOOTH
from sair_core.progress import Progress, no_progress

from .contracts import Filler, Painter, Pipeline, Reader

BUNDLED = "Bundled"  # the encoder that comes with the model
OTHER_READERS = 1  # with other encoders, besides the model's own


class Models:
    """Each model is loaded at first need, and again at the next one if that fails.

    Everything is asked for in the one thread that works with models; only `reader` may also be asked for in
    another one, with a pipeline from there.
    """

    def __init__(
        self,
        load: Callable[[], Pipeline],
        name: str,
        load_model: Callable[[str], Pipeline],
        load_painter: Callable[[], Painter] | None,
        load_reader: Callable[[str, str], Reader],
        guest: str | None = None,
        load_guest: Callable[[], Filler] | None = None,
    ):
        """load, name: the pipeline to begin with, and what its model is called; the others as in
        `FillService`."""
        self.name = self.first_name = name  # of the model in use, of the one that the app began with
        self._load = load
        self._load_model = load_model
        self._load_painter = load_painter
        self._load_reader = load_reader
        self.guest = guest
        self._load_guest = load_guest
        self._guest: Filler | None = None
        self._pipeline: Pipeline | None = None
        self._painter: Painter | None = None
        self._own_reader: Reader | None = None
        self._other_readers: LRUCache[str, Reader] = LRUCache(OTHER_READERS)
        self._lock = threading.Lock()

    @property
    def ready(self) -> bool:
        """Whether the pipeline is in memory."""
        return self._pipeline is not None

    @property
    def has_painter(self) -> bool:
        """Whether there is an SPN."""
        return self._load_painter is not None

    @property
    def engines(self) -> tuple[str, ...]:
        """What can fill a hole, by the names that people read."""
        return (NATURAL, SMOOTH, *([PAINTED] if self.has_painter else []), *filter(None, [self.guest]))

    def filler(self, engine: str, progress: Progress = no_progress) -> Filler:
        """Return that with which one of `engines` fills. Raises ModelNotFoundError for another."""
        if engine == PAINTED:
            return self.painter(progress)
        if engine in (NATURAL, SMOOTH):
            return self.pipeline(progress)
        if self._load_guest is None or engine != self.guest:
            raise ModelNotFoundError(f"{engine!r} is no engine. Choose {', '.join(self.engines)}.")
        if self._guest is None:
            progress(0.0, f"Loading {engine} (only the first time; a fetch can take minutes)")
            self._guest = self._load_guest()
        return self._guest

    def pipeline(self, progress: Progress = no_progress) -> Pipeline:
        """Return the pipeline in use."""
        if self._pipeline is None:
            progress(0.0, "Loading the model (only the first time)")
            self._pipeline = self._load()
        return self._pipeline

    def painter(self, progress: Progress = no_progress) -> Painter:
        """Return the pipeline around the SPN. Raises ModelNotFoundError where there is none."""
        if self._load_painter is None:
            raise ModelNotFoundError("There is no SPN here. Start the app with --spn and the name of one.")
        if self._painter is None:
            progress(0.0, "Loading the model (only the first time)")
            self._painter = self._load_painter()
        return self._painter

    def reader(self, encoder: str, pipeline: Pipeline, progress: Progress = no_progress) -> Reader:
        """Return the reader with an encoder: the pipeline's own (BUNDLED), or one by its name."""
        if encoder == BUNDLED:
            if self._own_reader is None:
                progress(0.1, "Loading the encoder (only the first time)")
                self._own_reader = pipeline.reader
            return self._own_reader
        with self._lock:
            reader = self._other_readers.get(encoder)
        if reader is None:
            progress(0.1, f"Fetching {encoder} (this can take minutes the first time)")
            reader = self._load_reader(encoder, str(pipeline.device))
            with self._lock:
                self._other_readers[encoder] = reader
        return reader

    def switch(self, name: str) -> None:
        """Work with another model from now on. When it cannot be loaded the one in use stays."""
        self._pipeline = self._load_model(name)
        self._own_reader = None  # it came with the model before
        self.name = name
