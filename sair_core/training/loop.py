"""The loop that every training runs, from top to bottom. What is trained is a `Task`."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from sair_core.config import to_dict
from sair_core.devices import keep_freed_memory
from sair_core.errors import CheckpointError, NotFiniteError
from sair_core.training.backend import Batch, Batches, Engine
from sair_core.training.config import RunConfig
from sair_core.training.monitor import Report, told
from sair_core.training.schedule import Schedule, share_done
from sair_core.training.start import begin_folder, write_configuration
from sair_core.training.state import (
    BEST,
    MODEL,
    PREVIOUS,
    Progress,
    drop_latest,
    load_run,
    require_finite,
    save_picture,
    save_run,
    saving,
)
from sair_core.training.stopping import StopSignals
from sair_core.training.task import Task, TaskClass

logger = logging.getLogger(__name__)

LOG_EVERY = 50  # steps between rows of the loss in the log
MAX_SETBACKS = 3
SETBACK_FACTOR = 0.5  # on the learning rate, after each
DIVERGED = 4.0  # a smooth loss this many times its lowest means that the run has diverged
SETTLED = 200  # steps after which that is judged


def train(
    task_class: TaskClass,
    config: RunConfig,
    *,
    resume: str | None = None,
    show_progress: bool = True,
) -> Path:
    """Train a task and return the folder of the trained model, `OUTPUT/model`, which holds averaged weights.

    The run folder gets `train.json` (the configuration, and the task's facts) and what
    `run` writes. resume: LATEST or PREVIOUS continues the run in that folder. show_progress: draw a progress
    bar.

    Raises DataError for folders without photos, ConfigError when the folder already holds a run and none is
    resumed, CheckpointError when there is nothing to resume, and what `run` raises.
    """
    keep_freed_memory()
    folder = begin_folder(config.output, resume)
    with told(folder):
        engine = Engine(config.device, config.bf16, config.accumulate)
        task = task_class(config, engine, resume is not None)
    if engine.is_main:
        write_configuration(folder, train=to_dict(config), **task.facts)
    run(task, config, folder, resume=resume, show_progress=show_progress)
    return folder / MODEL


def run(
    task: Task, schedule: Schedule, folder: Path, *, resume: str | None = None, show_progress: bool = True
) -> None:
    """Train until the schedule ends or the process is asked to stop.

    `folder` gets what `Report` writes, `state.pt` and the one before it (to resume), `validation/STEP.png`,
    and what the task exports: `model/`, the latest, and `best/`. resume: LATEST or PREVIOUS. Ctrl+C and
    SIGTERM end the run after the present step, with its state saved. When the loss or a weight stops being a
    number, or the loss climbs away, the run goes back to the last good state at half the rate, three times.

    Raises CheckpointError when there is nothing to resume, the disk is full, or nothing helped.
    """
    engine = task.engine
    progress = Progress() if resume is None else load_run(folder, task.learners, task.average, resume)
    if resume == PREVIOUS:
        engine.wait()
        if engine.is_main:
            drop_latest(folder)
        engine.wait()
    with Report(folder, schedule, progress, engine, show_progress) as report, StopSignals() as stop:
        under_way = _Run(task, schedule, folder, progress, report)
        if resume is None:
            under_way.preflight()
        under_way.go(lambda: engine.any(stop.asked))


class _Run:
    """A training under way."""

    def __init__(self, task: Task, schedule: Schedule, folder: Path, progress: Progress, report: Report):
        self.task, self.schedule, self.folder = task, schedule, folder
        self.progress, self.report = progress, report
        self.engine = task.engine
        self.model = next(iter(task.learners.values())).model
        self._begin_afresh()

    def _begin_afresh(self) -> None:
        """At the start and after a setback."""
        self.phase: int | None = None
        self.loader: Batches | None = None
        self.lowest_loss, self.judged_from = math.inf, self.progress.step

    def preflight(self) -> None:
        """Everything once before it counts: a validation, a save and two steps, which are taken back.

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
        batch, seconds = on_device(batch, self.engine), []
        for _ in range(2):  # the first takes memory and time that the others do not
            begun = time.perf_counter()
            if not math.isfinite(self.task.step(batch, numbers.start)):
                raise CheckpointError(
                    "The very first loss is not a number: look at the photos and the model."
                )
            seconds.append(time.perf_counter() - begun)
        load_run(self.folder, self.task.learners, self.task.average)
        self.report.preflight(validated - started, saved - validated, seconds[-1], len(numbers))

    def go(self, asked_to_stop: Callable[[], bool]) -> None:
        """To the end of the schedule, or until asked to stop."""
        schedule, progress = self.schedule, self.progress
        while (share := share_done(schedule, progress)) < 1 and not asked_to_stop():
            try:
                self.step(share)
                if progress.step % schedule.validate_every == 0:
                    self.validate()
                if progress.step % schedule.save_every == 0:
                    self.save()
            except NotFiniteError as error:
                self.set_back(error)
        self._end_loader()
        if share >= 1 and progress.step % schedule.validate_every:
            self.validate()
        if progress.step % schedule.save_every:
            self.save()
        self.report.ended(stopped=share < 1)

    def step(self, share: float) -> None:
        """One step, this share of the schedule done. Raises NotFiniteError when the run has diverged."""
        schedule, progress = self.schedule, self.progress
        if schedule.phase(share) != self.phase:
            self._end_loader()
            self.phase = schedule.phase(share)
            self.loader = self.task.loader(self.phase, progress.samples)
        rate = progress.rate_factor * schedule.rate(progress.step, share)
        for learner in self.task.learners.values():
            learner.set_rate(rate)
        started = time.perf_counter()
        numbers, batch = next(self.loader)
        waited = time.perf_counter() - started
        loss = self.task.step(on_device(batch, self.engine), numbers.start)
        progress.samples = numbers.stop
        progress.seconds += self.engine.mean(time.perf_counter() - started)
        progress.waited += self.engine.mean(waited)
        self.report.step(loss)
        self._judge(loss)
        progress.step += 1
        self.task.average.update(self.model, progress.step - 1)
        if progress.step % LOG_EVERY == 0:
            self.report.note(loss=self.report.smooth_loss, rate=rate)

    def _judge(self, loss: float) -> None:
        smooth = self.report.smooth_loss
        if self.progress.step - self.judged_from > SETTLED:
            self.lowest_loss = min(self.lowest_loss, smooth)
        if not math.isfinite(loss) or smooth > DIVERGED * self.lowest_loss:
            raise NotFiniteError(f"The loss is {smooth:.4g} at step {self.progress.step}.")

    def validate(self) -> None:
        """Figures and a picture of the averaged model; the best one is exported."""
        task, progress = self.task, self.progress
        if self.engine.is_main:
            with task.average.swapped_into(self.model), saving(self.folder):
                figures, picture = task.validate()
                save_picture(picture, self.folder / "validation" / f"{progress.step:06d}.png")
            self.report.validated(figures)
            first = next(iter(figures.values()))
            if progress.best is None or first > progress.best:
                progress.best = first
                if progress.step:
                    with saving(self.folder):
                        task.export(self.folder / BEST)
        self.engine.wait()

    def save(self) -> None:
        """The model and the state. Raises NotFiniteError for weights that are not numbers."""
        task = self.task
        require_finite(task.learners, task.average, self.progress.step)  # in every process: all go back
        if self.engine.is_main:
            with saving(self.folder):
                task.export(self.folder / MODEL)  # first: a state can be resumed only where there is a model
            save_run(self.folder, task.learners, task.average, self.progress)
        self.engine.wait()

    def set_back(self, error: NotFiniteError) -> None:
        """Back to the last good state at a lower rate; the samples that led here are not seen again.

        Raises NotFiniteError, saying what happened, when that was done MAX_SETBACKS times.
        """
        progress = self.progress
        if progress.setbacks == MAX_SETBACKS:
            raise NotFiniteError(
                f"{error} It happened {MAX_SETBACKS + 1} times, each time at half the rate of the one "
                f"before. {self.folder} keeps the last good state. Look at the photos of the last pictures "
                "in it, or start again with a lower --learning-rate."
            ) from error
        good = load_run(self.folder, self.task.learners, self.task.average)
        progress.setbacks += 1
        progress.rate_factor *= SETBACK_FACTOR
        progress.step, progress.best, progress.log[:] = good.step, good.best, good.log
        self.report.set_back(error)
        self._end_loader()
        self._begin_afresh()

    def _end_loader(self) -> None:
        """Lets its workers go now: at the interpreter's end they would wait for a word that nobody sends."""
        if self.loader is not None:
            self.loader.close()
            self.loader = None


def on_device(batch: Batch, engine: Engine) -> dict[str, Tensor]:
    """A batch where the engine computes."""
    return {name: value.to(engine.device, non_blocking=True) for name, value in batch.items()}
