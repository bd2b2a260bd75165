import pytest
import torch

from sair_core.errors import ConfigError
from sair_core.models.discriminator import DiscriminatorConfig, PatchDiscriminator

TINY = DiscriminatorConfig((4, 8, 8, 8))


def test_logits_of_patches_and_three_maps():
    logits, maps = PatchDiscriminator(TINY)(torch.rand(2, 3, 64, 48))
    assert logits.shape == (2, 1, 6, 4)
    assert [tuple(m.shape) for m in maps] == [(2, 8, 16, 12), (2, 8, 8, 6), (2, 8, 7, 5)]


def test_a_logit_sees_a_patch_of_70_px():
    torch.manual_seed(0)
    rgb = torch.rand(1, 3, 128, 128, requires_grad=True)
    logits, _ = PatchDiscriminator(TINY)(rgb)
    gradient = torch.autograd.grad(logits[0, 0, 7, 7], rgb)[0].abs().sum((0, 1, 2))
    seen = gradient.nonzero()
    assert seen.max() - seen.min() + 1 == 70


def test_spectral_norm_bounds_every_convolution():
    torch.manual_seed(0)
    model = PatchDiscriminator(TINY)
    with torch.no_grad():
        for layer in (*model.layers, model.judge):
            layer.parametrizations.weight.original.mul_(100)
        for _ in range(30):  # power iterations
            model(torch.rand(1, 3, 32, 32))
    for layer in (*model.layers, model.judge):
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_its_state_holds_the_power_iteration():
    """So that a resumed training goes on with the same step."""
    torch.manual_seed(0)
    model, again = PatchDiscriminator(TINY), PatchDiscriminator(TINY)
    model(torch.rand(1, 3, 32, 32))
    again.load_state_dict(model.state_dict())
    rgb = torch.rand(1, 3, 32, 32)
    for _ in range(2):
        assert torch.equal(model(rgb)[0], again(rgb)[0])


def test_widths_are_checked():
    with pytest.raises(ConfigError, match="at least 2 positive"):
        DiscriminatorConfig((8,))
