"""One file of a folder: read, filled, written. What every runner does with it."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sair_core.batch.config import BatchConfig
from sair_core.batch.jobs import Job
from sair_core.batch.report import DONE, FAILED, SKIPPED, Line
from sair_core.errors import MaskError, PhotoError, SairError
from sair_core.files import digest, replacing
from sair_core.filling.engines import digest_engine
from sair_core.photos.formats import FORMAT_BY_SUFFIX, WRITABLE_FORMATS
from sair_core.photos.masks import as_mask
from sair_core.photos.photo import Photo, load_photo
from sair_core.photos.write import encode_image

log = logging.getLogger(__name__)

FIRST = "the first of several pictures in the file"


class ModelSource(Protocol):
    """Where the pipeline comes from; it travels to other processes."""

    def digest(self) -> str:
        """What says that results of two models are the same. Raises ModelNotFoundError."""

    def load(self) -> Any:
        """A pipeline: `fill` and `mask_from_words`. Raises SairError kinds."""


@dataclass(frozen=True)
class NamedModel:
    """A model by bundled name, folder or hub id, or what an engine fills with, as `load_engine` takes it."""

    name: str
    device: str = "auto"
    engine: str | None = None

    def digest(self) -> str:
        from sair_core.models.load import digest_model  # brings torch

        return digest_model(self.name) if self.engine is None else digest_engine(self.engine, self.name)

    def load(self) -> Any:
        from sair_core.pipeline import InpaintPipeline

        return InpaintPipeline.from_pretrained(self.name, engine=self.engine, device=self.device)


@dataclass(eq=False)
class Task:
    """A job under way. key: as of a Line. photo, hole: once it is opened, the hole unless words name it.
    result: once it is filled. line: what became of it, once there is nothing more to do."""

    job: Job
    key: str = ""
    photo: Photo | None = None
    hole: np.ndarray | None = None
    result: Photo | None = None
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    line: Line | None = None

    def end(self, status: str, reason: str) -> None:
        """Say what became of the job."""
        self.line = Line(self.job.name, status, reason, round(self.seconds, 3), self.key)


class Worker:
    """Does jobs in three steps, each in a thread of its own if wanted: opens, fills, writes.

    The pipeline is loaded at the first fill that needs it.
    """

    def __init__(self, config: BatchConfig, model: ModelSource):
        self.config, self.model = config, model
        self._model_digest = model.digest()
        self._pipeline: Any = None

    def run(self, job: Job) -> Line:
        """Return what became of the job. Of its faults only those of the model are raised (SairError)."""
        return self.write(self.fill(self.open(job)))

    def open(self, job: Job) -> Task:
        """Read the photo and its mask, unless the job is done already."""
        task = Task(job)
        try:
            task.key = self.key(job)
        except OSError as error:
            task.end(FAILED, f"The file cannot be read ({error.strerror}).")
            return task
        if task.key == job.known and (self.config.output / job.name).is_file():
            task.end(SKIPPED, "unchanged since it was done")
            return task
        with self._step(task):
            task.photo = load_photo(job.photo, max_megapixels=self.config.max_megapixels)
            if self.config.words is None:
                task.hole = self._read_mask(job, task.photo)
        return task

    def fill(self, task: Task) -> Task:
        """Fill what was opened. Raises SairError where the model cannot be loaded."""
        if task.photo is None or task.line is not None:
            return task
        if self._pipeline is None:
            self._pipeline = self.model.load()
        with self._step(task):
            photo, words = task.photo, self.config.words
            hole = task.hole
            if hole is None:
                hole = as_mask(self._pipeline.mask_from_words(photo, words), photo.size_px)
            task.notes += [FIRST] if photo.first_of_several else []
            if hole.any():
                task.result = self._fill(photo, hole, task.job, task.notes)
            else:
                why = "the mask is black" if task.job.mask else f"the photo shows no {words}"
                task.notes.append(f"nothing to fill: {why}")
                task.result = photo
        return task

    def write(self, task: Task) -> Line:
        """Write what was filled, and return what became of the job."""
        if task.photo is not None and task.result is not None and task.line is None:
            with self._step(task):
                self._write(task.result, task.photo.format, self.config.output / task.job.name)
        if task.line is None:
            task.end(DONE, "; ".join(task.notes))
        assert task.line is not None
        return task.line

    @contextmanager
    def _step(self, task: Task) -> Iterator[None]:
        """Count the time of a step; a fault ends the task."""
        started, fault = time.perf_counter(), None
        try:
            yield
        except SairError as error:
            fault = str(error)
        except Exception as error:  # whatever one file brings up, the others are still to be done
            log.debug("%s", task.job.name, exc_info=True)
            fault = f"{type(error).__name__}: {error}"
        task.seconds += time.perf_counter() - started
        if fault is not None:
            task.end(FAILED, fault)

    def key(self, job: Job) -> str:
        """What the result of a job is made from: contents, settings, model. Raises OSError."""
        masks = [path for path in (job.mask, job.source) if path is not None]
        made_from = (digest(job.photo, *masks), self._model_digest, *self.config.settings())
        return hashlib.blake2b(repr(made_from).encode(), digest_size=16).hexdigest()

    def _write(self, result: Photo, opened_as: str | None, target: Path) -> None:
        config = self.config
        by_suffix = FORMAT_BY_SUFFIX[target.suffix.lower()].name
        format = opened_as if opened_as in WRITABLE_FORMATS else by_suffix
        data = encode_image(result, format, config.quality, keep_gps=config.keep_gps)
        try:
            with replacing(target) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise PhotoError(
                f"{target} cannot be written ({error.strerror}). Choose another folder, or make room on the"
                " disk."
            ) from error

    def _fill(self, photo: Photo, hole: np.ndarray, job: Job, notes: list[str]) -> Photo:
        config = self.config
        if config.source is not None and job.source is None:
            raise MaskError(f"There is no mask named {job.photo.stem} in {config.source}. Add one.")
        fill = self._pipeline.fill(
            photo,
            hole,
            seed=config.seed,
            words=config.fill_with,
            strength=config.strength,
            texture=config.texture,
            source=job.source,
        )
        if fill.note:
            notes.append(fill.note)
        return fill.photo

    def _read_mask(self, job: Job, photo: Photo) -> np.ndarray:
        if job.mask is None:
            raise MaskError(f"There is no mask named {job.photo.stem} in {self.config.mask}. Add one.")
        return photo.read_mask(job.mask)
