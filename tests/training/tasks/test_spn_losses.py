import math
import urllib.request

import pytest
import torch

from sair_core.encoders.pretext import FrozenFeatures
from sair_core.errors import ConfigError
from sair_core.training.tasks import perceptual
from sair_core.training.tasks.spn_losses import (
    SpnWeights,
    adversarial_loss,
    choose_weights,
    discriminator_loss,
    diversity_loss,
    feature_loss,
    gamut_loss,
    generator_hinge_loss,
    hinge_loss,
    image_loss,
    kl_loss,
    prior_loss,
)

HALF = torch.tensor([[[[0.0, 1.0]]]])  # the right one of two cells is hole


def row(*values):
    return torch.tensor(values).view(1, 1, 1, -1)


def test_prior_loss_counts_the_hole_four_times_at_every_scale():
    finest, coarse = row(1.0, 2.0), row(3.0)
    loss = prior_loss([torch.zeros(1, 1, 1, 2), row(1.0)], [finest, coarse], HALF)
    # (1 + 2 (1 + 3)) / 2 at the finest; at the coarser one the cell is hole by half: 2 (1 + 1.5)
    assert loss.item() == pytest.approx(4.5 + 5.0)
    assert prior_loss([finest], [torch.zeros(1, 1, 1, 2)], HALF, alpha=0).item() == pytest.approx(1.5)
    with pytest.raises(ValueError):
        prior_loss([finest], [finest, coarse], HALF)


def test_image_loss_counts_the_hole_five_times():
    rgb, target = torch.zeros(1, 3, 1, 2), torch.full((1, 3, 1, 2), 0.2)
    assert image_loss(rgb, target, HALF).item() == pytest.approx(0.2 * (1 + 5) / 2)


def test_kl_loss():
    assert kl_loss(torch.zeros(2, 3, 1, 1), torch.ones(2, 3, 1, 1)).item() == 0
    mean, sigma = row(1.0, 0.0), row(1.0, 2.0)
    assert kl_loss(mean, sigma).item() == pytest.approx((0.5 + (1.5 - math.log(2))) / 2)
    torch.manual_seed(0)
    mean, sigma = torch.randn(1, 2, 3, 3), torch.rand(1, 2, 3, 3) + 0.1
    normal = torch.distributions.Normal
    want = torch.distributions.kl_divergence(normal(mean, sigma), normal(0.0, 1.0)).mean()
    torch.testing.assert_close(kl_loss(mean, sigma), want)


def test_adversarial_losses():
    logits = row(0.0, math.log(3))  # D = 1/2, 3/4
    assert adversarial_loss(logits).item() == pytest.approx(-(math.log(0.5) + math.log(0.75)) / 2)
    fake = row(0.0)
    want = -(math.log(0.5) + math.log(0.75)) / 2 - math.log(0.5)
    assert discriminator_loss(logits, fake).item() == pytest.approx(want)
    assert adversarial_loss(row(-200.0)).item() == pytest.approx(200)  # does not saturate


def test_gamut_loss_is_how_far_fills_leave_the_colours_of_their_photos():
    photo = torch.full((1, 3, 16, 16), 0.2)
    photo[..., 8:, :] = 0.6
    hole = torch.zeros(1, 1, 16, 16)
    hole[..., :8, :8] = 1

    def loss(rgb, photo=photo):
        return gamut_loss(torch.tensor(rgb).view(1, 3, 1, 1) * hole, photo, hole).item()

    for grey in (0.2, 0.5):  # black outside the hole is not looked at
        assert loss([grey] * 3) == pytest.approx(0, abs=1e-6)
    assert loss([0.9, 0.9, 0.9]) == pytest.approx(0.3)  # too bright
    assert loss([0.1, 0.1, 0.1]) == pytest.approx(0.1)  # too dark
    assert loss([0.6, 0.3, 0.3]) == pytest.approx(0.3 + 0.15)  # brightness is there, red and yellow are not
    photo = photo.clone()
    photo[..., 12:, :4] = torch.tensor([0.7, 0.4, 0.4]).view(3, 1, 1)
    assert loss([0.6, 0.3, 0.3], photo) == pytest.approx(0, abs=1e-6)  # now they are
    photo[..., 0, 0] = 1.0  # one pixel in sixteen: a glare
    assert loss([0.9, 0.9, 0.9], photo) == pytest.approx(0.3)


def test_gamut_is_judged_beside_the_projected_adversary_only():
    assert choose_weights("patch", {}).gamut == 0 < choose_weights("projected", {}).gamut


def test_hinge_losses_look_where_there_is_hole():
    real, fake = [row(2.0, 0.5)], [row(9.0, -0.5)]
    assert hinge_loss(real, fake, HALF).item() == pytest.approx(0.5 + 0.5)
    assert generator_hinge_loss(fake, HALF).item() == pytest.approx(0.5)
    assert generator_hinge_loss([*fake, row(3.0)], HALF).item() == pytest.approx((0.5 - 1.5) / 2)
    assert hinge_loss(real, fake, torch.zeros_like(HALF)).item() == 0


def test_weights_that_are_not_chosen_are_those_of_the_adversary():
    assert choose_weights("patch", {"image": None}) == SpnWeights(diverse=0.05)
    chosen = choose_weights("projected", {"image": 3.0, "kl": None})
    assert chosen.image == 3 and chosen.kl == choose_weights("projected", {}).kl


def test_feature_loss_is_the_mean_over_layers_and_leaves_the_target_alone():
    fake = [row(1.0, 3.0).requires_grad_(), row(2.0).requires_grad_()]
    real = [row(0.0, 0.0).requires_grad_(), row(3.0).requires_grad_()]
    loss = feature_loss(fake, real)
    assert loss.item() == pytest.approx((2 + 1) / 2)
    loss.backward()
    assert fake[0].grad is not None and real[0].grad is None


def test_diversity_loss_looks_into_the_hole_only():
    first, second = [row(9.0, 1.0), row(4.0)], [row(0.0, 0.5), row(2.0)]
    # distances in the hole: 0.5, and 2 in the one cell of the second layer
    want = (1 / (0.5 + 0.1) + 1 / (2 + 0.1)) / 2
    assert diversity_loss(first, second, HALF, epsilon=0.1).item() == pytest.approx(want)
    assert diversity_loss(first[:1], [row(5.0, 0.5)], HALF).item() == pytest.approx(2, rel=1e-4)
    assert diversity_loss(first, first, HALF).item() == pytest.approx(1e5)
    many = diversity_loss(
        [first[0].expand(2, 3, 1, 2)], [second[0].expand(2, 3, 1, 2)], HALF.expand(2, -1, -1, -1)
    )
    assert many.item() == pytest.approx(2, rel=1e-4)


def test_weights_are_the_papers():
    terms = {name: torch.tensor(1.0) for name in ("prior", "image", "adversarial")}
    assert SpnWeights().total(terms).item() == pytest.approx(12)  # Eq. (12)
    terms |= {name: torch.tensor(1.0) for name in ("feature", "diverse", "kl")}
    assert SpnWeights().total(terms).item() == pytest.approx(12 + 11.05)  # Eq. (15)
    with pytest.raises(ConfigError, match="kl must not be negative"):
        SpnWeights(kl=-1)
    with pytest.raises(ConfigError, match="colour"):
        SpnWeights().total({"colour": torch.tensor(1.0)})


def test_bf16_maps_are_compared_in_float32():
    a, b = torch.rand(1, 2, 4, 4).bfloat16(), torch.rand(1, 2, 4, 4).bfloat16()
    hole = torch.ones(1, 1, 8, 8)
    for loss in (feature_loss([a], [b]), diversity_loss([a], [b], hole), prior_loss([a], [b], hole)):
        assert loss.dtype == torch.float32 and loss.isfinite()


def test_without_vgg_the_bundled_encoder_stands_in(monkeypatch, tmp_path, caplog, tiny_clip_folder):
    def no_network(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.setattr(perceptual, "BUNDLED_ENCODER", str(tiny_clip_folder))
    with caplog.at_level("INFO"):
        features, name = perceptual.build_perceptual()
    assert name == str(tiny_clip_folder) and "VGG19 cannot be had (no network)" in caplog.text
    assert len(features(torch.rand(1, 3, 32, 32))) == 5  # the paper's K


def test_vgg_is_cut_after_the_first_relu_of_each_stage(monkeypatch):
    from torchvision.models import vgg19

    with torch.device("meta"):
        layers = vgg19().features
    monkeypatch.setattr(perceptual, "_vgg19", lambda timeout: perceptual.Stages([torch.nn.ReLU()] * 5))
    assert perceptual.build_perceptual()[1] == "vgg19"
    stages = [layers[start:stop] for start, stop in perceptual.VGG_STAGES]
    convolutions = [[m for m in stage if isinstance(m, torch.nn.Conv2d)] for stage in stages]
    assert [len(c) for c in convolutions] == [1, 2, 2, 4, 4]
    assert tuple(c[-1].out_channels for c in convolutions) == perceptual.VGG_CHANNELS
    assert all(isinstance(stage[-1], torch.nn.ReLU) for stage in stages)


def test_frozen_features_normalise():
    features = FrozenFeatures(perceptual.Stages([torch.nn.Identity()]), (3,), (0.5,) * 3, (0.25,) * 3)
    assert torch.equal(features(torch.full((1, 3, 2, 2), 1.0))[0], torch.full((1, 3, 2, 2), 2.0))
