import csv
import dataclasses
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sair_core.errors import CheckpointError, ConfigError
from sair_core.models import presets
from sair_core.models.load import load_model
from sair_core.models.sair import Part, SairConfig
from sair_core.training.__main__ import main
from sair_core.training.backend import Backend
from sair_core.training.config import SpnTrainConfig
from sair_core.training.loop import train
from sair_core.training.monitor import PROGRESS_NAME
from sair_core.training.tasks import TASKS
from sair_core.training.tasks.sair import SairTask
from sair_core.training.tasks.spn import SpnTask
from tests.training.states import load_state

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def small_preset(monkeypatch):
    unet = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1], "context_blocks": 1, "heads": 2, "out_channels": 8}
    small = SairConfig(
        Part("unet", unet), Part("liif", {"hidden": 16}), "none", None, initial_fill="pull_push"
    )
    monkeypatch.setitem(presets.PRESETS, "lite", small)


def test_a_run_leaves_everything_that_is_promised(tiny_run, tmp_path):
    model = train(tiny_run(), show_progress=False)
    run = tmp_path / "run"
    assert model == run / "model" and load_model(model).config == presets.PRESETS["lite"]
    saved = json.loads((run / "train.json").read_text())
    assert saved["train"]["steps"] == 4 and saved["model"]["appearance"]["name"] == "unet"
    assert sorted(p.name for p in (run / "validation").iterdir()) == [
        "000000.png",
        "000002.png",
        "000004.png",
    ]
    assert Image.open(run / "validation" / "000000.png").height == 3 * 48
    rows = list(csv.DictReader((run / "log.csv").read_text().splitlines()))
    assert [r["step"] for r in rows if r["psnr"]] == ["0", "2", "4"] and float(rows[0]["psnr"]) > 5


def test_a_training_does_not_keep_the_one_before_it_in_memory(tiny_run, tmp_path):
    gc.disable()  # as it is for minutes, where few objects are made
    try:
        for name in "abc":
            train(tiny_run(output=str(tmp_path / name)), show_progress=False)
            assert sum(type(one) is SairTask for one in gc.get_objects()) <= 1
    finally:
        gc.enable()


def test_interrupted_and_resumed_equals_uninterrupted(tiny_run, train_in_parts):
    whole, parts = train_in_parts(tiny_run, save_every=1)
    one, other = whole["learners"]["model"]["model"], parts["learners"]["model"]["model"]
    assert all(torch.equal(v, other[k]) for k, v in one.items())


def test_training_learns(tiny_run, tmp_path):
    train(
        tiny_run(steps=60, learning_rate=5e-3, scale_share=0.0, validate_every=60, save_every=60),
        show_progress=False,
    )
    rows = [r for r in csv.DictReader((tmp_path / "run" / "log.csv").read_text().splitlines()) if r["psnr"]]
    assert float(rows[-1]["psnr"]) > float(rows[0]["psnr"]) + 2


def test_a_run_is_never_overwritten_and_nothing_is_not_resumed(tiny_run):
    with pytest.raises(CheckpointError, match="nothing to resume"):
        train(tiny_run(), resume="latest", show_progress=False)
    train(tiny_run(steps=1), show_progress=False)
    with pytest.raises(ConfigError, match="--resume"):
        train(tiny_run(steps=1), show_progress=False)


def test_minutes_end_a_run(tiny_run, tmp_path):
    train(tiny_run(minutes=0.02, steps=1, validate_every=10**6, save_every=10**6), show_progress=False)
    progress = load_state(tmp_path / "run")["progress"]
    assert progress["seconds"] >= 1.2  # one step takes milliseconds


def test_command_line_trains_resumes_and_explains(photo_folder, tmp_path, capsys):
    options = ["--output", str(tmp_path / "cli"), "--size-px", "32", "--final-size-px", "32", "--batch", "2",
               "--queries", "32", "--workers", "0", "--device", "cpu", "--seed", "3"]  # fmt: skip
    assert main(["--data", str(photo_folder), "--steps", "2", *options]) == 0
    assert "sair app --model" in capsys.readouterr().out
    assert main(["--resume", "--output", str(tmp_path / "cli"), "--steps", "3"]) == 0
    saved = json.loads((tmp_path / "cli" / "train.json").read_text())["train"]
    assert saved["steps"] == 3 and saved["seed"] == 3 and saved["data"] == [str(photo_folder)]
    assert load_state(tmp_path / "cli")["progress"]["step"] == 3
    assert main(["--data", str(tmp_path / "nowhere"), "--output", str(tmp_path / "x")]) == 2
    assert "not a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, message",
    [
        (["--size-px", "128.5"], "--size-px must be a whole number, got '128.5'"),
        (["--steps", "abc"], "--steps must be a whole number, got 'abc'"),
        (["--schedule", "magic"], "--schedule must be 'cosine' or 'step', got 'magic'"),
        (["--model", "spn", "--probabilistic", "maybe"], "--probabilistic must be yes or no, got 'maybe'"),
        (["--batch", "0"], "batch must be positive, got 0"),
        (["--resume"], "nothing to resume in"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    photo_folder, tmp_path, capsys, options, message
):
    assert main(["--data", str(photo_folder), "--output", str(tmp_path / "run"), *options]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_a_run_needs_photos_and_a_folder(tmp_path, capsys):
    assert main([]) == 2 and "--data and --output must be given" in capsys.readouterr().err
    assert main(["--output", str(tmp_path)]) == 2 and "--data must be given" in capsys.readouterr().err


def test_every_task_is_found_by_its_name():
    for kind, entry in TASKS.items():
        assert entry.config_class(data=("a",), output="b").kind == kind
        assert entry.load().__module__ == f"sair_core.training.tasks.{kind}"


def test_help_lists_every_option_without_importing_torch():
    code = (
        "import sys, sair_core.training.__main__ as m\n"
        "try: m.main(['--help'])\nexcept SystemExit: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("False")
    for option in ("--data", "--preset", "--minutes", "--resume", "--ema", "--schedule", "--no-bf16"):
        assert option in done.stdout


def test_sigterm_to_the_whole_group_saves_the_state_first(photo_folder, tmp_path):
    run = tmp_path / "killed"
    command = [sys.executable, "-m", "sair_core.training", "--data", str(photo_folder), "--output", str(run),
               "--size-px", "32", "--final-size-px", "32", "--batch", "1", "--queries", "16",
               "--steps", "100000", "--semantics", "none",
               "--workers", "1", "--device", "cpu", "--val-share", "0.1", "--validate-every", "1000000",
               "--save-every", "1000000"]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)
    status = run / PROGRESS_NAME
    for _ in range(6000):  # ten minutes at most
        if process.poll() is not None or (status.exists() and json.loads(status.read_text())["step"]):
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0 and "continue with --resume" in err, err[-2000:]
    assert load_state(run)["progress"]["step"] >= 1


def test_from_begins_with_weights_and_names_what_does_not_fit(tiny_run, tmp_path, monkeypatch, caplog):
    first = train(tiny_run(output=str(tmp_path / "first")), show_progress=False)
    config = tiny_run(output=str(tmp_path / "second"), start=str(first), steps=1, learning_rate=1e-12)
    again = load_model(train(config, show_progress=False)).state_dict()
    for key, value in load_model(first).state_dict().items():
        torch.testing.assert_close(again[key], value, rtol=2e-3, atol=1e-4)  # a checkpoint is fp16

    wider = dataclasses.replace(presets.PRESETS["lite"], decoder=Part("liif", {"hidden": 24}))
    monkeypatch.setitem(presets.PRESETS, "lite", wider)
    train(dataclasses.replace(config, output=str(tmp_path / "third")), show_progress=False)
    messages = [r.getMessage() for r in caplog.records if "air.decoder.last.weight" in r.getMessage()]
    assert len(messages) == 2 and "appearance_encoder" not in " ".join(messages)


def test_a_start_that_fits_nowhere_is_refused(tiny_run, tmp_path, monkeypatch):
    first = train(tiny_run(output=str(tmp_path / "first"), steps=1), show_progress=False)
    other = SairConfig(
        Part("edsr", {"out_channels": 8, "blocks": 1}), Part("liif", {"hidden": 16}), "none", None
    )
    monkeypatch.setitem(presets.PRESETS, "lite", other)
    with pytest.raises(ConfigError, match="Only .* of the weights of"):
        train(tiny_run(output=str(tmp_path / "second"), start=str(first)), show_progress=False)


def test_squared_error_is_added_to_the_loss(tiny_run):
    values = []
    for weight in (0.0, 5.0):
        config = tiny_run(preset="tiny", squared_weight=weight)
        task = SairTask(config, Backend("cpu", bf16=False))
        numbers, batch = next(task.loader(0, 0))
        features = task.model.encode(batch["rgb01"], batch["hole01"])
        values.append(task.loss(batch, numbers.start).item())
    found = task.model.decode(features, batch["coords_yx"], batch["cell"])
    squared = (found - batch["target01"]).square().mean().item()
    assert values[1] - values[0] == pytest.approx(5 * squared, rel=1e-4)


def test_a_fine_tuned_model_is_what_it_began_with(tiny_run, tmp_path, monkeypatch):
    """Without a preset a run builds what `--from` is, and resumed, what it was."""
    first = train(tiny_run(output=str(tmp_path / "first"), preset="tiny", steps=1), show_progress=False)
    config = tiny_run(output=str(tmp_path / "second"), preset=None, start=str(first), steps=2)
    second = train(config, show_progress=False)
    assert load_model(second).config == load_model(first).config == presets.PRESETS["tiny"]
    shutil.rmtree(first)
    train(dataclasses.replace(config, steps=3), resume="latest", show_progress=False)
    assert load_model(second).config == presets.PRESETS["tiny"]
    with pytest.raises(ConfigError, match="another kind of model"):
        SpnTask(SpnTrainConfig(data=config.data, output="x", start=str(second)), Backend("cpu"))


def test_degraded_photos_are_restored_in_training_and_validation(tiny_run, tmp_path):
    texts = ("noise:0.1", "blur:2", "scale:2", "none")
    run = tiny_run(preset="tiny", degrade=texts, scale_share=0.0, val_share=0.5, hole_share="even")
    task = SairTask(run, Backend("cpu", bf16=False))
    photo, mask = np.full((32, 32, 3), 99, np.uint8), np.zeros((32, 32), bool)
    assert task.restore(photo, mask, (64, 48)).shape == (64, 48, 3)
    train(run, show_progress=False)
    with open(tmp_path / "run" / "log.csv", newline="") as file:
        validated = [row for row in csv.DictReader(file) if row.get("psnr")]
    first, last = ([float(row[f"psnr_{text}"]) for text in texts] for row in (validated[0], validated[-1]))
    assert all(before < after < 60 for before, after in zip(first, last))
    picture = Image.open(tmp_path / "run" / "validation" / "000004.png")
    assert picture.size == (4 * 48, 3 * 48)  # four photos: degraded, restored, true
