import pytest
import torch

from sair_core.config import from_dict, to_dict
from sair_core.coords import cell_of, grid_coords
from sair_core.errors import ConfigError
from sair_core.models.presets import PRESETS, preset
from sair_core.models.sair import Part, Sair, SairConfig
from sair_core.models.sir import SirConfig


def coords_of(size, batch=2):
    return grid_coords(size).flatten(0, 1).expand(batch, -1, -1), cell_of(size).expand(batch, -1)


def test_without_semantics_it_is_liif(small_config, photo_and_hole):
    model = Sair(small_config)
    assert model.sir is None and model.semantic_encoder is None
    coords, cell = coords_of((33, 46))
    rgb = model(*photo_and_hole, coords, cell)
    assert rgb.shape == (2, 33 * 46, 3) and rgb.dtype == torch.float32
    with pytest.raises(ConfigError, match="knows no meanings"):
        model.decode_semantics(model.encode(*photo_and_hole), coords)


def test_what_the_hole_hid_is_never_used(semantic_config, tiny_semantic_encoder, photo_and_hole):
    model = Sair(semantic_config, tiny_semantic_encoder)
    rgb, hole = photo_and_hole
    other = torch.where(hole > 0, torch.rand_like(rgb), rgb)
    coords, cell = coords_of((9, 9))
    torch.testing.assert_close(model(rgb, hole, coords, cell), model(other, hole, coords, cell))


def test_semantics_reach_the_colour_and_any_coordinate(
    semantic_config, tiny_semantic_encoder, photo_and_hole
):
    model = Sair(semantic_config, tiny_semantic_encoder)
    features = model.encode(*photo_and_hole)
    coords, cell = coords_of((7, 11))
    assert features.tokens.shape == (2, 4, 5, 6)
    assert model.decode_semantics(features, coords).shape == (2, 77, 4)
    before = model.decode(features, coords, cell)
    with torch.no_grad():
        model.sir.function.last.bias += 1
    assert not torch.allclose(before, model.decode(model.encode(*photo_and_hole), coords, cell))


def test_semantic_encoder_stays_frozen_and_out_of_the_checkpoint(
    semantic_config, tiny_semantic_encoder, photo_and_hole
):
    model = Sair(semantic_config, tiny_semantic_encoder)
    coords, cell = coords_of((5, 5))
    model(*photo_and_hole, coords, cell).sum().backward()
    assert all(p.grad is None for p in model.semantic_encoder.parameters())
    assert model.sir.function.last.weight.grad.abs().sum() > 0
    assert not [k for k in model.own_state() if k.startswith("semantic_encoder")]


def test_context_blocks_complete_what_a_local_mlp_cannot(semantic_config, tiny_semantic_encoder):
    """A token deep in a hole must be able to depend on known tokens far away."""
    hole = torch.zeros(1, 1, 64, 64)
    hole[..., 8:56, 8:56] = 1
    rgb = torch.rand(1, 3, 64, 64, requires_grad=True)
    middle = torch.zeros(1, 1, 2)
    for blocks in (0, 1):
        config = SairConfig(semantic_config.appearance, semantic_config.decoder,
                            sir=SirConfig(context_blocks=blocks, context_width=16, heads=2))  # fmt: skip
        torch.manual_seed(0)
        model = Sair(config, tiny_semantic_encoder)
        if blocks:
            torch.nn.init.normal_(model.sir.leave.weight)
        gradient = torch.autograd.grad(model.decode_semantics(model.encode(rgb, hole), middle).sum(), rgb)[0]
        assert bool(gradient[..., :8, :].abs().sum() > 0) == bool(blocks)


def test_long_skip_starts_from_the_initial_fill(small_config, photo_and_hole):
    model = Sair(small_config)
    torch.nn.init.zeros_(model.air.decoder.last.weight)
    torch.nn.init.zeros_(model.air.decoder.last.bias)
    features = model.encode(*photo_and_hole)
    coords, cell = coords_of((33, 46))
    expected = features.start01.flatten(2).transpose(1, 2)
    torch.testing.assert_close(model.decode(features, coords, cell), expected, atol=1e-5, rtol=0)


def test_shape_errors_say_what_is_wanted(small_config):
    with pytest.raises(ValueError, match=r"want rgb01 \(B, 3, H, W\)"):
        Sair(small_config).encode(torch.rand(1, 3, 8, 8), torch.rand(1, 1, 8, 9))


def test_presets():
    assert set(PRESETS) >= {"paper", "lite"}
    paper = preset("paper")
    assert paper.semantic.name == "ViT-B-16" and paper.appearance.name == "table4"
    assert paper.decoder.arguments["hidden"] == 256 and paper.decoder.arguments["layers"] == 4
    assert preset("paper", semantics="none").semantics == "none"
    assert not Sair(preset("lite")).semantic_encoder
    with pytest.raises(ConfigError, match="known are.*lite"):
        preset("huge")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_round_trip(name):
    assert from_dict(SairConfig, to_dict(PRESETS[name])) == PRESETS[name]


def test_configurations_are_written_out_in_full():
    assert SairConfig(Part("unet")).appearance.arguments["widths"] == [48, 96, 192, 288]
    assert to_dict(SairConfig())["decoder"]["arguments"] == {"hidden": 256, "layers": 4, "use_cell": True}


def test_paper_preset_builds_and_runs():
    """The real towers at random weights: ViT-B/16 and Table 4, end to end."""
    from sair_core.encoders.semantic import build_semantic_encoder

    config = preset("paper")
    model = Sair(config, build_semantic_encoder(config.semantic, load_weights=False))
    assert model.semantic_encoder.embed_dim == 512
    hole = torch.zeros(1, 1, 48, 64)
    hole[..., :16, :16] = 1
    coords, cell = coords_of((4, 4), batch=1)
    with torch.inference_mode():
        features = model.encode(torch.rand(1, 3, 48, 64), hole)
        assert features.tokens.shape == (1, 512, 3, 4)
        assert model.decode(features, coords, cell).shape == (1, 16, 3)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"appearance": Part("vgg")}, "appearance encoder 'vgg'"),
        ({"appearance": Part("unet", {"depth": 3})}, "unknown keys.*depth"),
        ({"decoder": Part("nerf")}, "decoder 'nerf'"),
        ({"semantics": "some"}, "semantics 'some'"),
        ({"initial_fill": "noise"}, "initial_fill 'noise'"),
        ({"semantics": "full", "semantic": None}, "needs a semantic encoder"),
    ],
)
def test_contradictions_are_refused_with_the_value(changes, message):
    with pytest.raises(ConfigError, match=message):
        SairConfig(**changes)
