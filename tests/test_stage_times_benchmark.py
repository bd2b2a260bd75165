"""`benchmarks/speed.py --stages`: every kind of work has stages, and its arithmetic is counted."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks import speed, stage_times
from benchmarks.machine import square_mask
from sair_core.stages import stage


def test_budgets_are_medians_by_stage(tmp_path, monkeypatch):
    now, lengths = (
        [0.0],
        iter([100.0, 1.0, 3.0, 2.0, 50.0]),
    )  # warming up, three runs, and one that is counted
    monkeypatch.setattr("sair_core.stages.time.perf_counter", lambda: now[0])
    layer = nn.Linear(10, 20, bias=False)

    def work(path: object) -> None:
        with stage("encode"):
            now[0] += next(lengths)
            layer(torch.zeros(3, 10))

    paths = [tmp_path / str(i) for i in range(5)]
    (budget,) = stage_times.measure({"work": work}, paths, torch.device("cpu"))
    assert budget.seconds == {"encode": 2.0, "the rest": 0.0} and budget.total == 2.0
    assert budget.gflop == 2 * 3 * 10 * 20 / 1e9


def test_the_command_shows_every_kind_of_work(tmp_path, monkeypatch, capsys, tiny_pipe):
    def load(model: str, device: torch.device, side: int) -> dict[str, stage_times.Work]:
        hole = square_mask(side, side, side=8)
        return {"Natural": lambda path: tiny_pipe.fill(path, hole), "view": tiny_pipe.view}

    monkeypatch.setattr(stage_times, "load_works", load)
    monkeypatch.setattr(stage_times, "measure_peak", lambda device: {"product": 100.0})
    page = tmp_path / "page.md"
    page.write_text("<!-- stages -->\n<!-- /stages -->")
    assert speed.main(["--stages", "--side", "48", "--runs", "1", "--cores", "0", "--page", str(page)]) == 0
    shown = capsys.readouterr().out
    assert shown.strip() in page.read_text()
    for name in (
        "| Natural | ms | share |",
        "| view | ms | share |",
        "| encode |",
        "| open |",
        "| composite |",
    ):
        assert name in shown
    assert "Peak of this machine in the same run: product 100 GFLOP/s." in shown
