"""What every implicit function of the registry promises."""

import pytest
import torch
import torch.nn.functional as F

from sair_core.coords import cell_of, grid_coords
from sair_core.decoders import DECODERS


@pytest.fixture(params=sorted(DECODERS))
def decoder(request):
    module, config = DECODERS[request.param]
    torch.manual_seed(0)
    return module(6, 3, config(hidden=16))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 8)])
def test_values_at_any_coordinate(decoder, size):
    values = decoder(torch.rand(2, 6, *size), torch.rand(2, 11, 2) * 2 - 1, torch.rand(2, 2))
    assert values.shape == (2, 11, 3) and torch.isfinite(values).all()


def test_decoding_in_chunks_equals_decoding_whole(decoder):
    projected = decoder.project(torch.rand(1, 6, 9, 7))
    coords, cell = grid_coords((30, 20)).flatten(0, 1)[None], cell_of((30, 20))[None]
    whole = decoder.query(projected, coords, cell)
    parts = torch.cat([decoder.query(projected, c, cell) for c in coords.split(77, dim=1)], dim=1)
    torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("size", [(9, 7), (5, 4), (1, 1)])
def test_channels_on_another_grid_are_resampled_bilinearly(decoder, size):
    features, more = torch.rand(2, 4, 9, 7), torch.rand(2, 2, *size)
    resampled = F.interpolate(more, (9, 7), mode="bilinear", align_corners=False)
    expected = decoder.project(torch.cat([features, resampled], dim=1))
    torch.testing.assert_close(decoder.project(features, more), expected, atol=1e-6, rtol=1e-6)


def test_continuous_in_the_coordinate(decoder):
    features, cell = torch.rand(1, 6, 8, 8), torch.full((1, 2), 0.1)
    line = torch.stack([torch.zeros(4001), torch.linspace(-1, 1, 4001)], dim=-1)[None]
    values = decoder(features, line, cell)
    assert (values[:, 1:] - values[:, :-1]).abs().max() < 0.02 * (values.max() - values.min())


def test_gradients_reach_features_and_weights(decoder):
    features = torch.rand(1, 6, 4, 4, requires_grad=True)
    decoder(features, torch.rand(1, 50, 2) * 2 - 1, torch.rand(1, 2)).square().sum().backward()
    assert features.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in decoder.parameters())
