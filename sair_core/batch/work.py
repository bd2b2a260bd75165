"""One file of a folder: read, filled, written. What every runner does with it."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sair_core.batch.config import BatchConfig
from sair_core.batch.jobs import Job
from sair_core.batch.report import DONE, FAILED, SKIPPED, Line
from sair_core.errors import MaskError, SairError
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


class Worker:
    """Does jobs, one after the other, with a pipeline that is loaded at the first one that needs it."""

    def __init__(self, config: BatchConfig, model: ModelSource):
        self.config, self.model = config, model
        self._model_digest = model.digest()
        self._pipeline: Any = None

    def run(self, job: Job) -> Line:
        """What became of the job; of its faults only those of the model itself are raised (SairError)."""
        try:
            key = self.key(job)
        except OSError as error:
            return Line(job.name, FAILED, f"The file cannot be read ({error.strerror}).")
        target = self.config.output / job.name
        if key == job.known and target.is_file():
            return Line(job.name, SKIPPED, "unchanged since it was done", key=key)
        if self._pipeline is None:
            self._pipeline = self.model.load()
        started = time.perf_counter()
        try:
            status, reason = DONE, self._write(job, target)
        except SairError as error:
            status, reason = FAILED, str(error)
        except Exception as error:  # whatever one file brings up, the others are still to be done
            log.debug("%s", job.name, exc_info=True)
            status, reason = FAILED, f"{type(error).__name__}: {error}"
        return Line(job.name, status, reason, round(time.perf_counter() - started, 3), key)

    def key(self, job: Job) -> str:
        """What the result of a job is made from: contents, settings, model. Raises OSError."""
        masks = [path for path in (job.mask, job.source) if path is not None]
        made_from = (digest(job.photo, *masks), self._model_digest, *self.config.settings())
        return hashlib.blake2b(repr(made_from).encode(), digest_size=16).hexdigest()

    def _write(self, job: Job, target: Path) -> str:
        """Fill and write; what is to be known of the result."""
        photo = load_photo(job.photo, max_megapixels=self.config.max_megapixels)
        notes = [FIRST] if photo.first_of_several else []
        hole = self._hole(job, photo)
        if not hole.any():
            result = photo
            why = "the mask is black" if job.mask else f"the photo shows no {self.config.words}"
            notes.append(f"nothing to fill: {why}")
        else:
            result = self._fill(photo, hole, job, notes)
        format = (
            photo.format if photo.format in WRITABLE_FORMATS else FORMAT_BY_SUFFIX[target.suffix.lower()].name
        )
        data = encode_image(result, format, self.config.quality, keep_gps=self.config.keep_gps)
        with replacing(target) as temporary:
            temporary.write_bytes(data)
        return "; ".join(notes)

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

    def _hole(self, job: Job, photo: Photo) -> np.ndarray:
        if self.config.words is not None:
            return as_mask(self._pipeline.mask_from_words(photo, self.config.words), photo.size_px)
        if job.mask is None:
            raise MaskError(f"There is no mask named {job.photo.stem} in {self.config.mask}. Add one.")
        return as_mask(job.mask, photo.size_px)
