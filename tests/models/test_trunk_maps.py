"""A SAIR whose U-Net sees maps of the semantic encoder's trunk and is modulated by completed semantics."""

import dataclasses

import pytest
import torch
from torch import nn

from sair_core.config import from_dict, to_dict
from sair_core.encoders.blocks import Join, Modulation
from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder
from sair_core.encoders.unet import TRUNK_REDUCTIONS, UNetConfig, UNetEncoder
from sair_core.errors import ConfigError
from sair_core.holes import hole_share
from sair_core.models.presets import preset
from sair_core.models.sair import Part, Sair, SairConfig
from sair_core.weights.checkpoint import start_from
from tests.models.conftest import SMALL_LIIF, SMALL_UNET, TinySemanticEncoder

CHANNELS = (2, 3, 4, 5)


class Sighted(TinySemanticEncoder):
    """With maps of a trunk: averages of the picture, repeated."""

    def stage_channels(self, reductions):
        return CHANNELS

    def stage_maps(self, rgb01, reductions):
        grey = rgb01.mean(dim=1, keepdim=True)
        return [
            nn.functional.avg_pool2d(grey, r, ceil_mode=True).repeat(1, c, 1, 1)
            * torch.arange(1, c + 1).view(-1, 1, 1)
            for r, c in zip(reductions, CHANNELS)
        ]


def config_of(**arguments):
    return SairConfig(Part("unet", {**SMALL_UNET.arguments, **arguments}), SMALL_LIIF)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Sighted()


@pytest.fixture
def model(encoder):
    torch.manual_seed(0)
    return Sair(config_of(trunk_channels=CHANNELS, semantic_channels=4), encoder)


def wake(model):
    """Give what begins at zero values, so that it acts."""
    for module in model.modules():
        if isinstance(module, Join):
            nn.init.normal_(module.project.weight)
        if isinstance(module, Modulation):
            nn.init.normal_(module.affine.weight, std=0.1)


def test_it_begins_as_the_model_without(model, encoder, photo_and_hole):
    torch.manual_seed(0)
    plain = Sair(SairConfig(SMALL_UNET, SMALL_LIIF), encoder)
    missing, unexpected = start_from(model, plain.own_state())
    assert not unexpected and {".".join(key.split(".")[:2]) for key in missing} == {
        "appearance_encoder.join", "appearance_encoder.modulate",
    }  # fmt: skip
    assert torch.equal(model.encode(*photo_and_hole).projected, plain.encode(*photo_and_hole).projected)


def test_maps_are_of_the_filled_picture_and_never_of_what_the_hole_hid(model, photo_and_hole):
    wake(model)
    rgb, hole = photo_and_hole
    seen = []
    maps = model.semantic_encoder.stage_maps
    model.semantic_encoder.stage_maps = lambda rgb01, reductions: (
        seen.append(rgb01) or maps(rgb01, reductions)
    )
    features = model.encode(rgb, hole)
    assert torch.equal(seen[0], features.start01)
    other = torch.where(hole > 0, torch.rand_like(rgb), rgb)
    torch.testing.assert_close(features.projected, model.encode(other, hole).projected)


@pytest.mark.parametrize("what", [{"trunk_channels": CHANNELS}, {"semantic_channels": 4}])
def test_each_acts_alone_on_z(what, encoder, photo_and_hole):
    torch.manual_seed(0)
    model = Sair(config_of(**what), encoder)
    captured = []
    model.appearance_encoder.register_forward_hook(lambda module, args, z: captured.append(z))
    model.encode(*photo_and_hole)
    wake(model)
    model.encode(*photo_and_hole)
    assert not torch.allclose(*captured)


def test_words_change_z_where_the_hole_is(model, photo_and_hole):
    wake(model)
    captured = []
    model.appearance_encoder.register_forward_hook(lambda module, args, z: captured.append(args[3]))
    model.encode(*photo_and_hole)
    model.encode(*photo_and_hole, words=torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
    plain, worded = captured
    changed = (plain - worded).abs().sum(dim=1)[0] > 1e-6
    assert torch.equal(changed, hole_share(photo_and_hole[1], changed.shape)[0, 0] > 0)
    torch.testing.assert_close(worded.norm(dim=1), torch.full_like(worded[:, 0], 2.0))  # sqrt(4)


def test_every_new_weight_learns(model, photo_and_hole):
    wake(model)
    model.encode(*photo_and_hole).projected.square().sum().backward()
    for name, parameter in model.appearance_encoder.named_parameters():
        if "join" in name or "modulate" in name:
            assert parameter.grad.abs().sum() > 0, name


def test_what_does_not_fit_is_refused(encoder):
    with pytest.raises(ConfigError, match=r"have \(2, 3, 4, 5\) channels"):
        Sair(config_of(trunk_channels=(1, 1, 1, 1)), encoder)
    with pytest.raises(ConfigError, match="have 4 entries"):
        Sair(config_of(semantic_channels=7), encoder)
    with pytest.raises(ConfigError, match="trunk_channels must be 4 numbers or none"):
        UNetConfig(trunk_channels=(3,))
    with pytest.raises(ConfigError, match="semantic_channels must not be negative"):
        UNetConfig(semantic_channels=-1)
    with pytest.raises(ConfigError, match='this model has semantics="none"'):
        Sair(dataclasses.replace(config_of(semantic_channels=4), semantics="none", semantic=None))
    unet = UNetEncoder(from_dict(UNetConfig, {**SMALL_UNET.arguments, "semantic_channels": 4}))
    with pytest.raises(ValueError, match="0 trunk maps and 4 channels of meanings"):
        unet(torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16))


def test_the_bundled_encoder_gives_its_trunks_maps():
    encoder = build_semantic_encoder(SemanticConfig("sair-clip"))
    rgb01 = torch.rand(1, 3, 50, 70)
    maps = encoder.stage_maps(rgb01, TRUNK_REDUCTIONS)
    channels = encoder.stage_channels(TRUNK_REDUCTIONS)
    sizes = [(-(-50 // r), -(-70 // r)) for r in TRUNK_REDUCTIONS]
    assert [m.shape[1:] for m in maps] == [(c, *size) for c, size in zip(channels, sizes)]
    # What comes after the last one is what the tower projects, of the photo at its own size.
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (encoder.image_mean, encoder.image_std))
    trunk = encoder.visual.trunk
    last = trunk.bn2(trunk.conv_head(maps[-1]))
    torch.testing.assert_close(last, trunk.forward_features((rgb01 - mean) / std))


def test_a_tower_without_stages_says_so(bundled_encoder):
    encoder = build_semantic_encoder(bundled_encoder)
    with pytest.raises(ConfigError, match="has no maps at several scales"):
        encoder.stage_channels(TRUNK_REDUCTIONS)


def test_the_preset_fits_the_bundled_encoder():
    config = preset("lite-trunk")
    assert from_dict(SairConfig, to_dict(config)) == config
    model = Sair(config)
    assert model.appearance_encoder.trunk_channels and model.appearance_encoder.semantic_channels == 256
