"""How a run is followed: on the terminal, in its log and pictures, and by whoever reads its folder."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import torch
from tqdm import tqdm

from sair_core.errors import SairError
from sair_core.files import replacing
from sair_core.training.backend import Backend
from sair_core.training.curves import draw_curves
from sair_core.training.schedule import Schedule, share_done
from sair_core.training.state import Counters, explain_full_disk, write_log

logger = logging.getLogger(__name__)

PROGRESS_NAME, CURVES_NAME = "progress.json", "curves.png"
EVERY_SECONDS = 2.0  # between two writes of `progress.json`
SMOOTH = 0.99  # decay of the logged loss, a step


class Monitor:
    """`with Monitor(...) as monitor:` around a run. Only the main process writes anything.

    The folder gets `progress.json` every two seconds (state "running", then "stopped", "finished" or
    "failed"; step; share of the run done; seconds in steps; eta_seconds; loss; message; pid), `log.csv`,
    `curves.png` at every validation, and `tensorboard/` where that package is installed.
    """

    def __init__(
        self, folder: Path, schedule: Schedule, counters: Counters, backend: Backend, show_progress: bool
    ):
        self.folder, self.schedule, self.counters, self.backend = folder, schedule, counters, backend
        self.smooth_loss: float = 0.0
        self._steps = 0
        self._at_start = (counters.seconds, counters.samples, counters.waited)
        self._written_at = 0.0
        self._state, self._message = "running", ""
        self._bar = tqdm(
            total=1.0,
            initial=self._share(),  # so that a resumed run's ETA is right
            disable=None if show_progress and backend.is_main else True,  # None: on a terminal only
            bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}",
        )
        self._tensorboard = _open_tensorboard(folder) if backend.is_main else None

    def __enter__(self) -> Monitor:
        self._write_status()
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if error is not None:
            self._state = "failed"
            self._message = _describe(error)
        self._bar.close()
        if self._tensorboard is not None:
            self._tensorboard.close()
        self._write_status()

    def log_preflight(self, validation: float, save: float, step: float, samples: int) -> None:
        """Log what the first validation, save and step took, in seconds, and how long the run will take.

        samples: of that step.
        """
        if not self.backend.is_main:
            return
        minutes = self.schedule.minutes
        length = 60 * minutes if minutes is not None else step * self.schedule.steps
        logger.info(
            "pre-flight passed: a step of %d takes %.2f s, a validation %.1f s, a save %.1f s, %.1f GB of "
            "memory; about %d steps in %s",
            samples,
            step,
            validation,
            save,
            measure_memory(self.backend.device) / 1e9,
            round(length / step),
            format_duration(length),
        )

    def update(self, loss: float) -> None:
        """Take in the loss of a step; show it, and write `progress.json` when it is due."""
        self._steps += 1
        # The mean of the first losses, then a moving average.
        keep = min(SMOOTH, 1 - 1 / self._steps)
        self.smooth_loss = keep * self.smooth_loss + (1 - keep) * loss
        self._bar.set_postfix_str(f" step {self.counters.step}, loss {self.smooth_loss:.4f}", refresh=False)
        self._bar.update(self._share() - self._bar.n)
        if time.monotonic() - self._written_at > EVERY_SECONDS:
            self._write_status()

    def log(self, **figures: float) -> None:
        """Add a row to the log."""
        self.counters.add_row(**figures)
        if self._tensorboard is not None:
            for name, value in figures.items():
                self._tensorboard.add_scalar(name, value, self.counters.step)

    def log_validation(self, figures: dict[str, float]) -> None:
        """Add the figures of a validation to the log, and write it and its curves.

        Raises CheckpointError when the disk is full.
        """
        self.log(**figures)
        text = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        self._bar.write(f"step {self.counters.step}: {text}")
        with explain_full_disk(self.folder):
            write_log(self.folder, self.counters)
            draw_curves({self.folder.name: self.counters.log}, self.folder / CURVES_NAME)

    def log_setback(self, error: SairError) -> None:
        """Log why the run went back to its last good state, and forget the losses since."""
        self._steps, self.smooth_loss = 0, 0.0
        if self.backend.is_main:
            logger.warning(
                "%s Back to step %d, at %g of the rate.", error, self.counters.step, self.counters.rate_factor
            )

    def log_end(self, *, stopped: bool) -> None:
        """Log how the machine was used, and how to go on where the run was stopped before its end."""
        self._state = "stopped" if stopped else "finished"
        counters = self.counters
        now = (counters.seconds, counters.samples, counters.waited)
        seconds, samples, waited = (b - a for a, b in zip(self._at_start, now))
        if self.backend.is_main and seconds > 0:
            logger.info(
                "%.1f photos a second; %.1f %% of the time waiting for data",
                samples / seconds,
                100 * waited / seconds,
            )
        if stopped and self.backend.is_main:
            self._message = f"Stopped at step {counters.step}; continue with --resume latest."
            logger.warning("stopped at step %d; continue with --resume latest", counters.step)

    def _share(self) -> float:
        return min(1.0, share_done(self.schedule, self.counters.step, self.counters.seconds))

    def _write_status(self) -> None:
        if not self.backend.is_main:
            return
        self._written_at = time.monotonic()
        share, counters = self._share(), self.counters
        write_status(
            self.folder,
            self._state,
            step=counters.step,
            share=round(share, 5),
            seconds=round(counters.seconds, 1),
            eta_seconds=round(counters.seconds * (1 - share) / share) if share else None,
            loss=round(self.smooth_loss, 6) if self._steps and math.isfinite(self.smooth_loss) else None,
            message=self._message,
        )


def write_status(folder: Path, state: str, **facts: object) -> None:
    """Write `progress.json`. A full disk is only logged here: the next save raises an error for it."""
    nothing = {"step": 0, "share": 0.0, "seconds": 0.0, "eta_seconds": None, "loss": None, "message": ""}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / PROGRESS_NAME) as path:
            path.write_text(json.dumps({"state": state, **nothing, **facts, "pid": os.getpid()}), "utf-8")
    except OSError as error:
        logger.debug("%s was not written: %s", PROGRESS_NAME, error)


@contextlib.contextmanager
def show_setup(folder: Path) -> Iterator[None]:
    """Write to `progress.json` that a run is being set up, and what fails inside the `with` block."""
    write_status(folder, "scanning", message="Opening photos")
    try:
        yield
    except BaseException as error:
        write_status(folder, "failed", message=_describe(error))
        raise


def measure_memory(device: torch.device) -> int:
    """Return the bytes of memory that this process has now; on an accelerator, the most it has had there."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return psutil.Process().memory_info().rss


def format_duration(seconds: float) -> str:
    """Return "2 h 5 min", "3 min" or "20 s"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _open_tensorboard(folder: Path) -> Any | None:
    """Return a tensorboard writer, None where the package is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder / "tensorboard")


def _describe(error: BaseException) -> str:
    return str(error) if isinstance(error, SairError) else f"{type(error).__name__}: {error}"
