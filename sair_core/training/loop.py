"""The loop that every training here runs, from top to bottom. What is trained is a Task."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from sair_core.checkpoint import replacing
from sair_core.errors import CheckpointError, ConfigError
from sair_core.training.state import STATE_NAME, Average, Progress, load_run, save_picture, save_run
from sair_core.training.stopping import StopSignals

logger = logging.getLogger(__name__)

LOG_EVERY = 50  # steps between rows of the loss in the log
Batch = dict[str, Tensor]


class Schedule(Protocol):
    """How long a run is, and how often it is looked at and saved. Training configurations are schedules."""

    steps: int
    minutes: float | None
    validate_every: int
    save_every: int

    def rate(self, step: int, progress: float) -> float:
        """Learning rate at a step; progress in [0, 1]."""
        ...

    def phase(self, progress: float) -> int:
        """Number of the part of the run; a new one asks the task for another loader."""
        ...


class Task(Protocol):
    """A model, its data and its loss."""

    model: Any  # an nn.Module with own_state()
    average: Average
    optimiser: torch.optim.Optimizer
    device: torch.device

    def loader(self, phase: int, first_sample: int) -> Iterator[tuple[int, Batch]]:
        """Endless batches from sample number `first_sample` on, each with its number of samples."""
        ...

    def step(self, batch: Batch, first_sample: int) -> float:
        """One optimiser step on a batch on the device; returns the loss, and leaves the weights as they are
        when it is not finite. first_sample: number of the batch's first sample, to draw by."""
        ...

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        """Figures by name and a picture, of the weights that the model holds now."""
        ...

    def export(self, folder: Path) -> None:
        """Write the averaged model so that it can be used."""
        ...


def run(task: Task, schedule: Schedule, folder: Path, *, resume: bool, show_progress: bool = True) -> None:
    """Train until the schedule ends or the process is asked to stop.

    `folder` gets `state.pt` (to resume), `log.csv`, `validation/STEP.png` and what the task exports, saved
    as it goes. Ctrl+C and SIGTERM end the run after the present step, with its state saved.

    Raises CheckpointError when there is nothing to resume or the loss stopped being a number.
    """
    progress = load_run(folder, task.model, task.average, task.optimiser) if resume else Progress()
    bar = tqdm(
        total=1.0,
        initial=min(1.0, _share_done(schedule, progress)),  # so that a resumed run's ETA is right
        disable=not show_progress,
        bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}",
    )

    def validate() -> None:
        with task.average.swapped_into(task.model):
            figures, picture = task.validate()
        save_picture(picture, folder / "validation" / f"{progress.step:06d}.png")
        progress.note(**figures)
        bar.write(f"step {progress.step}: " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items()))

    def save() -> None:
        save_run(folder, task.model, task.average, task.optimiser, progress)
        task.export(folder)

    phase, loader, smooth_loss = None, iter(()), None
    with bar, StopSignals() as stop:
        if progress.step == 0:
            validate()
        while (share := _share_done(schedule, progress)) < 1 and not stop.asked:
            if schedule.phase(share) != phase:
                phase = schedule.phase(share)
                loader = task.loader(phase, progress.samples)
            started = time.perf_counter()
            samples, batch = next(loader)
            batch = {k: v.to(task.device, non_blocking=True) for k, v in batch.items()}
            for group in task.optimiser.param_groups:
                group["lr"] = schedule.rate(progress.step, share)
            loss = task.step(batch, progress.samples)
            if not math.isfinite(loss):
                raise CheckpointError(
                    f"The loss is not a number at step {progress.step}; {folder} keeps the last good state. "
                    "Resume with a lower --learning-rate."
                )
            task.average.update(task.model, progress.step)
            progress.step += 1
            progress.samples += samples
            progress.seconds += time.perf_counter() - started
            smooth_loss = loss if smooth_loss is None else 0.99 * smooth_loss + 0.01 * loss
            if progress.step % LOG_EVERY == 0:
                progress.note(loss=smooth_loss)
            bar.set_postfix_str(f" step {progress.step}, loss {smooth_loss:.4f}", refresh=False)
            bar.update(min(1.0, _share_done(schedule, progress)) - bar.n)
            if progress.step % schedule.validate_every == 0:
                validate()
            if progress.step % schedule.save_every == 0:
                save()
        if stop.asked:
            logger.warning("stopped at step %d; continue with --resume", progress.step)
        else:
            validate()
        save()


def optimise(
    model: torch.nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, clip_norm: float
) -> float:
    """Backward, clip, step; returns the loss. No step is taken when it is not finite."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    value = loss.item()
    if math.isfinite(value):
        optimiser.step()
    return value


def begin_folder(output: str, resume: bool) -> Path:
    """The run folder. Raises ConfigError when it already holds a run that is not to be resumed."""
    folder = Path(output)
    if not resume and (folder / STATE_NAME).exists():
        raise ConfigError(
            f"{folder} already holds a run. Continue it with --resume or name another --output."
        )
    return folder


def write_configuration(folder: Path, **parts: Any) -> None:
    """`train.json`: the effective configuration, part by part."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "train.json") as path:
        path.write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")


def _share_done(schedule: Schedule, progress: Progress) -> float:
    if schedule.minutes is not None:
        return progress.seconds / (60 * schedule.minutes)
    return progress.step / schedule.steps
