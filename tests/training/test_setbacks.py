import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sair_core.errors import CheckpointError, ConfigError, DataError, NotFiniteError
from sair_core.models.load import load_model
from sair_core.training import loop, state
from sair_core.training.__main__ import main
from sair_core.training.loop import train
from sair_core.training.monitor import PROGRESS_NAME
from sair_core.training.tasks import sair as fill
from tests.training.states import load_state

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def poison(monkeypatch):
    """`poison(bad)`: samples whose number `bad` says so have no numbers in them."""

    def apply(bad):
        real = fill.load_pictures

        def load_pictures(samples, batch, start, *rest):
            for numbers, item in real(samples, batch, start, *rest):
                if bad(numbers.start):
                    item["target01"][:] = float("nan")
                yield numbers, item

        monkeypatch.setattr(fill, "load_pictures", load_pictures)

    return apply


def status(run):
    return json.loads((run / PROGRESS_NAME).read_text())


def test_a_bad_batch_sets_the_run_back_and_it_goes_on(tiny_run, tmp_path, poison, caplog):
    poison(lambda sample: sample == 6)
    train(tiny_run(preset="tiny", steps=6, final_share=0.0), show_progress=False)
    end = load_state(tmp_path / "run")["progress"]
    # Samples 6 and 7 were bad: back to step 2, and on with sample 8.
    assert end["step"] == 6 and end["setbacks"] == 1 and end["rate_factor"] == 0.5 and end["samples"] == 16
    assert "Back to step 2, at 0.5 of the rate" in caplog.text
    assert load_model(tmp_path / "run" / "model") and status(tmp_path / "run")["state"] == "finished"


def test_after_three_setbacks_it_stops_with_a_report_and_the_last_good_state(tiny_run, tmp_path, poison):
    poison(lambda sample: sample >= 6)
    with pytest.raises(NotFiniteError, match="It happened 4 times.*--learning-rate"):
        train(tiny_run(preset="tiny", steps=8, final_share=0.0), show_progress=False)
    good = load_state(tmp_path / "run")
    assert good["progress"]["step"] == 2 and good["progress"]["setbacks"] == 0
    weights = good["learners"]["model"]["model"]
    assert all(torch.isfinite(v).all() for v in weights.values())
    end = status(tmp_path / "run")
    assert end["state"] == "failed" and "It happened 4 times" in end["message"] and end["loss"] is None


def test_a_loss_that_climbs_away_is_a_setback(tiny_run, monkeypatch, caplog):
    monkeypatch.setattr(loop, "SETTLED", 2)
    real = fill.SairTask.step
    climbed = []

    def step(task, batch, first_sample):
        loss = real(task, batch, first_sample)
        if first_sample == 12:
            climbed.append(first_sample)
            return 1e4
        return loss

    monkeypatch.setattr(fill.SairTask, "step", step)
    train(tiny_run(preset="tiny", steps=10, final_share=0.0), show_progress=False)
    assert climbed == [12] and "The loss is" in caplog.text and "Back to step 6" in caplog.text


def test_weights_that_are_no_numbers_are_never_saved(tiny_run, tmp_path, monkeypatch):
    real = fill.SairTask.step

    def step(task, batch, first_sample):
        loss = real(task, batch, first_sample)
        if first_sample >= 6:
            next(task.model.parameters()).data[:] = torch.nan
        return loss

    monkeypatch.setattr(fill.SairTask, "step", step)
    with pytest.raises(NotFiniteError):
        train(tiny_run(preset="tiny", steps=12, final_share=0.0), show_progress=False)
    for name in ("state.pt", "previous-state.pt"):
        weights = load_state(tmp_path / "run", name)["learners"]["model"]["model"]
        assert all(torch.isfinite(v).all() for v in weights.values()), name


def test_a_full_disk_leaves_the_last_state_whole(tiny_run, tmp_path, monkeypatch):
    real, calls = torch.save, []

    def full(content, path):
        calls.append(path)
        if len(calls) == 3:  # before the first step, after step 2, after step 4
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(content, path)

    monkeypatch.setattr(state.torch, "save", full)
    with pytest.raises(CheckpointError, match="disk is full.*--resume latest"):
        train(tiny_run(preset="tiny", steps=6), show_progress=False)
    run = tmp_path / "run"
    assert load_state(run)["progress"]["step"] == 2 and status(run)["state"] == "failed"
    assert not list(run.glob(".state.pt.*"))
    monkeypatch.setattr(state.torch, "save", real)
    train(tiny_run(preset="tiny", steps=6), resume="latest", show_progress=False)
    assert load_state(run)["progress"]["step"] == 6


def test_torchs_own_words_for_a_full_disk_are_understood(tmp_path):
    with pytest.raises(CheckpointError, match="disk is full"), state.explain_full_disk(tmp_path):
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")
    with pytest.raises(RuntimeError, match="another"), state.explain_full_disk(tmp_path):
        raise RuntimeError("another")


def test_the_state_before_can_be_resumed_when_the_last_one_is_damaged(tiny_run, tmp_path):
    train(tiny_run(preset="tiny"), show_progress=False)
    run = tmp_path / "run"
    (run / "state.pt").write_bytes((run / "state.pt").read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="--resume previous"):
        train(tiny_run(preset="tiny", steps=6), resume="latest", show_progress=False)
    train(tiny_run(preset="tiny", steps=6), resume="previous", show_progress=False)
    assert load_state(run)["progress"]["step"] == 6


@pytest.mark.parametrize("content", [b"", None])
def test_a_setback_after_resuming_the_state_before_leads_back_to_it(tiny_run, tmp_path, poison, content):
    train(tiny_run(preset="tiny"), show_progress=False)
    run = tmp_path / "run"
    if content is not None:
        (run / "state.pt").write_bytes(content)
        with pytest.raises(CheckpointError, match="--resume previous"):
            train(tiny_run(preset="tiny", steps=6), resume="latest", show_progress=False)
    poison(lambda sample: sample == 4)
    train(tiny_run(preset="tiny", steps=4, save_every=50), resume="previous", show_progress=False)
    end = load_state(run)["progress"]
    assert end["setbacks"] == 1 and end["step"] == 4
    assert load_state(run, "previous-state.pt")["progress"]["step"] == 2


def test_killed_while_the_latest_took_its_place_the_state_before_is_the_latest(tiny_run, tmp_path):
    train(tiny_run(preset="tiny"), show_progress=False)
    run = tmp_path / "run"
    (run / "state.pt").unlink()
    with pytest.raises(ConfigError, match="already holds a run"):
        train(tiny_run(preset="tiny"), show_progress=False)
    train(tiny_run(preset="tiny", steps=6), resume="latest", show_progress=False)
    assert load_state(run)["progress"]["step"] == 6


def test_where_there_is_a_state_there_is_a_model(tiny_run, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fill.SairTask, "export", stop)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_run(preset="tiny"), show_progress=False)
    monkeypatch.undo()
    train(tiny_run(preset="tiny"), show_progress=False)  # begins anew: nothing half stands in its way


def test_what_fails_before_the_first_step_leaves_nothing_to_resume(tiny_run, tmp_path):
    def take_too_much(*_):
        raise torch.OutOfMemoryError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(torch.OutOfMemoryError):
        patch.setattr(fill.SairTask, "step", take_too_much)
        train(tiny_run(preset="tiny"), show_progress=False)
    assert status(tmp_path / "run")["state"] == "failed"
    assert not {"state.pt", "previous-state.pt"} & {file.name for file in (tmp_path / "run").iterdir()}
    train(tiny_run(preset="tiny", batch=1), show_progress=False)  # the folder is free for the next attempt


def test_resumed_with_other_photos_it_says_so_and_stops(tiny_run, tmp_path, photo_folder):
    train(tiny_run(preset="tiny"), show_progress=False)
    (photo_folder / "p3.jpg").rename(photo_folder / "q3.jpg")
    with pytest.raises(DataError, match="1 new, 1 gone.*--from"):
        train(tiny_run(preset="tiny", steps=6), resume="latest", show_progress=False)
    (photo_folder / "q3.jpg").rename(photo_folder / "p3.jpg")
    train(tiny_run(preset="tiny", steps=6), resume="latest", show_progress=False)


def test_killed_in_the_middle_of_a_save_it_goes_on_from_the_one_before(photo_folder, tmp_path):
    """The process is killed, not asked, while half a state is on the disk."""
    run = tmp_path / "run"
    arguments = ["--data", str(photo_folder), "--preset", "tiny", "--output", str(run), "--size-px", "32",
                 "--final-size-px", "32", "--batch", "2", "--queries", "16", "--steps", "6", "--workers", "0",
                 "--device", "cpu", "--validate-every", "100", "--save-every", "2"]  # fmt: skip
    code = f"""
import pathlib, sys, threading
import torch
from sair_core.training.__main__ import main
real, calls = torch.save, []
def slow(content, path):
    calls.append(path)
    if len(calls) == 3:
        pathlib.Path(path).write_bytes(b"half a state")
        print("saving", flush=True)
        threading.Event().wait()
    real(content, path)
torch.save = slow
main({arguments!r})
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert any(line.strip() == "saving" for line in process.stdout)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert load_state(run)["progress"]["step"] == 2 and list(run.glob(".state.pt.*"))
    assert status(run)["state"] == "running" and status(run)["pid"] == process.pid
    assert main(["--resume", "latest", "--output", str(run)]) == 0
    assert load_state(run)["progress"]["step"] == 6 and not list(run.glob(".state.pt.*"))
