import pytest
import timm
import torch

from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder, find_encoder
from sair_core.encoders.trunk import Trunk, build_trunk, trunk_form
from sair_core.errors import ConfigError, ModelNotFoundError


def photo_and_hole():
    torch.manual_seed(0)
    hole = torch.zeros(1, 1, 70, 90)
    hole[..., 20:50, 20:50] = 1
    return torch.rand(1, 3, 70, 90), hole


@pytest.mark.parametrize(
    "name, stride, channels",
    [("test_resnet", 32, 96), ("test_vit", 16, 64), ("samvit_base_patch16", 16, 256)],
)
def test_a_network_of_timm_gives_a_map_at_any_size(name, stride, channels):
    encoder = build_semantic_encoder(SemanticConfig(f"timm:{name}"), load_weights=False)
    assert (encoder.stride, encoder.embed_dim, encoder.text) == (stride, channels, None)
    rgb, hole = photo_and_hole()
    found = encoder(rgb, hole)
    assert found.shape == (1, channels, -(-70 // stride), -(-90 // stride)) and found.isfinite().all()
    assert torch.equal(found, encoder(torch.where(hole > 0, torch.rand_like(rgb), rgb), hole))
    assert not any(p.requires_grad for p in encoder.parameters())


def test_a_map_is_that_of_the_network_itself():
    network = timm.create_model("test_resnet", num_classes=0).eval()
    trunk = Trunk(network, "test_resnet")
    image = torch.rand(2, 3, 64, 96)
    torch.testing.assert_close(trunk(image), network.forward_features(image))
    forward, stride, channels = trunk_form(trunk)
    assert forward(trunk, image, None).shape == (2, channels, 64 // stride, 96 // stride)


def test_weights_are_fetched_once_the_network_is_known_to_fit():
    fetched = []

    def fetch(what, how):
        fetched.append(what)
        return timm.create_model("test_resnet", num_classes=0)

    assert isinstance(build_trunk("test_resnet", fetch), Trunk) and fetched == ["test_resnet of timm"]
    with pytest.raises(ConfigError, match="mixer_s16_224 of timm takes photos of one size only"):
        build_trunk("mixer_s16_224", fetch)
    with pytest.raises(ModelNotFoundError, match="timm has no network 'resnet_18'. Did you mean.*resnet18"):
        build_trunk("resnet_18", fetch)
    assert len(fetched) == 1


def test_a_network_without_maps_is_refused():
    with pytest.raises(ConfigError, match="has no map to read"):
        Trunk(torch.nn.Identity(), "identity")


def test_a_network_knows_no_words():
    for wrong in ({"keep_text": True}, {"pretrained": "openai"}):
        with pytest.raises(ConfigError, match="timm:test_vit"):
            SemanticConfig("timm:test_vit", **wrong)


def test_encoders_are_found_by_the_names_that_people_type(tiny_clip_folder):
    bundled = find_encoder("sair-clip")
    assert (bundled.name, bundled.upsample, bundled.keep_text) == ("sair-clip", 2.0, True)
    assert find_encoder(str(tiny_clip_folder)) == SemanticConfig(str(tiny_clip_folder), keep_text=True)
    assert find_encoder("ViT-B/16") == SemanticConfig("ViT-B-16", "openai", keep_text=True)
    tagged = find_encoder("ViT-B-16:laion2b_s34b_b88k")
    assert (tagged.name, tagged.pretrained) == ("ViT-B-16", "laion2b_s34b_b88k")
    assert find_encoder("hf-hub:somebody/clip") == SemanticConfig("hf-hub:somebody/clip", keep_text=True)
    for name in ("samvit_base_patch16", "timm:samvit_base_patch16"):
        assert find_encoder(name) == SemanticConfig("timm:samvit_base_patch16")
    with pytest.raises(ModelNotFoundError, match="There is no encoder 'ViT-B-17'.*sair-clip.*ViT-B-16"):
        find_encoder("ViT-B-17")
