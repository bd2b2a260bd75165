import io
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.page import build_app
from app.serving.service import FillService
from app.train import actions as module
from app.train.actions import FOLDER_HINT, MINUTES, PRESETS, STEPS, TrainActions, describe
from app.train.jobs import TrainingJobs
from app.train.run import Run
from app.widgets.protocol import Request, read_request
from sair_core.errors import DataError, ModelNotFoundError
from sair_core.photos.photo import load_photo
from tests.app.fakes import FAKE_TRAINER, MeanPipeline, WhitePipeline, until

LOOK = Request(number=3)
LONG = 10**9  # steps of a training that ends only when it is stopped


def scan(folder: Path) -> str:
    """Photos are what ends in .jpg."""
    files = list(folder.iterdir())
    photos = [file for file in files if file.suffix == ".jpg"]
    if not photos:
        raise DataError(f"{folder} holds no photos, only {len(files)} other files.")
    return f"{len(photos)} photos\n{len(files) - len(photos)} left out"


@pytest.fixture
def loads() -> list[str]:
    """The names of the models that were loaded."""
    return []


@pytest.fixture
def service(loads) -> FillService:
    def load_model(name: str):
        loads.append(name)
        if "bad" in name:
            raise ModelNotFoundError("This model is damaged.")
        return MeanPipeline() if name == "sair-lite" else WhitePipeline()

    return FillService(MeanPipeline, load_model=load_model)


@pytest.fixture
def actions(service, tmp_path):
    """TrainActions around the fake trainer, 20 quick steps a run; what still runs ends with the test."""
    jobs = TrainingJobs(tmp_path / "runs", command=FAKE_TRAINER)
    yield TrainActions(service, jobs, scan)
    for run in jobs.runs():
        if run.active:
            os.kill(run.pid, signal.SIGKILL)


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "My photos"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.txt"):
        (folder / name).touch()
    return folder


def begin(actions, folder, base="sair-lite", unit=STEPS, length=20.0, rate=None, size=None, seed=None):
    return actions.start(LOOK, None, str(folder), base, unit, length, rate, size, seed)


def finished(actions, name="My-photos") -> Run:
    until(lambda: not actions.jobs.status(name).active)
    return actions.jobs.status(name)


def arguments(run: Run) -> list[str]:
    """What its trainer was told."""
    return json.loads((run.folder / "train.json").read_text())["train"]["arguments"]


def test_nothing_was_ever_trained(actions):
    answer = actions.look(LOOK, None)
    assert (answer.kind, answer.text, answer.pictures) == ("run", "", ())
    assert answer.more == {
        "request": 3, "runs": [], "usable": [], "active": False,
        "model": {"title": "sair-lite", "first": "sair-lite"},
    }  # fmt: skip


def test_a_folder_is_looked_into(actions, photos, tmp_path):
    answer = actions.check(LOOK, None, f' "{photos}" ')  # as file managers copy it
    assert (answer.level, answer.text, answer.more) == ("good", "2 photos\n1 left out", {"request": 3})
    assert actions.check(LOOK, None, " ").text == FOLDER_HINT
    (tmp_path / "none").mkdir()
    for folder, says in {
        "/no/where": "no folder",
        str(tmp_path / "none"): "no photos",
        "\0": "no fol",
        "~nobody-has-this-name/photos": "no folder",
    }.items():
        answer = actions.check(LOOK, None, folder)
        assert (answer.kind, answer.level) == ("notice", "error") and says in answer.text


def test_a_folder_known_to_be_useless_starts_nothing(actions, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    actions.check(LOOK, None, str(folder))
    assert begin(actions, folder).level == "error" and not actions.jobs.runs()
    (folder / "a.jpg").touch()
    assert begin(actions, folder).kind == "run"


def test_a_training_from_start_to_end(actions, photos):
    answer = begin(actions, photos, rate=2e-4, size=64.0, seed=5.0)
    assert answer.kind == "run" and answer.more["active"]
    assert answer.more["run"]["name"] == "My-photos" and answer.more["run"]["said"]["level"] == "busy"
    run = finished(actions)
    told = arguments(run)
    assert told[told.index("--from") + 1 :] == [
        "sair-lite", "--steps", "20", "--learning-rate", "0.0002", "--size-px", "64",
        "--final-size-px", "128", "--seed", "5", "--output", str(run.folder),
    ]  # fmt: skip
    answer = actions.look(LOOK, None)
    shown = answer.more["run"]
    assert (shown["state"], shown["step"], shown["said"]["level"]) == ("finished", 20, "good")
    assert shown["steps"] == [0, 5, 10, 15, 20] and shown["at"] == 20
    assert shown["usable"] and not shown["stoppable"] and not shown["resumable"]
    assert [len(shown["curves"][name]) for name in ("loss", "psnr")] == [20, 5]
    assert "step 20 of many" in shown["log"]
    assert Image.open(io.BytesIO(answer.pictures[0].data)).getpixel((0, 0)) == (200, 120, 90)
    earlier = actions.look(Request(run="My-photos", step=5), None)
    assert earlier.more["run"]["at"] == 5
    assert Image.open(io.BytesIO(earlier.pictures[0].data)).getpixel((0, 0)) == (50, 120, 90)


def test_lengths(actions, photos):
    assert "a number of minutes" in begin(actions, photos, unit=MINUTES, length=None).text
    assert "more than 0" in begin(actions, photos, length=0).text
    assert not actions.jobs.runs()
    assert begin(actions, photos, unit=MINUTES, length=0.5).kind == "run"
    told = arguments(finished(actions))
    assert told[told.index("--minutes") + 1] == "0.5" and "--steps" not in told


def test_what_can_be_begun_with(actions, photos, tmp_path):
    values = [value for _, value in actions.bases()]
    assert values == ["sair-lite", "preset:lite", "preset:paper"]
    begin(actions, photos, "preset:paper")
    run = finished(actions)
    assert ("My-photos (trained here)", str(run.model)) in actions.bases()
    assert begin(actions, photos, str(run.model)).kind == "run"
    told = arguments(finished(actions, "My-photos-2"))
    assert told[told.index("--from") + 1] == str(run.model) and "--preset" not in told  # it has its own
    for nothing in ("", "sair-heavy", str(tmp_path)):
        answer = begin(actions, photos, nothing)
        assert answer.level == "error" and "no model to begin with" in answer.text
    assert begin(actions, photos, str(run.model.parent / "model")).kind == "run"


def test_only_what_can_be_trained_is_begun_with(actions, photos, tmp_path, monkeypatch):
    begin(actions, photos)
    run = finished(actions)
    (run.model / "config.json").write_text('{"model_type": "spn"}')
    other = tmp_path / "bundled" / "spn-lite"
    other.mkdir(parents=True)
    (other / "config.json").write_text('{"model_type": "spn"}')
    monkeypatch.setattr(module, "BUNDLED", other.parent)
    assert [value for _, value in actions.bases()] == ["preset:lite", "preset:paper"]
    for base in (run.model, other):
        answer = begin(actions, photos, str(base))
        assert answer.level == "error" and "no SAIR model" in answer.text


def test_a_typed_folder_may_be_relative(actions, photos, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text('{"model_type": "sair"}')
    monkeypatch.chdir(tmp_path)
    assert begin(actions, photos, "mine").kind == "run"
    told = arguments(finished(actions))
    assert told[told.index("--from") + 1] == str(tmp_path / "mine")


def test_the_presets_exist():
    from sair_core.models.presets import PRESETS as known

    assert set(PRESETS) <= set(known)


def test_one_at_a_time_stop_and_resume(actions, photos):
    begin(actions, photos, length=LONG)
    until(lambda: actions.jobs.status("My-photos").step)
    assert "One training at a time: My-photos is" in begin(actions, photos).text
    request = Request(run="My-photos")
    assert actions.stop(request, None).more["run"]["state"] in ("stopping", "stopped")
    finished(actions)
    shown = actions.look(request, None).more["run"]
    assert shown["state"] == "stopped" and shown["resumable"] and "Resume goes on" in shown["said"]["text"]
    assert actions.resume(request, None).more["run"]["state"] == "starting"
    actions.stop(request, None)
    finished(actions)


def test_what_went_wrong_is_said(actions, tmp_path):
    for name, level, says in (
        ("unusable", "error", "holds no photos. No state was saved: start anew."),
        ("broken", "error", "The loss is not a number at step 3. Resume goes on from the last saved state."),
        ("killed", "warn", "Interrupted"),
    ):
        (tmp_path / name).mkdir()
        begin(actions, tmp_path / name)
        said = describe(finished(actions, name))["said"]
        assert said["level"] == level and says in said["text"]
    for act in (actions.stop, actions.resume):
        answer = act(Request(run="../x"), None)
        assert (answer.kind, answer.level) == ("notice", "error") and "There is no training" in answer.text


def test_the_run_under_way_comes_first_until_one_is_chosen(actions, photos):
    begin(actions, photos)
    finished(actions)
    begin(actions, photos, length=LONG)
    assert actions.look(LOOK, None).more["run"]["name"] == "My-photos-2"
    assert actions.look(Request(run="My-photos"), None).more["run"]["name"] == "My-photos"
    assert actions.look(Request(run="gone"), None).more["run"]["name"] == "My-photos-2"
    assert [one["name"] for one in actions.look(LOOK, None).more["runs"]] == ["My-photos-2", "My-photos"]


def test_every_fill_from_then_on_is_made_with_the_model(actions, service, photos, loads):
    photo = load_photo(np.zeros((8, 8, 3), np.uint8))
    hole = np.zeros((8, 8), bool)
    hole[2:4, 2:4] = True
    begin(actions, photos)
    run = finished(actions)
    assert not np.asarray(service.start_fill(photo, hole).result().image).any()
    *progress, answer = actions.use(Request(run="My-photos"), None)
    assert progress[0].kind == "progress" and loads == [str(run.model)]
    assert answer.text == "From now on, fills are made with My-photos."
    assert answer.more["model"] == {"title": "My-photos", "first": "sair-lite"}
    assert (np.asarray(service.start_fill(photo, hole).result().image)[hole] == 255).all()
    *_, answer = actions.use_first(LOOK, None)
    assert answer.more["model"]["title"] == "sair-lite"
    assert not np.asarray(service.start_fill(photo, hole).result().image).any()


def test_a_model_that_cannot_be_used(actions, service, photos, tmp_path):
    begin(actions, photos)
    finished(actions)
    (tmp_path / "bad").mkdir()
    begin(actions, tmp_path / "bad")
    finished(actions, "bad")
    list(actions.use(Request(run="My-photos"), None))
    assert list(actions.use(Request(run="bad"), None))[-1].text == "This model is damaged."
    assert service.models.name.endswith("My-photos/model") and actions.look(LOOK, None).more["model"]["title"]
    (tmp_path / "unusable").mkdir()
    begin(actions, tmp_path / "unusable")
    finished(actions, "unusable")
    assert "no model yet" in list(actions.use(Request(run="unusable"), None))[-1].text
    assert "There is no training" in list(actions.use(LOOK, None))[-1].text


def test_a_request_names_a_run_and_a_step():
    assert read_request({"run": "a", "step": "5"}) == Request(run="a", step=5)


def test_there_is_no_such_tab_where_many_share_a_machine(service, tmp_path, monkeypatch):
    def has_tab(jobs):
        blocks = build_app(service, jobs=jobs)
        return any(getattr(block, "elem_id", None) == "tab-train" for block in blocks.blocks.values())

    jobs = TrainingJobs(tmp_path)
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.delenv("SAIR_HOSTED", raising=False)
    assert has_tab(jobs) and not has_tab(None)
    monkeypatch.setenv("SAIR_HOSTED", "1")
    assert not has_tab(jobs)
