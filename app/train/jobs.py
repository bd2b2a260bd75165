"""The trainings of this machine: started as processes of their own, found again, stopped, resumed.

All there is to know lies in the run folders: `job.json` and `train.log` are written here, the rest by the
trainer. So a training outlives the app, and any app that looks into the folder finds it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sair_core.config import require
from sair_core.errors import SairError
from sair_core.files import replacing

from .run import LOG_NAME, Run, State

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "runs" if (ROOT / "app.py").is_file() else Path("runs")  # installed: where the app is started
TRAINER = (sys.executable, "-m", "sair_core.training")
JOB_NAME, PROGRESS_NAME = "job.json", "progress.json"
FINE_TUNING = {
    "--learning-rate": "3e-4", "--final-share": "1", "--squared-weight": "6", "--warmup-steps": "50",
}  # fmt: skip
START_SECONDS = 5  # in its first moments a process has no command line to be known by
ENDED = ("stopped", "finished", "failed")
STOPPABLE = ("starting", "scanning", "running")


class TrainingError(SairError):
    """A training cannot be started, found, stopped or resumed."""


@dataclass(frozen=True)
class TrainingRequest:
    """What to train: on the photos in `data`, from the weights of the model `start` or from random ones of
    the configuration `preset`, for so many `minutes` or `steps`. What is None is left to the trainer."""

    data: Path
    start: str | None = None
    preset: str | None = None
    minutes: float | None = None
    steps: int | None = None
    learning_rate: float | None = None
    size_px: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        require(self.minutes is not None or self.steps is not None, "Say how long: minutes or steps.")
        for name in ("minutes", "steps", "learning_rate"):
            value = getattr(self, name)
            label = name.replace("_", " ")
            require(value is None or value > 0, f"The {label} must be more than 0, not {value}.")
        require(
            self.size_px is None or self.size_px >= 32,
            f"The photo size must be at least 32 px, not {self.size_px}.",
        )

    def arguments(self) -> list[str]:
        """Return the trainer's arguments.

        The last part of a run sees photos of twice the size; all of it does where a model is fine-tuned with
        our own learning rate ("On my own folder" in docs/training.md).
        """
        gentle = FINE_TUNING if self.start is not None and self.learning_rate is None else {}
        given = {
            "--data": self.data.resolve(),
            "--from": self.start,
            "--preset": self.preset,
            "--minutes": self.minutes,
            "--steps": self.steps,
            "--learning-rate": self.learning_rate,
            "--size-px": self.size_px,
            "--final-size-px": self.size_px and 2 * self.size_px,
            "--seed": self.seed,
            **gentle,
        }
        return [str(part) for pair in given.items() if pair[1] is not None for part in pair]


class TrainingJobs:
    """The runs in a folder, newest first, of which one at a time is under way."""

    def __init__(self, folder: Path, *, command: Sequence[str] = TRAINER, extra: Sequence[str] = ()):
        """folder: need not exist. command: the trainer; extra: arguments that it gets after all others."""
        self.folder = Path(os.path.realpath(folder))
        self._command = [*command]
        self._extra = [*extra]
        self._lock = threading.Lock()

    def runs(self) -> list[Run]:
        """Return all runs of the app, and those of the terminal that have their folder here, newest first."""
        folders = self.folder.iterdir() if self.folder.is_dir() else ()
        found = filter(None, map(read_run, folders))
        return sorted(found, key=lambda run: (run.started, run.name), reverse=True)

    def status(self, name: str) -> Run:
        """Return the run of that name as it stands. Raises TrainingError when it is gone."""
        for run in self.runs():  # by comparison: a name from the browser never becomes a path
            if run.name == name:
                return run
        raise TrainingError(f"There is no training {name!r} in {self.folder} any more. Choose another.")

    def start(self, request: TrainingRequest) -> Run:
        """Begin a run in a new folder, named after the photos' folder. Raises TrainingError when one is under
        way or nothing can be written."""
        with self._lock:
            self._check_free()
            return self._launch(self._new_folder(request.data.resolve().name), request.arguments())

    def resume(self, name: str) -> Run:
        """Go on with a run from its last saved state. Raises TrainingError as `start` does, and when there
        is no such state."""
        with self._lock:
            run = self.status(name)
            self._check_free()
            if not run.resumable:
                raise TrainingError(
                    f"{name} cannot be resumed: {run.state}, with no state saved. Start anew."
                )
            return self._launch(run.folder, ["--resume"])

    def stop(self, name: str) -> Run:
        """Ask a run to save its state and end; nothing happens where it has ended. It takes a moment."""
        run = self.status(name)
        process = _find_process(run.pid, run.folder) if run.state in STOPPABLE else None
        if process is not None:
            # First: a process that is gone a moment later has then ended as asked.
            _write_json(run.folder / JOB_NAME, {**_read_json(run.folder / JOB_NAME), "stopping": run.pid})
            try:
                process.terminate()
            except psutil.NoSuchProcess:
                pass
            except psutil.AccessDenied as error:
                raise TrainingError(f"{name} was started by another user. Ask them to stop it.") from error
        return self.status(name)

    def _check_free(self) -> None:
        for run in self.runs():
            if run.active:
                raise TrainingError(
                    f"One training at a time: {run.name} is {run.state}. Stop it, or wait until it is done."
                )

    def _new_folder(self, title: str) -> Path:
        slug = re.sub(r"[^\w.-]+", "-", title).strip("-.") or "photos"
        number = 1
        while True:
            folder = self.folder / (slug if number == 1 else f"{slug}-{number}")
            try:
                folder.mkdir(parents=True)
                return folder
            except FileExistsError:
                number += 1
            except OSError as error:
                raise TrainingError(
                    f"{self.folder} cannot be written ({error.strerror}). Start the app with --runs FOLDER."
                ) from error

    def _launch(self, folder: Path, arguments: Sequence[str]) -> Run:
        """Start the trainer beyond the reach of what ends the app or its terminal."""
        command = [*self._command, *arguments, "--output", str(folder), *self._extra]
        try:
            with (folder / LOG_NAME).open("ab") as log:
                started, log_from = time.time(), log.tell()
                process = subprocess.Popen(
                    command, cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            deadline = started + START_SECONDS
            while (
                process.poll() is None and not _find_process(process.pid, folder) and time.time() < deadline
            ):
                time.sleep(0.01)
            _write_json(folder / JOB_NAME, {"pid": process.pid, "started": started, "log_from": log_from})
        except OSError as error:
            raise TrainingError(
                f"The trainer could not be started ({error}). Stop other programs, or try again later."
            ) from error
        # Somebody has to wait for it, or its process table entry stays until the app ends.
        threading.Thread(target=process.wait, daemon=True, name="trainer").start()
        return self.status(folder.name)


def read_run(folder: Path) -> Run | None:
    """Read a run from its files and its process; None where the folder holds none."""
    job = _read_json(folder / JOB_NAME)
    # Its time first: a report that is replaced in between must not pass for new with what the old one said.
    written, progress = _modified(folder / PROGRESS_NAME), _read_json(folder / PROGRESS_NAME)
    if not job and not progress:
        return None
    # What an earlier process wrote stays until the present one writes something.
    current = bool(progress) and written >= job.get("started", 0.0)
    run = Run(
        folder,
        state=progress.get("state", "running") if current else "starting",
        message=str(progress.get("message") or "") if current else "",
        started=job.get("started", written),
        pid=(progress if current else job).get("pid"),
        log_from=job.get("log_from", 0),
        **{name: progress[name] for name in ("step", "share", "seconds", "eta_seconds", "loss")
           if progress.get(name) is not None},
    )  # fmt: skip
    return run if run.state in ENDED else run.with_state(*_infer_state(run, job))


def _infer_state(run: Run, job: dict[str, Any]) -> tuple[State, str]:
    """Return state and message of a run that has not said how it ended."""
    stopping = job.get("stopping") is not None and job["stopping"] == run.pid
    if _find_process(run.pid, run.folder) is not None:
        return ("stopping" if stopping else run.state), run.message
    if stopping:
        return "stopped", run.message
    error = run.logged_error()
    return ("failed", error) if error else ("interrupted", "")


def _find_process(pid: int | None, folder: Path) -> psutil.Process | None:
    """Return the process if it is there and names this run: its number may have gone to another one since."""
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        return process if any(Path(part).name == folder.name for part in process.cmdline()) else None
    except psutil.Error:
        return None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _read_json(path: Path) -> dict[str, Any]:
    """Return what a file holds; nothing where it is missing or foreign."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")
