import pytest
import torch
import torch.nn.functional as F

from sair_core.coords import four_neighbours
from sair_core.decoders.liif import LiifConfig, LiifDecoder
from sair_core.errors import ConfigError


def plain(decoder, features, coords_yx, cell, shared=0.0):
    """LIIF as its paper writes it: concatenate, whole MLP for each of the four neighbours, then the mean."""
    size = features.shape[-2:]
    index, offset, weight = four_neighbours(coords_yx, size)
    first = torch.cat([decoder.first_feature.weight[:, :, 0, 0], decoder.first_coord.weight], dim=1)
    total = 0
    for q in range(4):
        feature = (
            features.flatten(2)
            .gather(2, index[:, None, :, q].expand(-1, features.shape[1], -1))
            .transpose(1, 2)
        )
        parts = [feature, offset[:, :, q]]
        if decoder.config.use_cell:
            in_cells = cell * torch.tensor(size) / 2
            parts.append(in_cells[:, None].expand(-1, coords_yx.shape[1], -1))
        x = F.relu(F.linear(torch.cat(parts, dim=-1), first, decoder.first_feature.bias) + shared)
        for layer in decoder.middle:
            x = F.relu(layer(x))
        total = total + weight[:, :, q, None] * decoder.last(x)
    return total


@pytest.mark.parametrize("use_cell", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (8, 5)])
def test_factorised_first_layer_equals_the_plain_one(size, use_cell):
    torch.manual_seed(1)
    decoder = LiifDecoder(5, 3, LiifConfig(hidden=32, layers=4, use_cell=use_cell))
    features, coords, cell = torch.randn(3, 5, *size), torch.rand(3, 40, 2) * 2 - 1, torch.rand(3, 2)
    torch.testing.assert_close(
        decoder(features, coords, cell), plain(decoder, features, coords, cell), atol=1e-5, rtol=1e-5
    )


def test_what_neighbours_share_enters_before_the_first_relu():
    torch.manual_seed(1)
    decoder = LiifDecoder(5, 3, LiifConfig(hidden=32))
    features, coords, cell = torch.randn(2, 5, 6, 4), torch.rand(2, 40, 2) * 2 - 1, torch.rand(2, 2)
    shared = torch.randn(2, 40, 32)
    values = decoder.query(decoder.project(features), coords, cell, shared)
    torch.testing.assert_close(values, plain(decoder, features, coords, cell, shared), atol=1e-5, rtol=1e-5)


def test_cell_matters_only_when_used():
    torch.manual_seed(0)
    features, coords = torch.randn(1, 4, 6, 6), torch.rand(1, 10, 2)
    for use_cell in (True, False):
        decoder = LiifDecoder(4, 3, LiifConfig(hidden=8, use_cell=use_cell))
        a, b = (decoder(features, coords, torch.full((1, 2), c)) for c in (0.1, 0.5))
        assert torch.equal(a, b) != use_cell


def test_config_is_checked():
    with pytest.raises(ConfigError, match="layers must be at least 2, got 1"):
        LiifConfig(layers=1)
    with pytest.raises(ConfigError, match="hidden"):
        LiifConfig(hidden=0)
