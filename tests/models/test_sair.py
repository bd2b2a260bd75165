import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from sair_core.config import from_dict, to_dict
from sair_core.coords import cell_of, grid_coords, sample
from sair_core.encoders.semantic import BUNDLED_CONFIG
from sair_core.errors import ConfigError
from sair_core.models.presets import PAPERS, PRESETS, preset
from sair_core.models.sair import SEMANTICS, Part, Sair, SairConfig
from sair_core.models.sir import Sir, SirConfig


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


@pytest.mark.parametrize("semantics", SEMANTICS)
@pytest.mark.parametrize("sir", [SirConfig(16, 3), SirConfig(16, 3, 1, 16, 2)], ids=["paper", "context"])
def test_every_kind_of_semantics_trains(
    semantics, sir, semantic_config, tiny_semantic_encoder, photo_and_hole
):
    model = Sair(replace(semantic_config, semantics=semantics, sir=sir), tiny_semantic_encoder)
    parts = {name.split(".")[0] for name in model.own_state()}
    assert ("appearance_encoder" in parts) == (semantics != "only")
    assert ("sir" in parts) == (semantics in ("full", "only"))
    assert (model.semantic_encoder is not None) == (semantics != "none")
    coords, cell = coords_of((7, 9))
    features = model.encode(*photo_and_hole)
    rgb = model.decode(features, coords, cell)
    assert rgb.shape == (2, 63, 3) and rgb.dtype == torch.float32 and rgb.isfinite().all()
    rgb.square().sum().backward()
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not without
    if semantics != "none":
        assert model.decode_semantics(features, coords).shape == (2, 63, 4)


@pytest.mark.parametrize("semantics", SEMANTICS)
def test_checkpoints_come_back_and_keep_the_bundled_name(
    semantics, semantic_config, bundled_encoder, photo_and_hole, tmp_path
):
    sir = SirConfig(16, 3, edge_aware=semantics == "full")
    config = replace(
        semantic_config, semantics=semantics, semantic=bundled_encoder, sir=sir, semantic_stride_px=4
    )
    model = Sair(config)
    model.save_pretrained(tmp_path / "saved")
    assert json.loads((tmp_path / "saved/config.json").read_text())["semantic"]["name"] == "tiny-clip"
    again = Sair.from_pretrained(tmp_path / "saved")
    assert again.config == config
    coords, cell = coords_of((5, 5))
    assert torch.equal(again(*photo_and_hole, coords, cell), model(*photo_and_hole, coords, cell))


def test_configurations_older_than_these_options_are_still_read():
    older = to_dict(PRESETS["paper"])
    del older["semantic_stride_px"], older["sir"]["edge_aware"]
    del older["semantic"]["mask_keys"], older["appearance"]["arguments"]["last_relu"]
    read = from_dict(SairConfig, older)
    assert read.semantic.mask_keys and not read.appearance.arguments["last_relu"]
    assert replace(PRESETS["paper"], semantic=read.semantic, appearance=read.appearance) == read


def test_unfilled_semantics_are_the_encoders_tokens(semantic_config, tiny_semantic_encoder, photo_and_hole):
    rgb, hole = photo_and_hole
    model = Sair(replace(semantic_config, semantics="unfilled"), tiny_semantic_encoder)
    features = model.encode(rgb, hole)
    tokens = tiny_semantic_encoder(rgb, hole)
    assert torch.equal(features.tokens, tokens)
    coords, _ = coords_of((7, 9))
    torch.testing.assert_close(model.decode_semantics(features, coords), sample(tokens, coords))
    z = model.appearance_encoder(features.start01, hole)
    c = F.interpolate(2 * F.normalize(tokens, dim=1), z.shape[-2:], mode="bilinear")
    expected = model.air.decoder.project(torch.cat([z, c], dim=1))
    torch.testing.assert_close(features.projected, expected, atol=1e-5, rtol=1e-5)


def test_semantics_alone_are_all_that_is_seen(semantic_config, tiny_semantic_encoder, photo_and_hole):
    config = replace(semantic_config, semantics="only")
    model = Sair(config, tiny_semantic_encoder)
    features = model.encode(*photo_and_hole)
    assert features.projected.shape == (2, 16, 5, 6)  # the tokens' grid
    finer = Sair(replace(config, semantic_stride_px=4), tiny_semantic_encoder)
    assert finer.encode(*photo_and_hole).projected.shape == (2, 16, 9, 12)
    with torch.no_grad():
        model.sir.function.last.weight.zero_()  # every place means the same
    rgb = model.encode(*photo_and_hole).projected
    torch.testing.assert_close(rgb, rgb[:1, :, :1, :1].expand_as(rgb))


def semantics_that_air_gets(model, monkeypatch, *photo_and_hole, **options):
    seen = []
    monkeypatch.setattr(model.air, "project", lambda z, c: seen.append(c) or torch.zeros(1))
    model.encode(*photo_and_hole, **options)
    monkeypatch.undo()
    return seen[0]


@pytest.mark.parametrize("stride_px, size", [(None, (17, 23)), (2, (17, 23)), (8, (5, 6)), (100, (1, 1))])
def test_semantics_are_evaluated_once_every_stride(
    stride_px, size, semantic_config, tiny_semantic_encoder, photo_and_hole, monkeypatch
):
    model = Sair(replace(semantic_config, semantic_stride_px=stride_px), tiny_semantic_encoder)
    c = semantics_that_air_gets(model, monkeypatch, *photo_and_hole)
    assert c.shape == (2, 4, *size)
    features = model.encode(*photo_and_hole)
    here = model.decode_semantics(features, grid_coords(size).flatten(0, 1).expand(2, -1, -1))
    torch.testing.assert_close(c.flatten(2).transpose(1, 2), 2 * F.normalize(here, dim=-1))
    z = model.appearance_encoder(features.start01, photo_and_hole[1])
    resampled = F.interpolate(c, z.shape[-2:], mode="bilinear")
    expected = model.air.decoder.project(torch.cat([z, resampled], dim=1))
    torch.testing.assert_close(features.projected, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("semantics", ["full", "unfilled", "only"])
def test_air_sees_directions_whatever_the_encoders_scale(
    semantics, semantic_config, tiny_semantic_encoder, photo_and_hole, monkeypatch
):
    model = Sair(replace(semantic_config, semantics=semantics), tiny_semantic_encoder)
    before = semantics_that_air_gets(model, monkeypatch, *photo_and_hole)
    torch.testing.assert_close(before.square().mean(dim=1), torch.ones_like(before[:, 0]))
    last = model.semantic_encoder.projection if semantics == "unfilled" else model.sir.function.last
    with torch.no_grad():
        last.weight *= 100
        last.bias *= 100
    torch.testing.assert_close(semantics_that_air_gets(model, monkeypatch, *photo_and_hole), before)


@pytest.fixture
def word_model(semantic_config, tiny_semantic_encoder):
    return Sair(replace(semantic_config, semantic_stride_px=8), tiny_semantic_encoder)


def test_words_replace_the_semantics_of_the_hole_only(word_model, monkeypatch):
    rgb, hole = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    hole[..., 8:24, 8:24] = 1
    hole[..., :4, 24:] = 1  # half of a cell
    word = F.normalize(torch.randn(1, 4), dim=1)
    c, changed = (
        semantics_that_air_gets(word_model, monkeypatch, rgb, hole, **given)
        for given in ({}, {"words": word})
    )
    inside = torch.zeros(4, 4, dtype=torch.bool)
    inside[1:3, 1:3] = True
    torch.testing.assert_close(changed[0, :, inside], 2 * word.T.expand(-1, 4))
    half = F.normalize(c[0, :, 0, 3] / 2 + word[0], dim=0)
    torch.testing.assert_close(changed[0, :, 0, 3], 2 * half)
    inside[0, 3] = True
    assert torch.equal(changed[0, :, ~inside], c[0, :, ~inside])
    assert torch.equal(word_model.encode(rgb, hole).tokens, word_model.encode(rgb, hole, words=word).tokens)


def test_strength_mixes_directions(word_model, photo_and_hole, monkeypatch):
    rgb, _ = photo_and_hole
    hole = torch.ones_like(rgb[:, :1])
    words = torch.randn(2, 4)
    mixed = {
        strength: semantics_that_air_gets(word_model, monkeypatch, rgb, hole, words=words, strength=strength)
        for strength in (0.0, 0.3, 1.0)
    }
    c = semantics_that_air_gets(word_model, monkeypatch, rgb, hole)
    assert torch.equal(mixed[0.0], c)
    unit = F.normalize(words, dim=1)[..., None, None].expand_as(c)
    torch.testing.assert_close(mixed[1.0], 2 * unit)
    torch.testing.assert_close(mixed[0.3], 2 * F.normalize(0.7 * c / 2 + 0.3 * unit, dim=1))


def test_words_may_be_a_map_of_any_norm_and_reach_the_colour(word_model, photo_and_hole, monkeypatch):
    rgb, hole = photo_and_hole
    whole = torch.zeros_like(hole)
    truth = 7 * word_model.semantic_encoder(rgb, whole)
    c = semantics_that_air_gets(word_model, monkeypatch, rgb, torch.ones_like(hole), words=truth)
    torch.testing.assert_close(c, 2 * F.normalize(truth, dim=1))
    coords, cell = torch.zeros(2, 1, 2), torch.full((2, 2), 0.1)
    plain, guided, other = (
        word_model.decode(word_model.encode(rgb, hole, words=words), coords, cell)
        for words in (None, truth, torch.ones(1, 4))
    )
    assert not torch.allclose(plain, guided) and not torch.allclose(guided, other)


def test_words_that_cannot_be_used(word_model, small_config, photo_and_hole):
    with pytest.raises(ConfigError, match="words cannot tell it"):
        Sair(small_config).encode(*photo_and_hole, words=torch.ones(2, 4))
    for words in (torch.ones(2, 5), torch.ones(3, 4), torch.ones(4), torch.ones(2, 4, 3)):
        with pytest.raises(ValueError, match=r"want words \(2 or 1, 4\)"):
            word_model.encode(*photo_and_hole, words=words)
    with pytest.raises(ValueError, match=r"strength must be in \[0, 1\], got 1.5"):
        word_model.encode(*photo_and_hole, words=torch.ones(2, 4), strength=1.5)


def test_edge_aware_semantics_follow_the_appearance(semantic_config, tiny_semantic_encoder):
    """An object smaller than a token is lost to the tokens' grid, not to the features'."""
    hole = torch.zeros(1, 1, 32, 32)
    rgb = torch.rand(1, 3, 32, 32)
    other = rgb.clone()
    other[..., 9:11, 9:15] = rgb[..., 13:15, 9:15]  # the same average of the token
    other[..., 13:15, 9:15] = rgb[..., 9:11, 9:15]
    coords, _ = coords_of((32, 32), batch=1)
    model = Sair(replace(semantic_config, sir=SirConfig(16, 3, edge_aware=True)), tiny_semantic_encoder)

    def change():
        before, after = (model.decode_semantics(model.encode(x, hole), coords) for x in (rgb, other))
        return (after - before).abs().amax(dim=(0, 2)).view(32, 32)

    assert change().max() < 1e-5  # it starts as the form that sees no edges
    torch.nn.init.normal_(model.sir.edges.weight)
    assert change()[8:16, 8:16].min() > 1e-5


def test_edges_enter_the_first_layer_as_features_at_the_coordinate():
    torch.manual_seed(0)
    sir = Sir(4, SirConfig(16, 3, edge_aware=True), appearance_channels=6)
    torch.nn.init.normal_(sir.edges.weight)
    tokens, z, coords = torch.randn(2, 4, 3, 5), torch.randn(2, 6, 20, 30), torch.rand(2, 50, 2) * 2 - 1
    at_p = F.linear(sample(z, coords), sir.edges.weight[..., 0, 0])
    expected = sir.function.query(sir.function.project(tokens), coords, torch.zeros(2, 2), at_p)
    torch.testing.assert_close(sir(tokens, coords, sir.project_edges(z)), expected, atol=1e-5, rtol=1e-5)
    with pytest.raises(ConfigError, match="edge_aware needs appearance features"):
        Sir(4, SirConfig(edge_aware=True))


@pytest.mark.parametrize("edge_aware", [False, True])
def test_meanings_in_chunks_are_those_asked_for_at_once(monkeypatch, edge_aware):
    torch.manual_seed(0)
    sir = Sir(4, SirConfig(16, 3, edge_aware=edge_aware), appearance_channels=6)
    tokens, z, coords = torch.randn(2, 4, 3, 5), torch.randn(2, 6, 20, 30), torch.rand(2, 50, 2) * 2 - 1
    whole = sir(tokens, coords, sir.project_edges(z))
    asked = []
    query = sir.function.query
    monkeypatch.setattr(sir.function, "query", lambda *a: asked.append(a[1].shape[1]) or query(*a))
    monkeypatch.setattr("sair_core.decoders.chunks.CPU_BYTES", 12 * 16 * 4 * 2 * 7)  # seven coordinates
    with torch.no_grad():
        torch.testing.assert_close(sir(tokens, coords, sir.project_edges(z)), whole, atol=1e-6, rtol=1e-5)
    assert asked == [7] * 7 + [1]


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
    assert set(PRESETS) == {*PAPERS, "lite", "lite-trunk", "tiny"}
    paper = preset("paper")
    assert paper.semantic.name == "ViT-B-16" and paper.appearance.name == "table4"
    assert paper.decoder.arguments["hidden"] == 256 and paper.decoder.arguments["layers"] == 4
    assert preset("paper", semantics="none").semantics == "none"
    assert not Sair(preset("lite", semantics="none")).semantic_encoder
    with pytest.raises(ConfigError, match="known are.*lite"):
        preset("huge")


def test_lite_uses_the_bundled_encoder(tiny_semantic_encoder):
    config = preset("lite")
    assert config.semantic.name == "sair-clip" and config.sir.context_blocks == 3
    model = Sair(config, tiny_semantic_encoder)
    hole = torch.zeros(1, 1, 64, 48)
    hole[..., 16:32, 16:32] = 1
    coords, cell = coords_of((3, 3), batch=1)
    assert model(torch.rand(1, 3, 64, 48), hole, coords, cell).shape == (1, 9, 3)


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
        rgb = torch.rand(1, 3, 48, 64)
        features = model.encode(rgb, hole)
        assert features.tokens.shape == (1, 512, 3, 4)
        z = model.appearance_encoder(rgb * (1 - hole), hole)
        assert z.min() == 0  # Table 4 ends with a ReLU
        assert model.decode(features, coords, cell).shape == (1, 16, 3)


def test_over_a_photo_appearance_and_semantics_vary_alike_as_they_enter_air():
    """With the weights that torch draws Table 4's features begin at a three-hundredth of the semantics."""
    photo = Image.open("assets/examples/gull-on-sand.jpg").convert("RGB").resize((128, 96))
    rgb = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None] / 255
    torch.manual_seed(0)
    model = Sair(preset("nfs", semantic=BUNDLED_CONFIG))
    entered = []
    model.air.decoder.project = lambda z, c: entered.extend((z, c))
    with torch.no_grad():
        model.encode(rgb, torch.zeros(1, 1, 96, 128))
    z, c = (part.var((2, 3)).sum().sqrt().item() for part in entered)
    assert 1 / 3 < c / z < 3


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"appearance": Part("vgg")}, "appearance encoder 'vgg'"),
        ({"appearance": Part("unet", {"depth": 3})}, "unknown keys.*depth"),
        ({"decoder": Part("nerf")}, "decoder 'nerf'"),
        ({"semantics": "some"}, "semantics 'some'"),
        ({"initial_fill": "noise"}, "initial_fill 'noise'"),
        ({"semantics": "full", "semantic": None}, "needs a semantic encoder"),
        ({"semantics": "unfilled", "semantic": None}, 'semantics="unfilled" needs a semantic encoder'),
        ({"semantics": "only", "sir": SirConfig(edge_aware=True)}, "only.*set edge_aware=False"),
        ({"semantic_stride_px": 0}, "semantic_stride_px must be at least 1 or None, got 0"),
    ],
)
def test_contradictions_are_refused_with_the_value(changes, message):
    with pytest.raises(ConfigError, match=message):
        SairConfig(**changes)
