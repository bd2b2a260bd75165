import numpy as np
import pytest
import torch

from sair_core.coords import grid_coords
from sair_core.filling.adapters import FILLERS, SairFiller, SpnFiller, draw_noise
from sair_core.models.inpainter import Inpainter
from sair_core.models.load import MODELS
from sair_core.models.presets import spn_preset
from sair_core.models.spn import Spn


@pytest.fixture
def crop():
    torch.manual_seed(0)
    hole = torch.zeros(1, 1, 32, 48)
    hole[..., 8:20, 10:30] = 1
    return torch.rand(1, 3, 32, 48), hole


def test_every_kind_of_model_fills():
    assert set(FILLERS) == {*MODELS.values(), Inpainter}


@pytest.mark.parametrize("name", ["tiny_pipe", "spn_pipe", "lama_pipe"])
@torch.no_grad()  # no inference mode: a pipeline that is made here serves the other tests, too
def test_colours_come_for_any_size(name, crop, request):
    filler = request.getfixturevalue(name).filler
    encoded = filler.encode(*crop)
    for size in ((32, 48), (70, 100), (20, 31)):
        coords = grid_coords(size).flatten(0, 1)
        colours = filler.decode(encoded, coords, size, seed=3)
        assert colours.shape == (len(coords), 3) and colours.dtype == torch.float32


@torch.inference_mode()
def test_an_spn_at_its_working_size_is_not_resampled(spn_pipe, crop):
    model, filler = spn_pipe.model, spn_pipe.filler
    encoded = filler.encode(*crop)
    whole = model.decode(encoded, draw_noise(model, (32, 48), 3)).rgb01
    colours = filler.decode(encoded, grid_coords((32, 48)).flatten(0, 1), (32, 48), seed=3)
    torch.testing.assert_close(colours.view(32, 48, 3), whole[0].permute(1, 2, 0), atol=1e-4, rtol=0)


@torch.inference_mode()
def test_enlarged_in_chunks_as_at_once(spn_pipe, crop, monkeypatch):
    filler, coords = spn_pipe.filler, grid_coords((70, 100)).flatten(0, 1)
    encoded = filler.encode(*crop)
    whole = filler.decode(encoded, coords, (70, 100), seed=3)
    monkeypatch.setattr("sair_core.filling.adapters.RESAMPLE_BYTES", 500_000)
    torch.testing.assert_close(filler.decode(encoded, coords, (70, 100), seed=3), whole)


def test_a_seed_is_a_noise(spn_pipe):
    model = spn_pipe.model
    first, again, other = (draw_noise(model, (32, 48), seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert draw_noise(Spn(spn_preset("tiny")), (32, 48), 1) is None


def test_what_they_can(tiny_pipe, spn_pipe):
    assert not SairFiller(tiny_pipe.model, True).draws and not SairFiller(tiny_pipe.model, True).listens
    assert spn_pipe.filler.draws and not spn_pipe.filler.listens
    assert not SpnFiller(Spn(spn_preset("tiny")), True).draws
    assert np.isfinite(draw_noise(spn_pipe.model, (40, 40), 2**32 - 1).numpy()).all()
