from __future__ import annotations

import json

import pytest

from sair_core.errors import ConfigError, DataError
from sair_core.evaluation import __main__ as evaluation
from sair_core.evaluation.report import FAILED
from sair_core.experiments.laboratory import Laboratory, group_of
from sair_core.experiments.options import ExperimentOptions
from sair_core.experiments.presets import Preset
from sair_core.experiments.tables import Row, format_part

PRESET = Preset(train=("scenes/train",), test="scenes/val", size_px=32)


@pytest.fixture
def laboratory(data, tmp_path):
    def make(**changes) -> Laboratory:
        return Laboratory(PRESET, data, tmp_path / "out", **changes)

    return make


def test_baselines_are_what_the_evaluation_prints(laboratory, data, tmp_path):
    target = tmp_path / "fills.json"
    options = ["--size", "32", "--methods", "telea", "--json", str(target)]
    assert evaluation.main(["--data", str(data / "scenes" / "val"), *options]) == 0
    expected = {row["bin"]: row["hole"]["psnr_db"] for row in json.loads(target.read_text())["summary"]}
    (measured,) = laboratory().measure("telea").measured
    assert {summary.bin: summary.hole.psnr_db for summary in measured.summaries} == expected


def test_all_methods_get_the_photos_and_holes_of_the_manifest(laboratory, data):
    laboratory().measure("mean")
    assert laboratory().manifest == laboratory().manifest
    photo = next((data / "scenes" / "val").glob("*.jpg"))
    photo.write_bytes(photo.read_bytes() + b" ")
    with pytest.raises(DataError, match="another photo"):
        laboratory().check()


def test_a_method_of_others_that_fails_is_a_row(laboratory):
    row = laboratory(external=("broken=false {photo} {mask} {output}",)).measure("broken")
    assert len(row.measured[0].failures) == 9 and not row.measured[0].summaries
    fine = laboratory().measure("mean")
    cells = format_part([row, fine], "whole picture")
    assert [line[1] for line in cells[1:3]] == ["broken", "mean"] and cells[1][2] == FAILED


def test_of_several_seeds_there_is_a_mean(laboratory):
    first, other = (laboratory().measure(name).measured[0] for name in ("mean", "harmonic"))
    values = [one.summaries[-1].whole.psnr_db for one in (first, other)]
    head, line = format_part([Row("both", (first, other))], "whole picture", ("all",))
    deviation = abs(values[0] - values[1]) / 2**0.5
    assert line[head.index("PSNR dB")] == f"{sum(values) / 2:.2f} ±{deviation:.2f}"


def test_results_of_other_settings_are_not_mixed(data, tmp_path):
    options = {"data": data, "output": tmp_path / "out", "size_px": 32}
    ExperimentOptions(**options).make_laboratory("tables")
    ExperimentOptions(**options, seeds=(1, 2)).make_laboratory("tables")
    with pytest.raises(ConfigError, match="another preset"):
        ExperimentOptions(**options, steps=7).make_laboratory("tables")


def test_photos_are_grouped_by_folder_or_by_name(tmp_path):
    names = ("airfield/00000001.jpg", "val/flowers_daisy_3.jpg", "airfield/Places365_val_00000435.jpg")
    assert [group_of(tmp_path / name) for name in names] == ["airfield", "flowers", "airfield"]
