"""One training as its run folder shows it: how far it is, its curves, its pictures, its log."""

from __future__ import annotations

import csv
import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["starting", "scanning", "running", "stopping", "stopped", "finished", "failed", "interrupted"]
ACTIVE = ("starting", "scanning", "running", "stopping")
RESUMABLE = ("stopped", "failed", "interrupted")
LOG_NAME, ERROR = "train.log", "error: "
LOG_BYTES = 16384  # of its end, which is looked at
CURVES = ("loss", "psnr")
MAX_POINTS = 300  # of a curve: more than a screen can show


@dataclass(frozen=True)
class Run:
    """A run as it stands at the moment of reading.

    state: "starting" while its process has not written anything, "interrupted" when its process is gone
    without a last state. message: the trainer's own, or the end of its log. share: done so far, in [0, 1].
    started: seconds since the epoch. pid: of its present or last process. log_from: byte of the log at which
    that one began.
    """

    folder: Path
    state: State
    message: str = ""
    step: int = 0
    share: float = 0.0
    seconds: float = 0.0
    eta_seconds: float | None = None
    loss: float | None = None
    started: float = 0.0
    pid: int | None = None
    log_from: int = 0

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def active(self) -> bool:
        """Whether its process is at work."""
        return self.state in ACTIVE

    @property
    def resumable(self) -> bool:
        return self.state in RESUMABLE and (self.folder / "state.pt").is_file()

    @property
    def model(self) -> Path:
        """The folder that its model lies in, as soon as it is `usable`."""
        return self.folder / "model"

    @property
    def usable(self) -> bool:
        return all((self.model / name).is_file() for name in ("config.json", "model.safetensors"))

    def with_state(self, state: State, message: str) -> Run:
        return dataclasses.replace(self, state=state, message=message)

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Return (step, value) pairs of each of CURVES, as many as can be told apart on a screen."""
        try:
            with (self.folder / "log.csv").open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        except OSError:
            rows = []
        return {name: _thin(_read_points(rows, name)) for name in CURVES}

    def pictures(self) -> dict[int, Path]:
        """Return the validation pictures by step, oldest first."""
        files = (self.folder / "validation").glob("*.png")
        return dict(sorted((int(file.stem), file) for file in files if file.stem.isdecimal()))

    def log_end(self, lines: int = 40) -> list[str]:
        """Return the last lines of the present or last process; of a progress bar, its last state."""
        try:
            with (self.folder / LOG_NAME).open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(self.log_from, size - LOG_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return []
        shown = (line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n"))
        return [line for line in shown if line][-lines:]

    def logged_error(self) -> str:
        """Return what the trainer said before it gave up; "" where it did not."""
        last = (self.log_end(1) or [""])[0]
        return last.removeprefix(ERROR) if last.startswith(ERROR) else ""


def _read_points(rows: list[dict[str, str]], column: str) -> list[tuple[int, float]]:
    points = []
    for row in rows:
        try:
            step, value = int(row["step"]), float(row[column])
        except (KeyError, TypeError, ValueError):  # not measured at this step
            continue
        if math.isfinite(value):
            points.append((step, value))
    return points


def _thin(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    every = -(-len(points) // MAX_POINTS) or 1
    return points[::-every][::-1]  # from the end, so that the newest one stays
