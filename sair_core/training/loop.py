"""The loop that every training here runs, from top to bottom. What is trained is a Task."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from PIL import Image
from torch import Tensor

from sair_core.config import to_dict
from sair_core.devices import keep_freed_memory
from sair_core.errors import CheckpointError, NotFiniteError
from sair_core.training.config import RunConfig
from sair_core.training.engine import Batch, Batches, Engine
from sair_core.training.report import Report, told
from sair_core.training.schedule import Schedule, share_done
from sair_core.training.start import begin_folder, write_configuration
from sair_core.training.state import (
    BEST,
    MODEL,
    PREVIOUS,
    Average,
    Learner,
    Progress,
    drop_latest,
    load_run,
    require_finite,
    save_picture,
    save_run,
    saving,
)
from sair_core.training.stopping import StopSignals

logger = logging.getLogger(__name__)

LOG_EVERY = 50  # steps between rows of the loss in the log
MAX_SETBACKS = 3
SETBACK_FACTOR = 0.5  # on the learning rate, after each
DIVERGED = 4.0  # a smooth loss this many times its lowest means that the run has diverged
SETTLED = 200  # steps after which that is judged


class Task(Protocol):
    """Networks, their data and their losses."""

    engine: Engine
    learners: Mapping[str, Learner]  # the first one's model is what is validated and exported
    average: Average  # of that model

    def loader(self, phase: int, first_sample: int) -> Batches:
        """Endless batches of this process, each with the numbers of its samples in all processes; from
        number `first_sample` on, or a little later, where a batch begins."""
        ...

    def step(self, batch: Batch, first_sample: int) -> float:
        """Optimiser steps on a batch on the device; returns the loss that tells how the run goes, NaN when it
        or a gradient is not finite, and then leaves the weights as they are. first_sample: number of the
        first sample of all processes' batches, to draw by."""
        ...

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        """Figures by name and a picture, of the weights that the model holds now. The first is the one by
        which the best model is known: more is better."""
        ...

    def export(self, folder: Path) -> None:
        """Write the averaged model into a folder so that it can be used."""
        ...


def train(
    make_task: Callable[[Any, Engine, bool], Task], config: RunConfig, resume: str | None, show: bool
) -> Path:
    """A whole training; returns the folder of the trained model, `OUTPUT/model`.

    make_task: of the configuration, the engine, and whether the run is resumed, so that no weights are needed
    to begin with. The run folder holds `train.json` (the effective configuration, and what the task says
    as `facts`) and what `run` promises. show: a progress bar.
    """
    keep_freed_memory()
    folder = begin_folder(config.output, resume)
    with told(folder):
        engine = Engine(config.device, config.bf16, config.accumulate)
        task = make_task(config, engine, resume is not None)
    if engine.is_main:
        written = {"train": to_dict(config), "model": to_dict(task.model.config)}
        write_configuration(folder, **written, **task.facts)
    run(task, config, folder, resume=resume, show_progress=show)
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
    main = task.learners[next(iter(task.learners))].model
    progress = Progress() if resume is None else load_run(folder, task.learners, task.average, resume)
    if resume == PREVIOUS:
        engine.wait()
        if engine.is_main:
            drop_latest(folder)
        engine.wait()

    def validate() -> None:
        if engine.is_main:
            with task.average.swapped_into(main), saving(folder):
                figures, picture = task.validate()
                save_picture(picture, folder / "validation" / f"{progress.step:06d}.png")
            report.validated(figures)
            first = next(iter(figures.values()))
            if progress.best is None or first > progress.best:
                progress.best = first
                if progress.step:
                    with saving(folder):
                        task.export(folder / BEST)
        engine.wait()

    def save() -> None:
        require_finite(task.learners, task.average, progress.step)  # in every process, so that all go back
        if engine.is_main:
            with saving(folder):
                task.export(folder / MODEL)  # first: a state can be resumed only where there is a model
            save_run(folder, task.learners, task.average, progress)
        engine.wait()

    with Report(folder, schedule, progress, engine, show_progress) as report, StopSignals() as stop:
        if resume is None:
            preflight(task, schedule, folder, progress, report, validate, save)
        phase, loader, lowest, since = None, None, math.inf, progress.step
        while (share := share_done(schedule, progress)) < 1 and not engine.any(stop.asked):
            if schedule.phase(share) != phase:
                phase = schedule.phase(share)
                _end(loader)
                loader = task.loader(phase, progress.samples)
            rate = progress.rate_factor * schedule.rate(progress.step, share)
            for learner in task.learners.values():
                learner.set_rate(rate)
            started = time.perf_counter()
            numbers, batch = next(loader)
            waited = time.perf_counter() - started
            loss = task.step(on_device(batch, engine), numbers.start)
            progress.samples = numbers.stop
            progress.seconds += engine.mean(time.perf_counter() - started)
            progress.waited += engine.mean(waited)
            report.step(loss)
            try:
                if progress.step - since > SETTLED:
                    lowest = min(lowest, report.smooth_loss)
                if not math.isfinite(loss) or report.smooth_loss > DIVERGED * lowest:
                    raise NotFiniteError(f"The loss is {report.smooth_loss:.4g} at step {progress.step}.")
                progress.step += 1
                task.average.update(main, progress.step - 1)
                if progress.step % LOG_EVERY == 0:
                    report.note(loss=report.smooth_loss, rate=rate)
                if progress.step % schedule.validate_every == 0:
                    validate()
                if progress.step % schedule.save_every == 0:
                    save()
            except NotFiniteError as error:
                set_back(error, task, folder, progress, report)
                phase, lowest, since = None, math.inf, progress.step
        _end(loader)
        if share >= 1 and progress.step % schedule.validate_every:
            validate()
        if progress.step % schedule.save_every:
            save()
        report.ended(stopped=share < 1)


def _end(loader: Batches | None) -> None:
    """Lets its workers go now: at the interpreter's end they would wait for a word that nobody sends."""
    if loader is not None:
        loader.close()


def preflight(
    task: Task,
    schedule: Schedule,
    folder: Path,
    progress: Progress,
    report: Report,
    validate: Callable[[], None],
    save: Callable[[], None],
) -> None:
    """Everything once before it counts: a validation, a save and two training steps, which are taken back.

    What is wrong with the photos, the memory or the disk shows in the first minute and not after an hour.
    """
    started = time.perf_counter()
    validate()
    validated = time.perf_counter()
    save()
    saved = time.perf_counter()
    loader = task.loader(schedule.phase(0.0), 0)
    numbers, batch = next(loader)
    _end(loader)
    batch, seconds = on_device(batch, task.engine), []
    for _ in range(2):  # the first takes memory and time that the others do not
        begun = time.perf_counter()
        if not math.isfinite(task.step(batch, numbers.start)):
            raise CheckpointError("The very first loss is not a number: look at the photos and the model.")
        seconds.append(time.perf_counter() - begun)
    load_run(folder, task.learners, task.average)
    report.preflight(validated - started, saved - validated, seconds[-1], len(numbers))


def set_back(
    error: NotFiniteError, task: Task, folder: Path, progress: Progress, report: Report
) -> None:
    """Back to the last good state at a lower rate; the samples that led here are not seen again.

    Raises NotFiniteError, saying what happened, when that was done MAX_SETBACKS times.
    """
    if progress.setbacks == MAX_SETBACKS:
        raise NotFiniteError(
            f"{error} It happened {MAX_SETBACKS + 1} times, each time at half the rate of the one before. "
            f"{folder} keeps the last good state. Look at the photos of the last pictures in it, or start "
            "again with a lower --learning-rate."
        ) from error
    good = load_run(folder, task.learners, task.average)
    progress.setbacks += 1
    progress.rate_factor *= SETBACK_FACTOR
    progress.step, progress.best, progress.log[:] = good.step, good.best, good.log
    report.set_back(error)


def on_device(batch: Batch, engine: Engine) -> dict[str, Tensor]:
    """A batch where the engine computes."""
    return {name: value.to(engine.device, non_blocking=True) for name, value in batch.items()}
