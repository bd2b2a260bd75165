"""`sair evaluate tables` on a miniature set: everything is there, and nothing is done twice."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sair_core.evaluation.download import cached_file
from sair_core.evaluation.perceptual import WEIGHTS_URL
from sair_core.experiments import __main__ as cli
from sair_core.experiments.figures import FIGURES
from sair_core.experiments.miou import MIOU, SIRS
from sair_core.experiments.runs import is_finished
from sair_core.experiments.tables import TABLES
from sair_core.experiments.variants import DEGRADATIONS, VARIANTS
from sair_core.training.state import PREVIOUS, STATE_NAME

ROOT = Path(__file__).resolve().parents[2]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def list_trainings(output: Path) -> dict[str, str]:
    """The rows of trainings in the results, by the run's name."""
    lines = (output / "results.md").read_text("utf-8").splitlines()
    return {line.split()[1]: line for line in lines if "`sair train" in line}


@pytest.mark.slow
def test_small_makes_every_table_and_figure(arguments, tmp_path, capsys):
    output = tmp_path / "out"
    arguments = [*arguments, "--steps", "1", "--batch", "1", "--limit", "1", "--output", str(output)]
    assert cli.main(arguments) == 1  # SAM's weights cannot be had
    out = capsys.readouterr().out
    assert "SAM encoder could not be had: no network here." in out and "LPIPS unavailable: no weights" in out
    for name, table in TABLES.items():
        rows = read_csv(output / "tables" / f"{name}.csv")
        titles = {VARIANTS[row].title if row in VARIANTS else row for row in table.rows}
        assert {row["method"] for row in rows} == titles - {"SAM encoder"}
        assert {"psnr_db", "ssim", "l1", "frechet", "distance"} <= {row["figure"] for row in rows}
        assert table.title in out
    assert {row["method"] for row in read_csv(output / "tables" / f"{MIOU}.csv")} == {
        "CLIP encoder", *SIRS,
    }  # fmt: skip
    assert "| training | time | L1 of colour at its end | command |" in out
    best = [
        row for row in read_csv(output / "tables" / "spn-main.csv") if row["part"].startswith("best of five")
    ]
    assert {row["method"] for row in best} == {"SPN, probabilistic"}
    assert {"psnr_db", "diversity_l1"} <= {row["figure"] for row in best}
    assert {path.stem for path in (output / "figures").glob("*.png")} == {
        *FIGURES,
        "spn-parts",
        "spn-teachers",
    }

    weights = {path: path.stat().st_mtime_ns for path in output.glob("runs/*/model/model.safetensors")}
    assert len(weights) == len(VARIANTS) - 1
    before = list_trainings(output)
    assert before.keys() == {f"{name}-0" for name in VARIANTS}
    assert cli.main([*arguments, "--only", "sair-main", "spn-scales"]) == 0
    named = {"liif-0", "plain-0", "sair-0", "spl-0", "spn-2-scales-0", "spn-0"}
    assert list_trainings(output) == {run: before[run] for run in named}
    assert weights == {path: path.stat().st_mtime_ns for path in weights}


def test_degraded_photos_have_a_row_a_degradation(arguments, tmp_path, capsys):
    output = tmp_path / "out"
    assert cli.main([*arguments, "--output", str(output), "--only", "degraded"]) == 0
    shown = capsys.readouterr().out
    rows = {row["method"]: row for row in read_csv(output / "tables" / "degraded.csv")}
    for one in DEGRADATIONS:
        assert {f"{name} {one}" for name in ("harmonic", "telea", "sair", "restorer")} <= rows.keys()
        assert f"| restorer {one} |" in shown and f"--degrade {' '.join(DEGRADATIONS)}" in shown
    assert len(list((output / "measured").glob("*.json"))) == 12


def test_a_run_that_was_killed_ends_as_if_it_had_not_been(arguments, tmp_path, monkeypatch):
    arguments = [*arguments, "--only", "sair-miou", "--steps", "8"]
    assert cli.main([*arguments, "--output", str(tmp_path / "whole")]) == 0

    # No network in the other process either: weights that are damaged are not fetched again.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    damaged = cached_file(WEIGHTS_URL)
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no weights")
    killed = tmp_path / "killed"
    run = killed / "runs" / "sair-0"
    command = [sys.executable, "-m", "sair_core.experiments", *arguments, "--output", str(killed)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_under_way(run), process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not is_finished(run)

    assert cli.main([*arguments, "--output", str(killed)]) == 0
    for name in ("tables/sair-miou.csv", "runs/sair-0/model/model.safetensors"):
        assert (killed / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def is_under_way(run: Path) -> bool:
    """Whether a training has saved more than its beginning."""
    return (run / f"{PREVIOUS}-{STATE_NAME}").is_file() and not is_finished(run)


def wait_for(condition, process: subprocess.Popen, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.005)
