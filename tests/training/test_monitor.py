import csv
import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from sair_core.errors import DataError
from sair_core.training.curves import draw_curves, main, read_log
from sair_core.training.loop import train
from sair_core.training.monitor import PROGRESS_NAME, format_duration


def test_whoever_watches_the_folder_knows_how_the_run_goes(tiny_run, tmp_path, caplog):
    caplog.set_level("INFO")
    train(tiny_run(preset="tiny"), show_progress=False)
    run = tmp_path / "run"
    status = json.loads((run / PROGRESS_NAME).read_text())
    assert status["state"] == "finished" and (status["step"], status["share"], status["eta_seconds"]) == (
        4,
        1,
        0,
    )
    assert status["loss"] > 0 and status["seconds"] >= 0 and status["message"] == ""
    text = caplog.text
    assert "8 photos" in text and "corrupt.jpg" in text and "tiny.png" in text  # the scan
    assert "2 photos (25 %) are held back for validation, drawn with seed 0" in text
    assert "pre-flight passed" in text and "about 4 steps in" in text
    assert "photos a second" in text and "% of the time waiting for data" in text
    with Image.open(run / "curves.png") as picture:
        assert picture.width > 600


def test_what_fails_before_the_first_step_is_told(tiny_run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError):
        train(tiny_run(preset="tiny", data=(str(tmp_path / "empty"),)), show_progress=False)
    status = json.loads((tmp_path / "run" / PROGRESS_NAME).read_text())
    assert status["state"] == "failed" and "holds no photos" in status["message"]
    train(tiny_run(preset="tiny", steps=1), show_progress=False)  # the folder is free for the next attempt


def test_the_best_model_and_the_latest_are_both_kept(tiny_run, tmp_path):
    train(tiny_run(preset="tiny", steps=8), show_progress=False)
    for name in ("model", "best"):
        assert (tmp_path / "run" / name / "model.safetensors").is_file()


@pytest.mark.parametrize("losses", [(0.0233, 0.033), (0.001, 0.7), (2.0, 9000.0)])
def test_a_loss_of_any_range_has_numbers_on_its_axis(losses, tmp_path, monkeypatch):
    labels, save = [], Figure.savefig

    def read_labels(figure, *arguments, **options):
        save(figure, *arguments, **options)
        loss = figure.axes[0]
        ticks = zip(loss.get_yticks(), loss.get_yticklabels())
        minor = zip(loss.get_yticks(minor=True), loss.get_yticklabels(minor=True))
        low, high = loss.get_ylim()
        shown = [label.get_text() for place, label in (*ticks, *minor) if low <= place <= high]
        labels.extend(text for text in shown if text)

    monkeypatch.setattr(Figure, "savefig", read_labels)
    rows = [{"step": i, "loss": loss} for i, loss in enumerate(losses)]
    draw_curves({"run": rows}, tmp_path / "curves.png")
    numbers = [float(text) for text in labels]
    assert 2 <= len(numbers) == len(set(numbers)) <= 12


def test_curves_of_several_runs_are_in_one_picture(tmp_path):
    rows = {"sair": 0.0, "liif": 1.0}
    for name, offset in rows.items():
        (tmp_path / name).mkdir()
        with open(tmp_path / name / "log.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "seconds", "psnr", "loss"])
            writer.writerow([0, 0.0, 15 + offset, ""])
            writer.writerow([50, 10.0, "", 0.2 + offset / 10])
            writer.writerow([100, 20.0, 24 + offset, 0.1 + offset / 10])
    assert read_log(tmp_path / "sair")[0] == {"step": 0, "seconds": 0, "psnr": 15}
    one, both = tmp_path / "new" / "one.png", tmp_path / "both.png"  # a folder that is made for it
    draw_curves({"sair": read_log(tmp_path / "sair")}, one)
    assert main([str(tmp_path / "sair"), str(tmp_path / "liif"), "--output", str(both)]) == 0
    pictures = [np.asarray(Image.open(p).convert("RGB")).reshape(-1, 3) for p in (one, both)]
    colours = [len(np.unique(pixels[np.ptp(pixels, axis=1) > 90], axis=0)) for pixels in pictures]
    assert colours[1] > colours[0] > 0
    assert main([str(tmp_path), "--output", str(both)]) == 2


@pytest.mark.parametrize("seconds, text", [(20, "20 s"), (200, "3 min"), (7500, "2 h 5 min")])
def test_durations_are_told_in_words(seconds, text):
    assert format_duration(seconds) == text
