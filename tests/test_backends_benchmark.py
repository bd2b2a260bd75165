"""`benchmarks/backends.py`: every layout has a row, and the usual one what compilation is worth."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks import backends
from sair_core.devices import has_bf16

CPU = torch.device("cpu")


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)

    def forward(self, rgb01: torch.Tensor, hole01: torch.Tensor) -> torch.Tensor:
        return self.layer(rgb01 * (1 - hole01))


def test_every_layout_has_a_row(monkeypatch):
    compiled: list[nn.Module] = []
    monkeypatch.setattr(backends.torch, "compile", lambda network: compiled.append(network) or network)
    rows = backends.measure(Encoder(), CPU, 16, 2)
    assert len(rows) == (4 if has_bf16(CPU) else 2) and len(compiled) == 1
    assert [row[0] for row in rows if row[2]] == [f"channels-last, {'bf16' if has_bf16(CPU) else 'float32'}"]


def test_medians_leave_the_first_run_out(monkeypatch):
    now, lengths = [0.0], iter([100.0, 1.0, 3.0, 2.0])
    monkeypatch.setattr(backends.time, "perf_counter", lambda: now[0])

    def work() -> None:
        now[0] += next(lengths)

    assert backends.time_in_turn({"work": work}, 3) == {"work": 2.0}
