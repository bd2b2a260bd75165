"""Every path from the processor to a device and back, on a device that needs no hardware (`elsewhere`).

A tensor that is left behind fails here, as it would on a GPU, and the numbers are those of the processor.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from sair_core import devices, pipeline
from sair_core.pipeline import InpaintPipeline
from sair_core.semantics import reader
from sair_core.zoom.cache import FeatureCache
from tests.conftest import disc
from tests.elsewhere import ELSEWHERE, There, device_elsewhere

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 48, 3)).astype(np.uint8)
HOLE = disc((40, 48), (20, 22), 5)
USERS = (pipeline, reader)  # modules that choose a device by its name


@pytest.fixture
def elsewhere(monkeypatch):
    """The device, known by its name to everybody who asks for one."""
    for module in USERS:
        monkeypatch.setattr(
            module, "pick_device", lambda name: ELSEWHERE if name == "meta" else devices.pick_device(name)
        )
    with device_elsewhere() as device:
        yield device


def test_what_is_left_behind_is_found(elsewhere):
    there, here = torch.ones(2, 3, device=elsewhere), torch.ones(2, 3)
    assert isinstance(there, There) and torch.equal((there + here.to(elsewhere)).cpu(), 2 * here)
    with pytest.raises(RuntimeError, match="left on the processor"):
        there + here
    with pytest.raises(RuntimeError, match="left on the processor"):
        torch.nn.Linear(3, 2)(there)
    with pytest.raises(RuntimeError, match="numpy"):
        there.numpy()
    with pytest.raises(RuntimeError, match="generator"):
        torch.randn(2, device=elsewhere, generator=torch.Generator())
    assert (there * torch.tensor(2.0)).sum().item() == 12


def pipelines(model, elsewhere, **options):
    """The model elsewhere and here."""
    return (
        InpaintPipeline(copy.deepcopy(model), device=device, bf16=False, **options)
        for device in (str(elsewhere), "cpu")
    )


@pytest.mark.parametrize(
    "options", [{"texture": False}, {"texture": True}, {"texture": False, "mirror": True}]
)
def test_a_fill_elsewhere_is_the_fill_here(tiny_pipe, elsewhere, options):
    there, here = pipelines(tiny_pipe.model, elsewhere, **options)
    np.testing.assert_array_equal(there.fill(PHOTO, HOLE).photo.rgb, here.fill(PHOTO, HOLE).photo.rgb)


def test_painted_fills_elsewhere(spn_pipe, elsewhere):
    there, here = pipelines(spn_pipe.model, elsewhere)
    for one, other in zip(there.variations(PHOTO, HOLE, 2), here.variations(PHOTO, HOLE, 2)):
        np.testing.assert_array_equal(one.photo.rgb, other.photo.rgb)


def test_views_exports_and_priors_elsewhere(tiny_pipe, spn_pipe, elsewhere, tmp_path):
    there, here = pipelines(tiny_pipe.model, elsewhere, texture=False)
    for scale in (0.5, 3.0):
        shown = [
            np.asarray(pipe.view(PHOTO, scale=scale, size_px=(20, 30), cache=FeatureCache()))
            for pipe in (there, here)
        ]
        np.testing.assert_array_equal(*shown)
    for name, pipe in (("there", there), ("here", here)):
        pipe.export(PHOTO, tmp_path / f"{name}.png", scale=1.5, cache=FeatureCache())
    assert (tmp_path / "there.png").read_bytes() == (tmp_path / "here.png").read_bytes()
    there, here = pipelines(spn_pipe.model, elsewhere)
    for one, other in zip(there.priors(PHOTO, HOLE), here.priors(PHOTO, HOLE)):
        np.testing.assert_array_equal(one.rgb, other.rgb)


def test_maps_words_and_selections_elsewhere(pipe, elsewhere):
    there, here = pipelines(pipe.model, elsewhere, texture=False)
    labels = ["sky", "grass", "everything else"]
    for options in ({}, {"mask": HOLE}, {"mask": HOLE, "complete": True}):
        one, other = (pipe.semantics(PHOTO, labels, **options) for pipe in (there, here))
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-6)
    filled = [pipe.fill(PHOTO, HOLE, words="grass").photo.rgb for pipe in (there, here)]
    np.testing.assert_array_equal(*filled)
    masks = [pipe.mask_from_points(PHOTO, [(22, 20)]) for pipe in (there, here)]
    np.testing.assert_array_equal(*masks)
