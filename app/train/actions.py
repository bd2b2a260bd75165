"""What happens on the server when something is shown or pressed in the Train tab."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sair_core.errors import ConfigError, DataError, ModelNotFoundError, SairError
from sair_core.weights.bundled import BUNDLED, is_bundled

from ..serving.service import FillService
from ..session import Session
from ..widgets.answers import follow, refuse
from ..widgets.pictures import Picture
from ..widgets.protocol import Answer, Level, Request
from .jobs import TrainingJobs, TrainingRequest
from .run import RESUMABLE, Run, State

MINUTES, STEPS = "Minutes", "Steps"
UNITS = {MINUTES: 10, STEPS: 1000}  # and how long a run of each is unless something else is typed
TRAINABLE = "sair"  # the kind of model
SCRATCH = "preset:"  # before the name of a configuration that begins with random weights
PRESETS = {"lite": "From scratch: lite", "paper": "From scratch: the paper's"}
FOLDER_HINT = "The photos stay where they are. Nothing is sent anywhere."
STATE_NOTICES: dict[State, tuple[Level, str]] = {
    "starting": ("busy", "Starting. Loading the trainer takes some seconds."),
    "scanning": ("busy", "Looking at the photos."),
    "running": ("busy", "Training. You may close this page, and the app too: it goes on."),
    "stopping": ("busy", "Stopping. The step under way is finished, then everything is saved."),
    "stopped": ("info", "Stopped."),
    "finished": ("good", "Done. Press Use this model now, and fill a photo in Edit."),
    "failed": ("error", "The training failed; the end of its log is below."),
    "interrupted": ("warn", "Interrupted: the training ended without a word, as when the machine goes off."),
}
RESUME, START_ANEW = "Resume goes on from the last saved state.", "No state was saved: start anew."


def read_model_type(folder: Path) -> str | None:
    """Return what kind of model lies in a folder; None where its config.json does not say."""
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def scan_folder(folder: Path) -> str:
    """Say in a few lines what training would find in a folder. Raises DataError where that is nothing."""
    from sair_core.training.data.scan import scan

    return scan([folder]).summary()


class TrainActions:
    """Every method takes a Request and the visitor's Session and gives Answers; errors are answers too."""

    def __init__(self, service: FillService, jobs: TrainingJobs, scan: Callable[[Path], str] = scan_folder):
        """scan: as `scan_folder`."""
        self.service = service
        self.jobs = jobs
        self._scan = scan
        self._unusable: set[Path] = set()  # folders in which nothing was found

    def look(self, request: Request, session: Session | None) -> Answer:
        """Show how the request's training stands; where it names none, the one under way or the newest."""
        return self._show(request)

    def check(self, request: Request, session: Session | None, folder: str) -> Answer:
        """Say what training would find in a folder, and what it would leave out."""
        level: Level = "info"
        text = FOLDER_HINT
        try:
            if folder.strip():
                level, text = "good", self._scan_usable(_photo_folder(folder))
        except SairError as error:
            level, text = "error", str(error)
        return Answer("notice", level, text, more={"request": request.number})

    def start(
        self,
        request: Request,
        session: Session | None,
        folder: str,
        base: str,
        unit: str,
        length: float | None,
        learning_rate: float | None,
        size_px: float | None,
        seed: float | None,
    ) -> Answer:
        """Begin a training. base: as `bases` has it, or a folder with a model; unit: of UNITS. What is None
        is left to the trainer, but for the length."""
        try:
            if length is None:
                raise ConfigError(f"Say how long: a number of {unit.lower()}.")
            photos = _photo_folder(folder)
            if photos in self._unusable:
                self._scan_usable(photos)  # something may have been added
            start, preset = self._resolve_base(base)
            run = self.jobs.start(
                TrainingRequest(
                    photos, start, preset,
                    minutes=length if unit == MINUTES else None,
                    steps=int(length) if unit == STEPS else None,
                    learning_rate=learning_rate,
                    size_px=None if size_px is None else int(size_px),
                    seed=None if seed is None else int(seed),
                )
            )  # fmt: skip
        except SairError as error:
            return refuse(error)
        return self._show(request, run)

    def stop(self, request: Request, session: Session | None) -> Answer:
        """Ask a training to save and end."""
        return self._act(request, self.jobs.stop)

    def resume(self, request: Request, session: Session | None) -> Answer:
        """Go on with a training that has ended before its time."""
        return self._act(request, self.jobs.resume)

    def use(self, request: Request, session: Session | None) -> Iterator[Answer]:
        """Fill with the model of the request's training from now on."""
        try:
            run = self.jobs.status(request.run or "")
            if not run.usable:
                raise ModelNotFoundError(f"{run.name} has saved no model yet. Wait a little and try again.")
        except SairError as error:
            yield refuse(error)
            return
        yield from self._switch(request, str(run.model))

    def use_first(self, request: Request, session: Session | None) -> Iterator[Answer]:
        """Fill with the model that the app began with again."""
        yield from self._switch(request, self.service.models.first_name)

    def bases(self) -> list[tuple[str, str]]:
        """Return (title, value) of what a training can begin with."""
        bundled = sorted(file.parent.name for file in BUNDLED.glob("*/config.json"))
        bundled = [name for name in bundled if read_model_type(BUNDLED / name) == TRAINABLE]
        runs = [run for run in self.jobs.runs() if run.usable and read_model_type(run.model) == TRAINABLE]
        trained = [(f"{run.name} (trained here)", str(run.model)) for run in runs]
        scratch = [(title, SCRATCH + name) for name, title in PRESETS.items()]
        return [*((name, name) for name in bundled), *trained, *scratch]

    def _scan_usable(self, folder: Path) -> str:
        """Return what a scan says. Raises DataError where there is nothing to train on."""
        self._unusable.discard(folder)
        try:
            return self._scan(folder)
        except DataError:
            self._unusable.add(folder)
            raise

    def _resolve_base(self, base: str) -> tuple[str | None, str | None]:
        """Return the model to begin with, or None and the name of a configuration."""
        base = (base or "").strip()
        if base.startswith(SCRATCH):
            return None, base.removeprefix(SCRATCH)
        if base in dict(self.bases()).values():
            return base, None
        # Absolute, because the trainer works in another folder.
        folder = BUNDLED / base if is_bundled(base) else _read_path(base).absolute()
        if not base or not (folder / "config.json").is_file():
            raise ModelNotFoundError(
                f"{base or 'Nothing'} is no model to begin with. Choose one of the list, or give a folder "
                "that holds config.json and model.safetensors."
            )
        if read_model_type(folder) != TRAINABLE:
            raise ConfigError(f"{base} is no SAIR model, and only those are trained here. Choose another.")
        return str(folder), None

    def _switch(self, request: Request, model: str) -> Iterator[Answer]:
        try:
            yield from follow(lambda progress: self.service.start_switch(model, progress=progress))
        except SairError as error:
            yield refuse(error)
            return
        yield self._show(request, text=f"From now on, fills are made with {self._title(model)}.")

    def _title(self, model: str) -> str:
        """Return what a model is called on the page: a run's by the run."""
        path = Path(model)
        return path.parent.name if path.parent.parent == self.jobs.folder else model

    def _act(self, request: Request, act: Callable[[str], Run]) -> Answer:
        try:
            return self._show(request, act(request.run or ""))
        except SairError as error:
            return refuse(error)

    def _show(self, request: Request, run: Run | None = None, text: str = "") -> Answer:
        """Answer with a run and everything around it. text: shown once, instead of how the run stands."""
        runs = self.jobs.runs()
        by_name = {one.name: one for one in runs}
        under_way = next((one for one in runs if one.active), None)
        run = run or by_name.get(request.run or "") or under_way or next(iter(runs), None)
        more = {
            "request": request.number,
            "runs": [{"name": one.name, "state": one.state} for one in runs],
            "usable": [one.name for one in runs if one.usable],
            "active": under_way is not None,
            "model": {
                "title": self._title(self.service.models.name),
                "first": self._title(self.service.models.first_name),
            },
        }
        pictures: tuple[Picture, ...] = ()
        if run is not None:
            files = run.pictures()
            step = request.step if request.step in files else next(reversed(files), None)
            if step is not None:
                pictures = (Picture(files[step].read_bytes(), "png"),)
            more["run"] = describe(run) | {"steps": [*files], "at": step}
        return Answer("run", "good", text, pictures, more=more)


def describe(run: Run) -> dict[str, Any]:
    """Return a run as the widget shows it."""
    level, text = STATE_NOTICES[run.state]
    if run.message and run.state in ("scanning", "failed"):
        text = run.message
    if run.state in RESUMABLE:
        text += f" {RESUME if run.resumable else START_ANEW}"
    own = dataclasses.asdict(run)
    return {
        **{name: own[name] for name in ("state", "step", "share", "seconds", "eta_seconds", "loss")},
        "name": run.name,
        "said": {"level": level, "text": text},
        "curves": run.curves(),
        "log": "\n".join(run.log_end()),
        "stoppable": run.active and run.state != "stopping",
        "resumable": run.resumable,
        "usable": run.usable,
    }


def _read_path(text: str) -> Path:
    """Return the path that was typed or copied, maybe with quotation marks around it."""
    return Path(os.path.expanduser(text.strip().strip("'\"")))  # unlike Path's, also of nobody's home


def _photo_folder(text: str) -> Path:
    """Return the folder of photos that was typed. Raises DataError where there is none."""
    folder = _read_path(text)
    if not text.strip():
        raise DataError("Give a folder with photos to train on, for example /home/me/photos.")
    try:
        if folder.is_dir():
            return folder.resolve()
    except (OSError, ValueError):  # too long, or with a character that no path has
        pass
    raise DataError(f"{folder} is no folder on this machine. Copy its path from your file manager.")
