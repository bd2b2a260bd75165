"""float32 and bfloat16 say nearly the same, float16 is for storage only, and each ends where it should."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from sair_core import devices, pipeline
from sair_core.layout import Layout
from sair_core.models.load import load_model
from sair_core.pipeline import InpaintPipeline
from sair_core.weights.bundled import BUNDLED_SAIR, BUNDLED_SPN
from sair_core.zoom.cache import FeatureCache
from tests.conftest import disc

MEAN_BAR = 2.0  # of 255, as the documentation says
HOLE = disc((96, 128), (50, 60), 18)


@pytest.fixture
def photo(bird):
    return np.asarray(bird)[100:196, 120:248]


@pytest.fixture
def pair(monkeypatch):
    """A model's pipelines in bfloat16, as if the hardware had it and were fastest with it, and in float32."""
    monkeypatch.setattr(devices, "has_bf16", lambda device: True)
    monkeypatch.setattr(pipeline, "choose_layout", lambda device: Layout(channels_last=True, bf16=True))

    def make(model, **options):
        return [
            InpaintPipeline(copy.deepcopy(model), device="cpu", bf16=bf16, **options)
            for bf16 in (True, False)
        ]

    return make


def difference(one, other):
    return np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32))


def test_fills_views_and_maps_in_bfloat16(pair, pipe, photo):
    half, whole = pair(pipe.model, texture=False)
    fills = [one.fill(photo, HOLE).photo.rgb for one in (half, whole)]
    assert 0 < difference(*fills)[HOLE].mean() < MEAN_BAR
    np.testing.assert_array_equal(fills[0][~HOLE], photo[~HOLE])
    views = [
        np.asarray(one.view(photo, scale=2.0, size_px=(64, 96), cache=FeatureCache()))
        for one in (half, whole)
    ]
    assert 0 < difference(*views).mean() < MEAN_BAR
    maps = [one.semantics(photo, ["bird", "leaves", "sky"]) for one in (half, whole)]
    assert (maps[0].ids == maps[1].ids).mean() > 0.97
    assert all(one.confidence.dtype == np.float32 for one in maps)


def test_painted_fills_in_bfloat16(pair, spn_pipe, photo):
    fills = [one.fill(photo, HOLE, seed=3).photo.rgb for one in pair(spn_pipe.model)]
    assert 0 < difference(*fills)[HOLE].mean() < MEAN_BAR


@pytest.mark.parametrize("name", [BUNDLED_SAIR, BUNDLED_SPN])
def test_weights_that_are_stored_in_half_compute_in_float32(name):
    tensors = load_model(name).state_dict()
    assert {value.dtype for value in tensors.values() if value.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("type", [torch.float32, torch.bfloat16])
def test_a_network_keeps_the_type_that_it_is_given(tiny_pipe, type):
    model = copy.deepcopy(tiny_pipe.model).to(type)
    rgb01, hole01 = torch.rand(1, 3, 32, 40, dtype=type), torch.zeros(1, 1, 32, 40, dtype=type)
    hole01[..., 8:16, 8:16] = 1
    features = model.encode(rgb01, hole01)
    found = model.decode(features, torch.zeros(1, 5, 2), torch.full((1, 2), 0.05))
    assert torch.isfinite(found.float()).all() and found.shape == (1, 5, 3)
    assert features.projected.dtype == type
