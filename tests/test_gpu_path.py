"""What runs on a GPU, on a device that is not there: the same results, and few waits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from benchmarks.machine import square_mask
from sair_core import devices
from sair_core.models.presets import spn_preset
from sair_core.models.spn import Spn
from sair_core.pipeline import InpaintPipeline
from tests.mock_device import DEVICE, MockDevice

HOLE = square_mask(96, 128, side=24)
LABELS = ["sky", "bird", "everything else"]
Work = Callable[[InpaintPipeline, np.ndarray], np.ndarray]


@pytest.fixture
def mock_device(monkeypatch) -> MockDevice:
    monkeypatch.setattr(devices, "ASYNCHRONOUS", {DEVICE})
    for place in ("sair_core.pipeline", "sair_core.semantics.reader"):
        monkeypatch.setattr(f"{place}.pick_device", torch.device)
    return MockDevice()


def load(device: str) -> InpaintPipeline:
    return InpaintPipeline.from_pretrained(device=device, bf16=False, texture=False)


def load_spn(device: str) -> InpaintPipeline:
    torch.manual_seed(0)
    return InpaintPipeline(Spn(spn_preset("tiny", probabilistic=True)).eval(), device=device, bf16=False)


def fill(pipe: InpaintPipeline, photo: np.ndarray) -> np.ndarray:
    return pipe.fill(photo, HOLE).photo.rgb


def fill_natural(pipe: InpaintPipeline, photo: np.ndarray) -> np.ndarray:
    return pipe.fill(photo, HOLE, texture=True).photo.rgb


def fill_with_words(pipe: InpaintPipeline, photo: np.ndarray) -> np.ndarray:
    return pipe.fill(photo, HOLE, words="grass").photo.rgb


def view(pipe: InpaintPipeline, photo: np.ndarray) -> np.ndarray:
    return np.asarray(pipe.view(photo, scale=3.0, size_px=(64, 64)))


def name(pipe: InpaintPipeline, photo: np.ndarray) -> np.ndarray:
    return pipe.semantics(photo, LABELS, HOLE).ids


def select(pipe: InpaintPipeline, photo: np.ndarray) -> np.ndarray:
    return pipe.mask_from_points(photo, [(64, 48)])


# Waits: one for each answer. Texture grows ring by ring and level by level, and decides at each.
@pytest.mark.parametrize(
    ("load", "work", "most_waits"),
    [
        (load, fill, 1), (load_spn, fill, 1), (load, fill_natural, 400), (load, fill_with_words, 20),
        (load, view, 2), (load, name, 20), (load, select, 20),
    ],
)  # fmt: skip
def test_a_gpu_computes_the_same_and_is_seldom_waited_for(bird, mock_device, load, work, most_waits):
    photo = np.asarray(bird)[100:196, 100:228]
    expected = work(load("cpu"), photo)
    with torch.inference_mode(), mock_device:
        pipe = load(DEVICE)
        mock_device.waits.clear()
        found = work(pipe, photo)
    if (
        work is fill_natural
    ):  # a GPU searches in one product; of two sources equal up to rounding, either wins
        assert np.abs(found.astype(int) - expected).mean() < 0.5
    else:
        np.testing.assert_array_equal(found, expected)
    assert sum(mock_device.waits.values()) <= most_waits, mock_device.waits
    assert sum(mock_device.launches.values()) > 100


def test_the_mock_refuses_what_a_gpu_refuses(mock_device):
    with mock_device:
        there = torch.ones(3).to(DEVICE)
        with pytest.raises(RuntimeError, match="two devices"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError, match="upload"):
            there + torch.tensor([1.0, 2.0, 3.0], device=DEVICE)
        assert (there + 1).cpu().tolist() == [2, 2, 2]
        assert dict(mock_device.waits) == {"_to_copy": 2}
        devices.upload(torch.ones(3), DEVICE)
        assert dict(mock_device.waits) == {"_to_copy": 2}
