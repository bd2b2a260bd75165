"""What a run tells: on the terminal, in its log, in pictures, and to whoever watches its folder."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import torch
from tqdm import tqdm

from sair_core.errors import SairError
from sair_core.files import replacing
from sair_core.training.backend import Engine
from sair_core.training.curves import draw_curves
from sair_core.training.schedule import Schedule, share_done
from sair_core.training.state import Progress, saving, write_log

logger = logging.getLogger(__name__)

PROGRESS_NAME, CURVES_NAME = "progress.json", "curves.png"
EVERY_SECONDS = 2.0
SMOOTH = 0.99  # of the loss, a step


class Report:
    """`with Report(...) as report:` around a run. Only the main process tells anything.

    The folder gets `progress.json` every two seconds (state "running", then "stopped", "finished" or
    "failed"; step; share of the run done; seconds in steps; eta_seconds; loss; message; pid), `log.csv`,
    `curves.png` at every validation, and `tensorboard/` where that package is installed.
    """

    def __init__(
        self, folder: Path, schedule: Schedule, progress: Progress, engine: Engine, show_progress: bool
    ):
        self.folder, self.schedule, self.progress, self.engine = folder, schedule, progress, engine
        self.smooth_loss: float = 0.0
        self._steps = 0
        self._begun = (progress.seconds, progress.samples, progress.waited)
        self._told = 0.0
        self._state, self._message = "running", ""
        self._bar = tqdm(
            total=1.0,
            initial=self._share(),  # so that a resumed run's ETA is right
            disable=not (show_progress and engine.is_main),
            bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}",
        )
        self._board = _tensorboard(folder) if engine.is_main else None

    def __enter__(self) -> Report:
        self._tell(now=True)
        return self

    def __exit__(self, _: type | None, error: BaseException | None, __: object) -> None:
        if error is not None:
            self._state = "failed"
            self._message = _words(error)
        self._bar.close()
        if self._board is not None:
            self._board.close()
        self._tell(now=True)

    def preflight(self, validation: float, save: float, step: float, samples: int) -> None:
        """Say what the first step of everything took, seconds each, and how long the run will take."""
        if not self.engine.is_main:
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
            memory_bytes(self.engine.device) / 1e9,
            round(length / step),
            duration(length),
        )

    def step(self, loss: float) -> None:
        """After each step."""
        self._steps += 1
        # The mean of the first losses, then a moving average.
        keep = min(SMOOTH, 1 - 1 / self._steps)
        self.smooth_loss = keep * self.smooth_loss + (1 - keep) * loss
        self._bar.set_postfix_str(f" step {self.progress.step}, loss {self.smooth_loss:.4f}", refresh=False)
        self._bar.update(self._share() - self._bar.n)
        self._tell()

    def note(self, **figures: float) -> None:
        """A row of the log."""
        self.progress.note(**figures)
        for name, value in figures.items() if self._board is not None else ():
            self._board.add_scalar(name, value, self.progress.step)

    def validated(self, figures: dict[str, float]) -> None:
        """After a validation."""
        self.note(**figures)
        told = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        self._bar.write(f"step {self.progress.step}: {told}")
        with saving(self.folder):
            write_log(self.folder, self.progress)
            draw_curves({self.folder.name: self.progress.log}, self.folder / CURVES_NAME)

    def set_back(self, error: SairError) -> None:
        """After going back to the last good state."""
        self._steps, self.smooth_loss = 0, 0.0
        if self.engine.is_main:
            logger.warning(
                "%s Back to step %d, at %g of the rate.", error, self.progress.step, self.progress.rate_factor
            )

    def ended(self, *, stopped: bool) -> None:
        """At the end: how the machine was used, and how to go on."""
        self._state = "stopped" if stopped else "finished"
        seconds, samples, waited = (
            now - then
            for now, then in zip(
                (self.progress.seconds, self.progress.samples, self.progress.waited), self._begun
            )
        )
        if self.engine.is_main and seconds > 0:
            logger.info(
                "%.1f photos a second; %.1f %% of the time waiting for data",
                samples / seconds,
                100 * waited / seconds,
            )
        if stopped and self.engine.is_main:
            self._message = f"Stopped at step {self.progress.step}; continue with --resume latest."
            logger.warning("stopped at step %d; continue with --resume latest", self.progress.step)

    def _share(self) -> float:
        return min(1.0, share_done(self.schedule, self.progress))

    def _tell(self, *, now: bool = False) -> None:
        if not self.engine.is_main or not (now or time.monotonic() - self._told > EVERY_SECONDS):
            return
        self._told = time.monotonic()
        share, progress = self._share(), self.progress
        tell(
            self.folder,
            self._state,
            step=progress.step,
            share=round(share, 5),
            seconds=round(progress.seconds, 1),
            eta_seconds=round(progress.seconds * (1 - share) / share) if share else None,
            loss=round(self.smooth_loss, 6) if self._steps and math.isfinite(self.smooth_loss) else None,
            message=self._message,
        )


def tell(folder: Path, state: str, **facts: object) -> None:
    """Write `progress.json`. A full disk is not its concern: the next save will say so."""
    nothing = {"step": 0, "share": 0.0, "seconds": 0.0, "eta_seconds": None, "loss": None, "message": ""}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / PROGRESS_NAME) as path:
            path.write_text(json.dumps({"state": state, **nothing, **facts, "pid": os.getpid()}), "utf-8")
    except OSError as error:
        logger.debug("%s was not written: %s", PROGRESS_NAME, error)


def memory_bytes(device: torch.device) -> int:
    """Memory that this process has now; on an accelerator, the most it has had there."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return psutil.Process().memory_info().rss


def duration(seconds: float) -> str:
    """ "2 h 5 min", "3 min", "20 s"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _tensorboard(folder: Path):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder / "tensorboard")


@contextlib.contextmanager
def told(folder: Path) -> Iterator[None]:
    """What fails inside, before there is a Report, is told in the folder, too."""
    tell(folder, "scanning", message="Opening photos")
    try:
        yield
    except BaseException as error:
        tell(folder, "failed", message=_words(error))
        raise


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, SairError) else f"{type(error).__name__}: {error}"
