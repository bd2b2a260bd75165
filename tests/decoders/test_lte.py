import math

import pytest
import torch

from sair_core.decoders.lte import LteConfig, LteDecoder
from sair_core.errors import ConfigError


def test_it_equals_the_paper_written_plainly():
    """At a cell's centre only that cell counts: amplitude times cos and sin of the phase, then the MLP."""
    torch.manual_seed(0)
    decoder = LteDecoder(4, 3, LteConfig(hidden=8, layers=3))
    features, cell = torch.rand(1, 4, 5, 6), torch.tensor([[0.1, 0.2]])
    row, column = 2, 4
    centre = torch.tensor([[[-1 + (2 * row + 1) / 5, -1 + (2 * column + 1) / 6]]])
    shift = torch.tensor([0.3, 0.0]) * 2 / torch.tensor([5, 6])  # 0.3 cells down: two neighbours count

    def wave(row, delta_y):
        amplitude = decoder.amplitude(features)[0, :, row, column]
        frequency = decoder.frequency(features)[0, :, row, column]
        phase = decoder.phase(cell * torch.tensor([5.0, 6.0]) / 2)[0]
        angle = math.pi * (frequency[:4] * delta_y + phase)
        x = amplitude * torch.cat([angle.cos(), angle.sin()])
        for layer in decoder.middle:
            x = layer(x).relu()
        return decoder.last(x)

    torch.testing.assert_close(decoder(features, centre, cell)[0, 0], wave(row, 0.0))
    between = 0.7 * wave(row, 0.3) + 0.3 * wave(row + 1, -0.7)
    torch.testing.assert_close(decoder(features, centre + shift, cell)[0, 0], between, rtol=1e-4, atol=1e-5)


def test_the_cell_moves_the_phase():
    torch.manual_seed(0)
    decoder = LteDecoder(4, 3, LteConfig(hidden=8))
    features, coords = torch.rand(1, 4, 5, 6), torch.rand(1, 7, 2)
    values = [decoder(features, coords, torch.full((1, 2), c)) for c in (0.01, 0.3)]
    assert not torch.allclose(*values)


@pytest.mark.parametrize("changes", [{"hidden": 7}, {"hidden": 0}, {"layers": 1}])
def test_configurations_are_checked(changes):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        LteConfig(**changes)
