"""Dense CLIP on randomly initialised small towers of every kind, built by open_clip itself."""

import copy

import open_clip
import pytest
import torch
from torch import nn

from sair_core.encoders import refine
from sair_core.encoders.dense_clip import DenseClip
from sair_core.errors import ConfigError

TEXT = {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 2, "layers": 1}
VIT = {"layers": 3, "width": 32, "head_width": 8, "patch_size": 8, "image_size": 32}
RESNET = {"layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "image_size": 64}
VITS = {
    "plain": {},
    "average pool": {"pool_type": "avg"},
    "CLIPA": {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True},
    "layer scale": {"ls_init_value": 0.5},
    "patch dropout": {"patch_dropout": 0.5},
    "fixed positions": {"pos_embed_type": "sin_cos_2d"},
    "custom blocks": {
        "qk_norm": True, "scale_heads": True, "scale_attn_inner": True, "scale_attn": True, "scale_fc": True
    },
}  # fmt: skip
TIMM = {
    "resnet linear": {"timm_model_name": "resnet10t", "timm_pool": "avg", "timm_proj": "linear"},
    "resnet mlp": {"timm_model_name": "resnet10t", "timm_pool": "avg", "timm_proj": "mlp"},
    "resnet classifier": {"timm_model_name": "resnet10t", "timm_pool": "avg", "timm_proj": ""},
    "norm after pool": {"timm_model_name": "convnext_atto", "timm_pool": "", "timm_proj": "linear"},
    "conv after pool": {"timm_model_name": "mobilenetv3_small_050", "timm_pool": "avg", "timm_proj": ""},
}


def clip(vision: dict, embed_dim: int = 24) -> nn.Module:
    """A small CLIP whose every parameter is random: zeros and ones hide mistakes."""
    torch.manual_seed(0)
    model = open_clip.CLIP(embed_dim, dict(vision), dict(TEXT)).eval()
    with torch.no_grad():
        for module in model.visual.modules():
            if isinstance(module, (nn.LayerNorm, nn.BatchNorm2d)) and module.weight is not None:
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(std=0.2)
        for name, parameter in model.visual.named_parameters():
            if name.endswith(("in_proj_bias", "out_proj.bias", "head_scale")):
                parameter.normal_(1.0 if name.endswith("scale") else 0.0, 0.3)
    return model


def photo(height: int, width: int, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(1))


def normalised(rgb01: torch.Tensor) -> torch.Tensor:
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    return (rgb01 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def no_hole(rgb01: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(rgb01[:, :1])


ALL = {**{f"vit {k}": VIT | v for k, v in VITS.items()}, "resnet": RESNET, **TIMM}


# --- the pooling looks at one position only -----------------------------------------------------------------


@pytest.mark.parametrize("variant", VITS)
@pytest.mark.parametrize("position", [0, 5, 15])
def test_vit_pooled_output_is_the_dense_output_where_the_pooling_looks(variant, position):
    model = clip(VIT | VITS[variant])
    rgb01 = photo(32, 32)
    dense = DenseClip(model)(rgb01, no_hole(rgb01))

    def look_at_position(block, args, kwargs):
        x = args[0].clone()
        if model.visual.pool_type == "tok":
            x[:, 0] = x[:, 1 + position]  # the token that is pooled asks from there ...
        else:
            x[:] = x[:, 1 + position, None]
        only = torch.full((x.shape[1], x.shape[1]), -torch.inf)
        only[:, 1 + position] = 0  # ... and sees nothing else
        return (x,), {"attn_mask": only}

    model.visual.transformer.resblocks[-1].register_forward_pre_hook(look_at_position, with_kwargs=True)
    pooled = model.encode_image(normalised(rgb01))
    torch.testing.assert_close(pooled, dense.flatten(2)[..., position], atol=1e-5, rtol=1e-5)


def look_at(pool: nn.Module, position: int) -> None:
    """Make an attention pool attend to one position: a huge logit on a channel that no value reads."""
    with torch.no_grad():
        pool.positional_embedding[:, 0] = 0
        pool.positional_embedding[1 + position, 0] = 1e4
        pool.v_proj.weight[:, 0] = 0
        pool.q_proj.weight.zero_()
        pool.q_proj.bias.fill_(1)
        pool.k_proj.weight.zero_()
        pool.k_proj.weight[:, 0] = 1


@pytest.mark.parametrize("position", [0, 3])
def test_resnet_pooled_output_is_the_dense_output_where_the_pooling_looks(position):
    model = clip(RESNET)
    pool = model.visual.attnpool
    with torch.no_grad():
        pool.positional_embedding.zero_()
    look_at(pool, position)
    rgb01 = photo(64, 64)
    dense = DenseClip(model)(rgb01, no_hole(rgb01))
    pooled = model.encode_image(normalised(rgb01))
    torch.testing.assert_close(pooled, dense.flatten(2)[..., position], atol=1e-5, rtol=1e-5)


def test_resnet_position_embedding_adds_the_same_offset_to_every_image():
    model = clip(RESNET)
    pool = model.visual.attnpool
    look_at(pool, 2)
    offset = pool.c_proj.weight @ pool.v_proj.weight @ pool.positional_embedding[3]
    assert offset.abs().max() > 1e-2
    rgb01 = photo(64, 64, batch=3)
    dense = DenseClip(model)(rgb01, no_hole(rgb01))
    pooled = model.encode_image(normalised(rgb01))
    expected = offset.expand(3, -1)
    torch.testing.assert_close(pooled - dense.flatten(2)[..., 2], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("variant", TIMM)
def test_timm_pooled_output_is_the_dense_output_where_the_pooling_looks(variant):
    model = clip(TIMM[variant])
    rgb01 = photo(64, 96)
    dense = DenseClip(model)(rgb01, no_hole(rgb01))
    features = model.visual.trunk.forward_features(normalised(rgb01))
    for y, x in [(0, 0), (1, 2)]:
        one_cell = features[..., y : y + 1, x : x + 1]
        pooled = model.visual.head(model.visual.trunk.forward_head(one_cell))
        torch.testing.assert_close(pooled, dense[..., y, x], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("variant", TIMM)
def test_timm_tower_on_one_cell_is_the_original_tower(variant):
    model = clip(TIMM[variant])
    rgb01 = photo(32, 32)
    dense = DenseClip(model)(rgb01, no_hole(rgb01))
    pooled = model.encode_image(normalised(rgb01))
    torch.testing.assert_close(pooled, dense[..., 0, 0], atol=1e-5, rtol=1e-5)


def test_timm_linear_projection_averages_to_the_pooled_output():
    model = clip(TIMM["resnet linear"])
    rgb01 = photo(96, 64)
    dense = DenseClip(model)(rgb01, no_hole(rgb01))
    pooled = model.encode_image(normalised(rgb01))
    torch.testing.assert_close(pooled, dense.mean(dim=(2, 3)), atol=1e-5, rtol=1e-5)


# --- holes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["plain", "custom blocks"])
def test_a_hole_token_is_never_a_key(variant):
    model = clip(VIT | VITS[variant])
    dense = DenseClip(model)
    rgb01 = photo(32, 32)
    hole01 = no_hole(rgb01)
    hole01[..., 8:16, 8:14] = 1  # 6 of the 8 columns of patch (1, 1): mostly hole
    before = dense(rgb01, hole01)
    changed = rgb01.clone()
    changed[..., 8:16, 14:16] = 1 - changed[..., 8:16, 14:16]  # its known pixels
    difference = (dense(changed, hole01) - before).abs().amax(dim=1)[0]
    assert difference[1, 1] > 1e-3
    difference[1, 1] = 0
    assert torch.equal(difference, torch.zeros_like(difference))


def test_a_token_that_is_half_hole_stays_a_key():
    dense = DenseClip(clip(VIT))
    rgb01 = photo(32, 32)
    hole01 = no_hole(rgb01)
    hole01[..., 8:16, 8:12] = 1
    changed = rgb01.clone()
    changed[..., 8:16, 12:16] = 1 - changed[..., 8:16, 12:16]
    assert ((dense(changed, hole01) - dense(rgb01, hole01)).abs().amax(dim=1) > 1e-6).all()


def test_masks_differ_within_a_batch():
    dense = DenseClip(clip(VIT))
    rgb01 = photo(32, 32, batch=2)
    hole01 = no_hole(rgb01)
    hole01[0, :, :16] = 1
    both = dense(rgb01, hole01)
    for i in range(2):
        alone = dense(rgb01[i : i + 1], hole01[i : i + 1])
        torch.testing.assert_close(both[i : i + 1], alone, atol=1e-5, rtol=1e-5)


def test_positions_are_resized_as_open_clip_resizes_them():
    """It does so when weights of one picture size are loaded into a model of another."""
    model, larger = clip(VIT), clip({**VIT, "image_size": 56})
    state = {"visual.positional_embedding": model.visual.positional_embedding.detach()}
    open_clip.model.resize_pos_embed(state, larger)
    with torch.no_grad():
        larger.visual.load_state_dict(
            {**model.visual.state_dict(), "positional_embedding": state["visual.positional_embedding"]}
        )
        picture = photo(56, 56)
        torch.testing.assert_close(DenseClip(model)(picture), DenseClip(larger)(picture), rtol=0, atol=0)


@pytest.mark.parametrize("vision", ALL.values(), ids=ALL)
def test_pixels_in_the_hole_are_black_and_a_full_hole_is_finite(vision):
    dense = DenseClip(clip(vision))
    rgb01 = photo(64, 64)
    hole01 = no_hole(rgb01)
    hole01[..., 10:50, 20:60] = 1
    noise = torch.where(hole01.bool(), torch.rand_like(rgb01), rgb01)
    assert torch.equal(dense(rgb01, hole01), dense(noise, hole01))
    black = rgb01 * (1 - hole01)
    if not hasattr(dense.visual, "positional_embedding"):  # convolutions only know that it is black
        assert torch.equal(dense(rgb01, hole01), dense(black, no_hole(black)))
    assert dense(rgb01, torch.ones_like(hole01)).isfinite().all()


# --- key smoothing ------------------------------------------------------------------------------------------


def keys_of_the_last_block(model: nn.Module, rgb01: torch.Tensor) -> torch.Tensor:
    """Keys `(B, N, C)` of the patch tokens, from torch's own weights."""
    block, seen = model.visual.transformer.resblocks[-1], []
    handle = block.register_forward_pre_hook(lambda block, args: seen.append(args[0]))
    model.encode_image(normalised(rgb01))
    handle.remove()
    _, weight, _ = block.attn.in_proj_weight.chunk(3)
    _, bias, _ = block.attn.in_proj_bias.chunk(3)
    return block.ln_1(seen[0][:, 1:]) @ weight.T + bias


@pytest.mark.parametrize("limit", [2**26, 1])
def test_key_smoothing_averages_by_the_likeness_of_keys(limit, monkeypatch):
    monkeypatch.setattr(refine, "SMOOTHING_BYTES", limit)
    model = clip(VIT)
    rgb01 = photo(32, 32, batch=2)
    keys = nn.functional.normalize(keys_of_the_last_block(model, rgb01), dim=-1)
    likeness = torch.einsum("bic,bjc->bij", keys, keys).clamp_min(0)
    assert likeness.min() == 0 and likeness.max() > 0.99
    dense = DenseClip(model)(rgb01, None).flatten(2)
    expected = torch.einsum("bij,bdj->bdi", likeness / likeness.sum(dim=2, keepdim=True), dense)
    smooth = DenseClip(model, key_smoothing=True)(rgb01, None).flatten(2)
    torch.testing.assert_close(smooth, expected, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(smooth, dense, atol=1e-2)


def test_key_smoothing_takes_nothing_from_the_hole():
    dense = DenseClip(clip(VIT), key_smoothing=True)
    rgb01 = photo(32, 32)
    hole01 = no_hole(rgb01)
    hole01[..., 8:16, 8:14] = 1  # patch (1, 1) is mostly hole
    changed = rgb01.clone()
    changed[..., 8:16, 14:16] = 1 - changed[..., 8:16, 14:16]  # its known pixels
    difference = (dense(changed, hole01) - dense(rgb01, hole01)).abs().amax(dim=1)[0]
    assert difference[1, 1] > 1e-3
    difference[1, 1] = 0
    assert torch.equal(difference, torch.zeros_like(difference))
    assert dense(rgb01, torch.ones_like(hole01)).isfinite().all()


def test_key_smoothing_of_every_vit_in_half_precision():
    for variant in VITS.values():
        dense = DenseClip(clip(VIT | variant), key_smoothing=True).to(torch.bfloat16)
        out = dense(photo(40, 24), None)
        assert out.shape == (1, 24, 5, 3) and out.dtype == torch.bfloat16 and out.isfinite().all()


@pytest.mark.parametrize("vision", [RESNET, TIMM["resnet linear"]], ids=["ModifiedResNet", "timm"])
def test_key_smoothing_is_refused_where_there_are_no_keys(vision):
    with pytest.raises(ConfigError, match="ResNet has no such block.*choose a ViT"):
        DenseClip(clip(vision), key_smoothing=True)


# --- sizes, types, gradients --------------------------------------------------------------------------------


@pytest.mark.parametrize("vision", ALL.values(), ids=ALL)
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (33, 47), (64, 32), (31, 100)])
def test_any_size(vision, size):
    dense = DenseClip(clip(vision))
    rgb01 = photo(*size)
    hole01 = (torch.rand(1, 1, *size) < 0.3).float()
    out = dense(rgb01, hole01)
    assert out.shape == (1, 24, -(-size[0] // dense.stride), -(-size[1] // dense.stride))
    assert out.shape[2:] == dense.grid_size(size)
    assert out.isfinite().all()


@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["vit", "resnet"])
def test_a_second_look_from_further_away_is_half_of_what_is_seen(vision):
    model = clip(vision)
    once, twice = DenseClip(model), DenseClip(model, context_scale=0.5)
    rgb01 = photo(130, 190)
    hole01 = torch.zeros(1, 1, 130, 190)
    hole01[..., 20:90, 30:100] = 1
    with torch.no_grad():
        near, both = once(rgb01, hole01), twice(rgb01, hole01)
        small = once._dense(once.visual, *once._prepare(rgb01, hole01, 0.5))
        far = nn.functional.interpolate(small, near.shape[-2:], mode="bilinear")
        assert both.shape == near.shape and small.shape[-1] < near.shape[-1]
        expected = nn.functional.normalize(near, dim=1) + nn.functional.normalize(far, dim=1)
        torch.testing.assert_close(2 * both / near.norm(dim=1, keepdim=True), expected, rtol=1e-4, atol=1e-5)
        other = torch.where(hole01 > 0, torch.rand_like(rgb01), rgb01)
        torch.testing.assert_close(twice(other, hole01), both)  # neither look sees into the hole


@pytest.mark.parametrize(("vision", "tower_stride"), [(VIT, 8), (RESNET, 32), (TIMM["resnet linear"], 32)])
def test_stride_and_upsample(vision, tower_stride):
    model = clip(vision)
    assert DenseClip(model).stride == tower_stride
    finer = DenseClip(model, upsample=2.0)
    assert finer.stride == tower_stride // 2
    rgb01 = photo(64, 64)
    out = finer(rgb01, no_hole(rgb01))
    assert out.shape[2:] == (128 // tower_stride, 128 // tower_stride)
    larger = nn.functional.interpolate(rgb01, scale_factor=2.0, mode="bilinear")
    torch.testing.assert_close(out, DenseClip(model)(larger, no_hole(larger)), atol=1e-5, rtol=1e-5)
    assert DenseClip(model, upsample=0.5)(rgb01, no_hole(rgb01)).shape[2] == 32 // tower_stride
    with pytest.raises(ConfigError, match="whole number"):
        DenseClip(model, upsample=3.0)


def test_shrinking_averages_instead_of_skipping_pixels():
    dense = DenseClip(clip(VIT), upsample=0.125)
    stripes = torch.zeros(1, 3, 256, 256)
    stripes[..., 3::8] = stripes[..., 4::8] = 1  # the only pixels that plain bilinear sampling would read
    grey = torch.full_like(stripes, stripes.mean().item())
    similarity = nn.functional.cosine_similarity(dense(stripes), dense(grey), dim=1)
    assert similarity.min() > 0.9


def test_a_cell_looks_at_its_own_place():
    dense = DenseClip(clip(VIT | {"layers": 1}))  # its only block lost its attention: cells are independent
    rgb01 = torch.zeros(1, 3, 31, 39)  # 4 x 5 cells of 7.75 x 7.8 px
    rgb01[..., :7, 33:] = 1
    changed = (dense(rgb01, None) != dense(torch.zeros_like(rgb01), None)).any(dim=1)[0]
    expected = torch.zeros(4, 5, dtype=torch.bool)
    expected[0, 4] = True
    assert torch.equal(changed, expected)


@pytest.mark.parametrize("vision", ALL.values(), ids=ALL)
def test_no_parameter_is_added_and_none_is_trained(vision):
    model = clip(vision)
    count = sum(p.numel() for p in model.visual.parameters())
    dense = DenseClip(model)
    assert sum(p.numel() for p in dense.parameters()) == count
    assert not any(p.requires_grad for p in dense.parameters())
    rgb01 = photo(32, 32)
    assert not dense(rgb01, no_hole(rgb01)).requires_grad
    assert dense.visual is model.visual


def test_a_frozen_tower_stays_in_evaluation_mode():
    dense = DenseClip(clip(TIMM["resnet linear"]))
    parent = nn.Sequential(dense).train()
    assert parent.training and not any(module.training for module in dense.modules())
    rgb01 = photo(64, 64, batch=2)
    assert torch.equal(dense(rgb01, None), dense(rgb01, None))


@pytest.mark.parametrize("vision", [VIT, RESNET, TIMM["resnet linear"]], ids=["vit", "resnet", "timm"])
def test_a_trainable_tower_gets_gradients(vision):
    dense = DenseClip(clip(vision), trainable=True).train()
    assert dense.visual.training
    rgb01 = photo(64, 64, batch=2)
    dense(rgb01, no_hole(rgb01)).square().mean().backward()
    first = dense.visual.trunk.conv1[0] if hasattr(dense.visual, "trunk") else dense.visual.conv1
    assert first.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("vision", ALL.values(), ids=ALL)
def test_bfloat16(vision):
    dense = DenseClip(clip(vision))
    rgb01 = photo(50, 70)
    hole01 = no_hole(rgb01)
    hole01[..., 10:40, 10:40] = 1
    full = dense(rgb01, hole01)
    half = copy.deepcopy(dense).to(torch.bfloat16)(rgb01.bfloat16(), hole01.bfloat16())
    assert half.dtype == torch.bfloat16
    similarity = nn.functional.cosine_similarity(half.float(), full, dim=1)
    assert similarity.mean() > 0.99


def test_the_models_own_mean_and_deviation_are_used():
    model = clip(VIT)
    open_clip.set_model_preprocess_cfg(model, {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7)})
    rgb01 = photo(32, 32)
    ours = DenseClip(model)(rgb01, None)
    del model.visual.image_mean, model.visual.image_std
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.1, 0.2, 0.3], [0.5, 0.6, 0.7]))
    black, white = normalised(torch.zeros(3, 1, 1)), normalised(torch.ones(3, 1, 1))
    same = ((rgb01 - mean) / std - black) / (white - black)  # OpenAI's figures turn this into the same input
    torch.testing.assert_close(ours, DenseClip(model)(same, None), atol=1e-5, rtol=1e-5)


def test_text_is_dropped_or_kept():
    model = clip(VIT)
    assert DenseClip(model).text is None
    dense = DenseClip(model, keep_text=True)
    tokens = torch.randint(1, 32, (2, 8))
    assert torch.equal(dense.text.encode_text(tokens), model.encode_text(tokens))
    assert not any(name.startswith("text.visual") for name in dense.state_dict())
    assert model.visual is dense.visual
    torch.testing.assert_close(dense.logit_scale, model.logit_scale.detach())


# --- errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vision",
    [
        VIT | {"attentional_pool": True, "attn_pooler_heads": 2},
        VIT | {"pool_type": "none"},
        VIT | {"scaled_cosine_attn": True},
        {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "token", "timm_proj": "linear"},
        {"timm_model_name": "resnet10t", "timm_pool": "max", "timm_proj": "linear"},
        {"timm_model_name": "resnet10t", "timm_pool": "rot_attn", "timm_proj": ""},
        {"timm_model_name": "swin_tiny_patch4_window7_224", "timm_pool": "", "timm_proj": "linear"},
    ],
    ids=lambda vision: str(vision.get("timm_model_name", "vit")),
)
def test_towers_without_a_dense_form_are_refused(vision):
    with pytest.raises(ConfigError, match="dense form"):
        DenseClip(open_clip.CLIP(24, vision, dict(TEXT)))


def test_unknown_tower_is_refused():
    model = nn.Module()
    model.visual = nn.Linear(2, 2)
    with pytest.raises(ConfigError, match="Linear has no dense form"):
        DenseClip(model)


@pytest.mark.parametrize(
    ("rgb_shape", "hole_shape"),
    [((3, 32, 32), (1, 32, 32)), ((1, 1, 32, 32), (1, 1, 32, 32)), ((1, 3, 0, 32), (1, 1, 0, 32)),
     ((1, 3, 32, 32), (1, 1, 32, 31)), ((1, 3, 32, 32), (1, 3, 32, 32))],
)  # fmt: skip
def test_wrong_shapes(rgb_shape, hole_shape):
    with pytest.raises(ValueError, match="must be"):
        DenseClip(clip(VIT))(torch.zeros(rgb_shape), torch.zeros(hole_shape))
