"""The loop that every training runs, from top to bottom. What is trained is a `Task`."""

from __future__ import annotations

import gc
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from sair_core.devices import keep_freed_memory, upload
from sair_core.errors import CheckpointError, NotFiniteError
from sair_core.stopping import StopSignals
from sair_core.training.backend import Backend
from sair_core.training.config import RunConfig
from sair_core.training.data.loader import Batch, Batches
from sair_core.training.monitor import Monitor, show_setup
from sair_core.training.schedule import Schedule, share_done
from sair_core.training.start import prepare_folder, write_configuration
from sair_core.training.state import (
    BEST,
    MODEL,
    PREVIOUS,
    Counters,
    drop_latest,
    drop_states,
    explain_full_disk,
    load_run,
    require_finite,
    save_picture,
    save_run,
)
from sair_core.training.task import Task, TaskClass, TaskConfig, score
from sair_core.training.tasks import TASKS

logger = logging.getLogger(__name__)

LOG_EVERY = 50  # steps between rows of the loss in the log
MAX_SETBACKS = 3
SETBACK_FACTOR = 0.5  # on the learning rate, after each
DIVERGED = 4.0  # a smooth loss this many times its lowest means that the run has diverged
SETTLED = 200  # steps after which that is judged


def train(config: RunConfig, *, resume: str | None = None, show_progress: bool = True) -> Path:
    """Train the task that a configuration is for (see TASKS); the rest as `train_task`."""
    return train_task(TASKS[config.kind].load(), config, resume=resume, show_progress=show_progress)


def train_task(
    task_class: TaskClass, config: TaskConfig, *, resume: str | None = None, show_progress: bool = True
) -> Path:
    """Train a task and return the folder of the trained model, `OUTPUT/model`, which holds averaged weights.

    The run folder gets `train.json` (the task's facts) and what `run` writes. resume: LATEST or PREVIOUS
    continues the run in that folder. show_progress: draw a progress bar.

    Raises DataError for folders without photos, ConfigError when the folder already holds a run and none is
    resumed, CheckpointError when there is nothing to resume, and what `run` raises.
    """
    keep_freed_memory()
    gc.collect()  # networks and photos of the training before hang in cycles, and are gigabytes
    folder = prepare_folder(config.output, resume)
    with show_setup(folder):
        backend = Backend(config.device, config.bf16, config.accumulate)
        task = task_class(config, backend, resume is not None)
    if backend.is_main:
        write_configuration(folder, **task.facts)
    run(task, task.config, folder, resume=resume, show_progress=show_progress)
    return folder / MODEL


def run(
    task: Task, schedule: Schedule, folder: Path, *, resume: str | None = None, show_progress: bool = True
) -> None:
    """Train a task until the schedule ends or the process is asked to stop.

    `folder` gets what `Monitor` writes, `state.pt` and the one before it (to resume), `validation/STEP.png`,
    and what the task exports: `model/`, the latest, and `best/`. resume: LATEST or PREVIOUS. Ctrl+C and
    SIGTERM end the run after the present step, with its state saved. When the loss or a weight stops being a
    number, or the loss climbs away, the run goes back to the last good state at half the rate, three times.

    Raises CheckpointError when there is nothing to resume or the disk is full, NotFiniteError when going back
    did not help.
    """
    backend = task.backend
    counters = Counters() if resume is None else load_run(folder, task.learners, task.average, resume)
    if resume == PREVIOUS:
        backend.wait()
        if backend.is_main:
            drop_latest(folder)
        backend.wait()
    with Monitor(folder, schedule, counters, backend, show_progress) as monitor, StopSignals() as stop:
        trainer = Trainer(task, schedule, folder, counters, monitor)
        if resume is None:
            try:
                trainer.preflight()
            except BaseException:
                drop_states(folder)  # nothing has been trained: the folder takes another start
                raise
        trainer.fit(lambda: backend.any(stop.requested))


class Trainer:
    """One run: a task, trained step by step by a schedule."""

    def __init__(self, task: Task, schedule: Schedule, folder: Path, counters: Counters, monitor: Monitor):
        self.task, self.schedule, self.folder = task, schedule, folder
        self.counters, self.monitor = counters, monitor
        self.backend = task.backend
        self.model = next(iter(task.learners.values())).model
        self.phase: int | None = None
        self.loader: Batches | None = None
        self.lowest_loss, self.judged_from = math.inf, counters.step

    def preflight(self) -> None:
        """Do everything once before it counts: a validation, a save and two steps, which are taken back.

        What is wrong with the photos, the memory or the disk shows in the first minute, not after an hour.
        """
        started = time.perf_counter()
        self.validate()
        validated = time.perf_counter()
        self.save()
        saved = time.perf_counter()
        loader = self.task.loader(self.schedule.phase(0.0), 0)
        numbers, batch = next(loader)
        loader.close()
        batch, seconds = to_device(batch, self.backend), []
        for _ in range(2):  # the first takes memory and time that the others do not
            begun = time.perf_counter()
            if not math.isfinite(self.task.step(batch, numbers.start)):
                raise CheckpointError(
                    "The very first loss is not a number: look at the photos and the model."
                )
            seconds.append(time.perf_counter() - begun)
        load_run(self.folder, self.task.learners, self.task.average)
        self.monitor.log_preflight(validated - started, saved - validated, seconds[-1], len(numbers))

    def fit(self, stop_requested: Callable[[], bool]) -> None:
        """Train to the end of the schedule or of its patience, or until a stop is requested."""
        schedule, counters = self.schedule, self.counters
        first = counters.step
        while (share := self._share_done()) < 1 and not stop_requested():
            try:
                self.step(share)
                if counters.step % schedule.validate_every == 0:
                    self.validate()
                if counters.step % schedule.save_every == 0:
                    self.save()
            except NotFiniteError as error:
                self.set_back(error)
        self._close_loader()
        had_ended = share >= 1 and counters.step == first  # resumed for what other options make of it
        if share >= 1 and (had_ended or counters.step % schedule.validate_every):
            self.validate()
        if had_ended or counters.step % schedule.save_every:
            self.save()
        self.monitor.log_end(stopped=share < 1)

    def step(self, share: float) -> None:
        """Take one step, this share of the schedule done. Raises NotFiniteError when the run has diverged."""
        schedule, counters = self.schedule, self.counters
        loader = self._loader(schedule.phase(share))
        rate = counters.rate_factor * schedule.rate(counters.step, share)
        for learner in self.task.learners.values():
            learner.set_rate(rate)
        started = time.perf_counter()
        numbers, batch = next(loader)
        waited = time.perf_counter() - started
        loss = self.task.step(to_device(batch, self.backend), numbers.start)
        counters.samples = numbers.stop
        counters.seconds += self.backend.mean(time.perf_counter() - started)
        counters.waited += self.backend.mean(waited)
        self.monitor.update(loss)
        self._require_convergence(loss)
        counters.step += 1
        self.task.average.update(self.model, counters.step - 1)
        if counters.step % LOG_EVERY == 0:
            self.monitor.log(loss=self.monitor.smooth_loss, rate=rate)

    def validate(self) -> None:
        """Log figures and a picture of the averaged model, and export it when it is the best so far."""
        task, counters = self.task, self.counters
        if self.backend.is_main:
            with task.average.swap_into(self.model), explain_full_disk(self.folder):
                figures, picture = task.validate()
                save_picture(picture, self.folder / "validation" / f"{counters.step:06d}.png")
            self.monitor.log_validation(figures)
            reached = score(figures)
            if counters.best is None or reached > counters.best:
                counters.best, counters.better_at = reached, counters.seconds
                if counters.step:
                    with explain_full_disk(self.folder):
                        task.export(self.folder / BEST)
        self.backend.wait()

    def save(self) -> None:
        """Save the model and the state. Raises NotFiniteError for weights that are not numbers."""
        task = self.task
        require_finite(task.learners, task.average, self.counters.step)  # in every process: all go back
        if self.backend.is_main:
            with explain_full_disk(self.folder):
                task.export(self.folder / MODEL)  # first: a state can be resumed only where there is a model
            save_run(self.folder, task.learners, task.average, self.counters)
        self.backend.wait()

    def set_back(self, error: NotFiniteError) -> None:
        """Go back to the last good state at a lower rate; the samples since are not drawn again.

        Raises NotFiniteError when that was done MAX_SETBACKS times.
        """
        counters = self.counters
        if counters.setbacks == MAX_SETBACKS:
            raise NotFiniteError(
                f"{error} It happened {MAX_SETBACKS + 1} times, each time at half the rate of the one "
                f"before. {self.folder} keeps the last good state. Look at the photos of the last pictures "
                "in it, or start again with a lower --learning-rate."
            ) from error
        good = load_run(self.folder, self.task.learners, self.task.average)
        counters.setbacks += 1
        counters.rate_factor *= SETBACK_FACTOR
        counters.step, counters.log[:] = good.step, good.log
        counters.best, counters.better_at = good.best, good.better_at
        self.monitor.log_setback(error)
        self._close_loader()
        self.lowest_loss, self.judged_from = math.inf, counters.step

    def _share_done(self) -> float:
        """Return how much of the run is done; 1 once its patience is at an end."""
        schedule, counters = self.schedule, self.counters
        if schedule.patience_minutes is not None:
            waited = counters.seconds - counters.better_at > 60 * schedule.patience_minutes
            if self.backend.any(waited and self.backend.is_main):  # only the main process validates
                return 1.0
        return share_done(schedule, counters.step, counters.seconds)

    def _require_convergence(self, loss: float) -> None:
        """Raise NotFiniteError when the loss is not a number, or has climbed far above its lowest."""
        smooth = self.monitor.smooth_loss
        if self.counters.step - self.judged_from > SETTLED:
            self.lowest_loss = min(self.lowest_loss, smooth)
        if not math.isfinite(loss) or smooth > DIVERGED * self.lowest_loss:
            raise NotFiniteError(f"The loss is {smooth:.4g} at step {self.counters.step}.")

    def _loader(self, phase: int) -> Batches:
        """Return the batches of a phase, from the next sample on."""
        if self.loader is None or phase != self.phase:
            self._close_loader()
            self.phase, self.loader = phase, self.task.loader(phase, self.counters.samples)
        return self.loader

    def _close_loader(self) -> None:
        """Let the loader's workers end now: at the interpreter's end they would wait for ever."""
        if self.loader is not None:
            self.loader.close()
            self.loader = None


def to_device(batch: Batch, backend: Backend) -> dict[str, Tensor]:
    """Return a batch on the device of the backend."""
    return {name: upload(value, backend.device) for name, value in batch.items()}
