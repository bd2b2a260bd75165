"""What every appearance encoder of the registry promises."""

import pytest
import torch

from sair_core.config import from_dict, to_dict
from sair_core.encoders import APPEARANCE_ENCODERS
from sair_core.errors import ConfigError

SMALL = {
    "table4": {"out_channels": 8, "blocks": 1},
    "unet": {
        "widths": [8, 8, 16, 16],
        "blocks": [1, 1, 3],
        "context_blocks": 1,
        "heads": 2,
        "out_channels": 8,
    },
    "edsr": {"out_channels": 8, "blocks": 2},
}


@pytest.fixture(params=sorted(APPEARANCE_ENCODERS))
def encoder(request):
    module, config = APPEARANCE_ENCODERS[request.param]
    torch.manual_seed(0)
    return module(from_dict(config, SMALL[request.param]))


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (33, 47), (64, 64)])
def test_any_size_gives_features_at_the_stated_reduction(encoder, size):
    rgb, hole = torch.rand(2, 3, *size), torch.zeros(2, 1, *size)
    features = encoder(rgb, hole)
    assert features.shape == (2, encoder.out_channels, *(-(-n // encoder.reduction) for n in size))
    assert torch.isfinite(features).all()


def test_the_hole_is_seen(encoder):
    rgb = torch.rand(1, 3, 32, 32)
    hole = torch.zeros(1, 1, 32, 32)
    hole[..., 10:20, 10:20] = 1
    assert not torch.allclose(encoder(rgb, hole), encoder(rgb, torch.zeros_like(hole)))


def test_every_parameter_is_trained(encoder):
    for _ in range(2):  # residual branches start at zero: their inner weights move from the second step on
        encoder.zero_grad()
        (encoder(torch.rand(1, 3, 48, 48), torch.rand(1, 1, 48, 48).round()) ** 2).sum().backward()
        missing = [n for n, p in encoder.named_parameters() if p.grad is None]
        assert not missing
        with torch.no_grad():
            for p in encoder.parameters():
                p -= 1e-3 * p.grad.sign()
    dead = [n for n, p in encoder.named_parameters() if not p.grad.abs().sum() > 0]
    assert not dead


@pytest.mark.parametrize("name", sorted(APPEARANCE_ENCODERS))
def test_configs_round_trip_and_refuse_nonsense(name):
    _, config = APPEARANCE_ENCODERS[name]
    assert from_dict(config, to_dict(config())) == config()
    with pytest.raises(ConfigError, match="out_channels"):
        config(out_channels=0)


def test_table4_is_the_papers():
    module, config = APPEARANCE_ENCODERS["table4"]
    layers = [m for m in module(config()).layers if not isinstance(m, torch.nn.ReLU)]
    convolutions = [
        (m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0], m.padding[0])
        for m in layers
        if isinstance(m, (torch.nn.Conv2d, torch.nn.ConvTranspose2d))
    ]
    assert convolutions == [
        (4, 64, 7, 1, 3), (64, 128, 4, 2, 1), (128, 256, 4, 2, 1), (256, 256, 3, 1, 1), (256, 256, 3, 1, 1),
        (256, 128, 4, 2, 1), (128, 64, 4, 2, 1),
    ]  # fmt: skip
    assert len(layers) == 7 + 8  # and eight ResNet blocks
