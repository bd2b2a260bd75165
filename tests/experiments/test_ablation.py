"""`sair evaluate ablation`: what a map is worth, measured once for each run."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from sair_core.encoders.semantic import BUNDLED_CONFIG
from sair_core.evaluation.measure import Case
from sair_core.evaluation.samples import Sample
from sair_core.experiments import ablation
from sair_core.experiments.ablation import OTHER, OWN, TRUE, fill_raw, format_records
from sair_core.models.presets import preset
from sair_core.models.sair import Sair


def test_every_row_is_there_and_nothing_is_trained_twice(arguments, tmp_path, capsys):
    part = "--fills zero --encoders edsr --seeds 0".split()
    options = [*arguments, *part, "--output", str(tmp_path / "out")]
    assert ablation.main(options) == 0
    out = capsys.readouterr().out
    with (tmp_path / "out" / "tables" / "ablation.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    titles = [title for of in ablation.CONDITIONS.values() for title in of.values()]
    titles = [*ablation.FLOORS, *titles]
    assert [row["semantics"] for row in rows] == titles and all(title in out for title in titles)
    assert all(float(row["psnr_db"]) > 0 and 0 <= float(row["agreement"]) <= 1 for row in rows)
    assert "Agreement of the photos themselves: " in out
    weights = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/runs/*/state.pt")}
    assert len(weights) == len(ablation.SOURCES)
    assert ablation.main(options) == 0
    assert weights == {path: path.stat().st_mtime_ns for path in weights}
    written = capsys.readouterr().out.split("processor")[0]
    assert written in out and "| SIR |" in written


@pytest.mark.parametrize("completed", [False, True])
def test_the_map_under_the_hole_is_what_is_asked_for(completed, tmp_path):
    model = Sair(preset("paper", semantic=BUNDLED_CONFIG)).eval()
    rng = np.random.default_rng(0)
    photo, other = (rng.integers(0, 256, (48, 48, 3), np.uint8) for _ in range(2))
    mask = np.zeros((48, 48), bool)
    mask[10:40, 8:44] = True
    case = Case(Sample(0, tmp_path / "a.png"), "20-40", photo, mask)
    fills = {
        name: fill_raw(model, case, other, condition=name, completed=completed) for name in (OWN, TRUE, OTHER)
    }
    for fill in fills.values():
        assert np.array_equal(fill[~mask], photo[~mask])
    assert not np.array_equal(fills[OWN], fills[TRUE]) and not np.array_equal(fills[TRUE], fills[OTHER])
    assert np.array_equal(fills[TRUE], fill_raw(model, case, photo, condition=OTHER, completed=completed))
    hidden = photo.copy()
    hidden[mask] = 0
    black = Case(case.sample, case.bin, hidden, mask)
    assert np.array_equal(fill_raw(model, black, other, condition=OWN)[mask], fills[OWN][mask])


def test_seeds_are_averaged():
    place = {"initial fill": "zero", "encoder": "EDSR", "semantics": "SIR"}
    figures = {"ssim": 0.5, "l1": 0.1, "agreement": None, "gain_db": 0.25}
    records = [{**place, "psnr_db": value, **figures} for value in (20.0, 21.0)]
    table = format_records(records)
    assert "20.50 ±0.71" in table and "0.25 ±0.00" in table and "agreement" not in table


@pytest.mark.parametrize("name", ["fills", "encoders"])
def test_unknown_parts_are_refused(name, arguments, tmp_path, capsys):
    options = [*arguments, f"--{name}", "magic", "--output", str(tmp_path / "out")]
    assert ablation.main(options) == 2
    assert "magic" in capsys.readouterr().err
