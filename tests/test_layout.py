"""The layout that networks compute in: measured once, remembered, and without a say in the result."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.machine import square_mask
from sair_core import layout, pipeline
from sair_core.devices import has_bf16
from sair_core.layout import Layout, choose_layout, memory_format_of, pick
from sair_core.models.load import load_model
from sair_core.pipeline import InpaintPipeline

CPU = torch.device("cpu")
LAST, PLAIN = Layout(True, False), Layout(False, False)
measure = layout.measure  # as it is: the tests replace it


@pytest.fixture
def measured(tmp_path, monkeypatch) -> list[None]:
    """How often the processor was measured, with a cache of its own; contiguous is twice as fast."""
    calls: list[None] = []

    def fake() -> dict[Layout, float]:
        calls.append(None)
        return {Layout(True, has_bf16(CPU)): 2.0, PLAIN: 1.0}

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(layout, "measure", fake)
    choose_layout.cache_clear()
    yield calls
    choose_layout.cache_clear()


def test_a_processor_is_measured_once(measured, tmp_path):
    for _ in range(2):
        choose_layout.cache_clear()  # as in another process
        assert choose_layout(CPU) == PLAIN
    assert len(measured) == 1
    (found,) = json.loads((tmp_path / "sair-studio" / "layouts.json").read_text()).values()
    assert found == {"channels_last": False, "bf16": False}


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": {"b": 2}}'])
def test_a_damaged_file_is_measured_and_written_anew(measured, tmp_path, content):
    file = tmp_path / "sair-studio" / "layouts.json"
    file.parent.mkdir()
    file.write_text(content)
    assert choose_layout(CPU) == PLAIN
    assert len(measured) == 1 and len(json.loads(file.read_text())) == 1


def test_nothing_is_lost_where_nothing_can_be_written(measured, tmp_path):
    (tmp_path / "sair-studio").write_text("a file where the folder would be")
    assert choose_layout(CPU) == PLAIN


def test_a_gpu_is_not_measured(measured, monkeypatch):
    monkeypatch.setattr(layout, "has_bf16", lambda device: True)
    assert choose_layout(torch.device("cuda")) == Layout(True, True) and not measured


def test_what_is_not_clearly_faster_is_chance():
    assert pick({LAST: 1.1, PLAIN: 1.0}, LAST) == LAST
    assert pick({LAST: 1.5, PLAIN: 1.0}, LAST) == PLAIN


def test_the_measurement_covers_what_the_processor_can():
    began = time.process_time()
    seconds = measure()
    assert time.process_time() - began < 5 * torch.get_num_threads()  # a fraction of that, on a quiet machine
    assert {found.channels_last for found in seconds} == {True, False}
    assert {found.bf16 for found in seconds} == ({True, False} if has_bf16(CPU) else {False})
    assert all(0 < value < 10 for value in seconds.values())


def test_the_memory_format_of_a_network():
    network = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 3))
    assert memory_format_of(network) == torch.contiguous_format
    assert memory_format_of(network.to(memory_format=torch.channels_last)) == torch.channels_last


def test_a_fill_and_a_view_are_the_same_in_every_memory_format(bird, monkeypatch):
    photo, hole = np.asarray(bird)[100:196, 100:228], square_mask(96, 128, side=24)
    found = []
    for one in (LAST, PLAIN):
        monkeypatch.setattr(pipeline, "choose_layout", lambda device, one=one: one)
        pipe = InpaintPipeline(load_model("sair-lite"), device="cpu", texture=False)
        assert memory_format_of(pipe.model) == one.memory_format and not pipe.bf16
        view = np.asarray(pipe.view(photo, scale=3.0, size_px=(64, 64)))
        found.append((pipe.fill(photo, hole).photo.rgb.astype(int), view.astype(int)))
    for usual, plain in zip(*found):
        assert np.abs(usual - plain).max() <= 1
