import json
from dataclasses import replace

import pytest
import torch

from sair_core.config import from_dict, to_dict
from sair_core.encoders.pretext import PretextConfig
from sair_core.errors import CheckpointError, ConfigError
from sair_core.models.presets import SPN_PRESETS, spn_preset
from sair_core.models.prior import SIGMA_MIN, DistillationHeads, PriorConfig, VariationalConfig
from sair_core.models.spade import GeneratorConfig, Spade, instance_norm
from sair_core.models.spn import Spn, SpnConfig, composite

TINY = SpnConfig(
    widths=(4, 8, 8),
    prior=PriorConfig(blocks=1, heads=2),
    generator=GeneratorConfig(blocks=1, hidden=4),
    variational=VariationalConfig(channels=4, halvings=1, width=8, decoder_width=8),
    pretext=PretextConfig("edges"),
)
ABLATIONS = {
    "deterministic": TINY,
    "probabilistic": replace(TINY, probabilistic=True),
    "spl": replace(TINY, scales=1),
    "two scales": replace(TINY, scales=2, probabilistic=True),
    "more blocks": replace(TINY, generator=replace(TINY.generator, blocks=3)),
    "concatenated": replace(TINY, generator=replace(TINY.generator, fusion="concat")),
    "no distillation": replace(TINY, pretext=None),
    "folded": replace(TINY, stride_px=2, prior=replace(TINY.prior, enlarge=False, attention_blocks=1)),
    "noise": replace(TINY, probabilistic=True, generator=replace(TINY.generator, noise=True)),
    "smooth start": replace(TINY, initial_fill="pull_push"),
}


def make(config):
    torch.manual_seed(0)
    return Spn(config).eval()


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def parameters(config):
    with torch.device("meta"):
        return sum(p.numel() for p in Spn(config).parameters())


@pytest.mark.parametrize("config", ABLATIONS.values(), ids=ABLATIONS)
def test_every_configuration_fills_and_trains(config, photo_and_hole):
    model = make(config)
    fill = model(*photo_and_hole, generator=seeded(1) if config.probabilistic else None)
    assert fill.rgb01.shape == (2, 3, 33, 46) and fill.rgb01.dtype == torch.float32
    assert 0 <= fill.rgb01.min() and fill.rgb01.max() <= 1
    sizes = [(-(-33 // s), -(-46 // s)) for s in config.prior_strides_px]
    assert [tuple(p.shape[-2:]) for p in fill.priors] == sizes and len(sizes) == config.scales
    assert tuple(p.shape[1] for p in fill.priors) == config.prior_channels
    fill.rgb01.square().sum().backward()
    assert not [n for n, p in model.named_parameters() if p.grad is None]
    assert from_dict(SpnConfig, json.loads(json.dumps(to_dict(config)))) == config


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (37, 8)])
@pytest.mark.parametrize("config", [ABLATIONS["probabilistic"], ABLATIONS["folded"]], ids=["1 px", "2 px"])
def test_any_size_works(config, size):
    rgb, hole = torch.rand(1, 3, *size), torch.ones(1, 1, *size)
    rgb01 = make(config)(rgb, hole).rgb01
    assert rgb01.shape == (1, 3, *size) and rgb01.isfinite().all()


@pytest.mark.parametrize("initial_fill", ["zero", "pull_push"])
def test_what_the_hole_hid_is_never_used_and_the_rest_is(initial_fill, photo_and_hole):
    model = make(replace(TINY, initial_fill=initial_fill))
    rgb, hole = photo_and_hole
    before = model(rgb, hole).rgb01
    other = torch.rand_like(rgb)
    torch.testing.assert_close(model(torch.where(hole > 0, other, rgb), hole).rgb01, before)
    assert not torch.allclose(model(torch.where(hole > 0, rgb, other), hole).rgb01, before, atol=1e-4)


def test_a_hole_at_the_border_is_not_known_in_the_padding():
    model = make(TINY)
    rgb, hole = torch.rand(1, 3, 9, 9), torch.zeros(1, 1, 9, 9)
    hole[..., 6:] = 1
    other = torch.where(hole > 0, torch.rand_like(rgb), rgb)
    torch.testing.assert_close(model(rgb, hole).rgb01, model(other, hole).rgb01)


def test_without_hole_the_composite_is_the_photo(photo_and_hole):
    rgb, hole = photo_and_hole
    filled = make(TINY)(rgb, hole).rgb01
    assert torch.equal(composite(filled, rgb, torch.zeros_like(hole)), rgb)
    both = composite(filled, rgb, hole)
    assert torch.equal(both * (1 - hole), rgb * (1 - hole)) and torch.equal(both * hole, filled * hole)


def test_a_seed_is_a_fill(photo_and_hole):
    model = make(ABLATIONS["probabilistic"])
    first, again, other = (model(*photo_and_hole, generator=seeded(s)).rgb01 for s in (1, 1, 2))
    assert torch.equal(first, again) and (first - other).abs().max() > 1e-4
    features = model.encode(*photo_and_hole)
    z = model.latent((33, 46), seeded(1), batch=2)
    assert torch.equal(model.decode(features, z).rgb01, first)
    middle = model.decode(features).rgb01
    assert torch.equal(middle, model.decode(features, torch.zeros_like(z)).rgb01)
    assert torch.equal(middle, model(*photo_and_hole).rgb01)


def test_noise_is_drawn_with_the_latent_and_changes_the_fill(photo_and_hole):
    model = make(ABLATIONS["noise"])
    features = model.encode(*photo_and_hole)
    z, other = (model.latent((33, 46), seeded(seed), batch=2) for seed in (1, 2))
    assert z.shape[1] == 4 + sum(4**halvings for halvings in (1, 2, 3))
    mixed = torch.cat([z[:, :4], other[:, 4:]], dim=1)
    assert all(torch.equal(a, b) for a, b in zip(*(model.decode(features, one).priors for one in (z, mixed))))
    assert (model.decode(features, z).rgb01 - model.decode(features, mixed).rgb01).abs().max() > 1e-4
    for place, width in ((4, 64), (68, 16), (84, 4)):  # each scale alone
        single = torch.zeros_like(z)
        single[:, place : place + width] = z[:, place : place + width]
        assert (model.decode(features, single).rgb01 - model.decode(features).rgb01).abs().max() > 1e-4


def test_the_seed_reaches_the_prior_of_every_scale(photo_and_hole):
    model = make(ABLATIONS["probabilistic"])
    first, other = (model(*photo_and_hole, generator=seeded(s)).priors for s in (1, 2))
    assert all((a - b).abs().max() > 1e-5 for a, b in zip(first, other))


def test_sigma_is_positive_whatever_the_network_says(photo_and_hole):
    model = make(ABLATIONS["probabilistic"])
    with torch.no_grad():
        model.prior.variational.moments.bias.fill_(-1e4)
    sigma = model.encode(*photo_and_hole).sigma
    assert sigma.dtype == torch.float32 and (sigma == SIGMA_MIN).all()


def test_a_deterministic_model_has_no_latent(photo_and_hole):
    model = make(TINY)
    features = model.encode(*photo_and_hole)
    assert features.mean is None and features.sigma is None
    for call in (
        lambda: model.latent((33, 46)),
        lambda: model.decode(features, torch.zeros(2, 4, 5, 6)),
        lambda: model(*photo_and_hole, generator=seeded(1)),
    ):
        with pytest.raises(ConfigError, match="deterministic"):
            call()


def test_wrong_shapes_are_named(photo_and_hole):
    rgb, hole = photo_and_hole
    model = make(ABLATIONS["probabilistic"])
    with pytest.raises(ValueError, match=r"\(2, 3, 33, 46\) and \(2, 1, 33, 45\)"):
        model.encode(rgb, hole[..., 1:])
    with pytest.raises(ValueError, match="want rgb01"):
        model.encode(rgb[:, :1], hole)
    with pytest.raises(ValueError, match="want z"):
        model.decode(model.encode(rgb, hole), model.latent((33, 46)))


def test_bf16_autocast_gives_nearly_the_same(photo_and_hole):
    model = make(ABLATIONS["probabilistic"]).to(memory_format=torch.channels_last)
    exact = model(*photo_and_hole).rgb01
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(*photo_and_hole).rgb01
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, atol=0.05, rtol=0)


def test_checkpoints_come_back_without_distillation_heads(photo_and_hole, tmp_path):
    model = make(ABLATIONS["probabilistic"])
    model.distil = DistillationHeads(model.config.prior_channels, (1, 1, 1))  # as a trainer might keep them
    assert [h.shape for h in model.distil(model(*photo_and_hole).priors)] == [
        (2, 1, 33, 46), (2, 1, 17, 23), (2, 1, 9, 12)]  # fmt: skip
    with pytest.raises(CheckpointError, match="missing distil"):
        model.load_own_state(make(model.config).own_state(), where="here")
    del model.distil
    model.save_pretrained(tmp_path / "saved")
    again = Spn.from_pretrained(tmp_path / "saved")
    assert again.config == model.config
    assert not [k for k in again.own_state() if "distil" in k or "heads" in k]
    fills = (m(*photo_and_hole, generator=seeded(3)).rgb01 for m in (again, model))
    assert torch.equal(*fills)


def test_heads_fit_the_scales():
    with pytest.raises(ConfigError, match="3 priors cannot learn from 2 maps"):
        DistillationHeads((4, 8, 8), (1, 1))


def test_spade_is_a_modulated_instance_norm():
    torch.manual_seed(0)
    x = 3 * torch.rand(2, 4, 5, 7) + 1
    normal = instance_norm(x)
    torch.testing.assert_close(normal, torch.nn.functional.instance_norm(x), atol=1e-5, rtol=1e-4)
    assert instance_norm(torch.rand(1, 4, 1, 1)).abs().max() == 0
    spade, prior = Spade(4, 3, GeneratorConfig(hidden=2)), torch.rand(2, 3, 5, 7)
    torch.nn.init.zeros_(spade.affine.weight)
    with torch.no_grad():
        spade.affine.bias.copy_(torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 5]))  # gamma of channel 0, beta of 3
    want = normal * torch.tensor([2.0, 1, 1, 1]).view(4, 1, 1) + torch.tensor([0, 0, 0, 5.0]).view(4, 1, 1)
    torch.testing.assert_close(spade(x, prior), want)


@pytest.mark.parametrize("fusion", ["spade", "concat"])
def test_priors_reach_the_colours(fusion, photo_and_hole):
    model = make(replace(TINY, generator=replace(TINY.generator, fusion=fusion)))
    features = model.encode(*photo_and_hole)
    priors = model.prior.decode(features.encoded)
    before = model.generator(features.image, priors)
    for i in range(3):
        changed = [p + torch.rand_like(p) * (i == j) for j, p in enumerate(priors)]
        assert not torch.allclose(model.generator(features.image, changed), before, atol=1e-5)


# The paper counts whole millions: Tables 4 and 6, section 4.6.
@pytest.mark.parametrize(
    "changes, millions",
    [
        ({}, 50),
        ({"probabilistic": True}, 68),
        ({"scales": 1}, 45),
        ({"generator": GeneratorConfig(blocks=4)}, 38),
        ({"generator": GeneratorConfig(blocks=12)}, 62),
    ],
    ids=["spn", "probabilistic", "spl", "4 blocks", "12 blocks"],
)
def test_paper_preset_is_as_large_as_the_papers(changes, millions):
    assert parameters(spn_preset("paper", **changes)) == pytest.approx(millions * 1e6, rel=0.03)


def test_lite_preset_is_small():
    assert parameters(spn_preset("lite")) < parameters(spn_preset("lite", probabilistic=True)) < 10e6


def test_presets_by_name():
    assert spn_preset("spl") == spn_preset("paper", scales=1)
    assert all(from_dict(SpnConfig, to_dict(config)) == config for config in SPN_PRESETS.values())
    with pytest.raises(ConfigError, match="unknown SPN preset 'huge'"):
        spn_preset("huge")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda: SpnConfig(widths=(8, 8)), "widths must be 3"),
        (lambda: SpnConfig(stride_px=3), "stride_px must be 1, 2 or 4, got 3"),
        (lambda: SpnConfig(scales=4), r"scales must be in \[1, 3\], got 4"),
        (lambda: SpnConfig(initial_fill="noise"), "unknown initial_fill 'noise'"),
        (lambda: SpnConfig(prior=PriorConfig(attention_blocks=1, heads=7)), "no multiple of heads=7"),
        (lambda: PriorConfig(blocks=0), "blocks must be at least 1"),
        (lambda: PriorConfig(blocks=2, attention_blocks=3), r"\[0, blocks=2\], got 3"),
        (lambda: VariationalConfig(halvings=0), "halvings must be at least 1"),
        (lambda: GeneratorConfig(fusion="add"), "unknown fusion 'add'; known are"),
        (lambda: GeneratorConfig(kernel=2), "kernel must be 1, 3 or 5"),
        (lambda: GeneratorConfig(blocks=0), "blocks must be at least 1"),
    ],
)
def test_contradictions_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        change()
