"""Finding and loading open_clip models, without a network."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sair_core.encoders import open_clip_models, semantic
from sair_core.encoders.dense_clip import DenseClip
from sair_core.encoders.open_clip_models import encoder_folder
from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder
from sair_core.errors import CheckpointError, ConfigError, MissingDependencyError, ModelNotFoundError

MODEL = {
    "embed_dim": 24,
    "vision_cfg": {"layers": 2, "width": 32, "head_width": 8, "patch_size": 8, "image_size": 32},
    "text_cfg": {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 2, "layers": 1},
}
STATISTICS = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return open_clip.CLIP(**MODEL).eval()


@pytest.fixture
def folder(tmp_path, model):
    """An open_clip model as it lies on the hub."""
    config = {"model_cfg": MODEL, "preprocess_cfg": STATISTICS}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), tmp_path / "open_clip_model.safetensors")
    return tmp_path


@pytest.fixture
def small_in_open_clip(monkeypatch):
    """The small model under a name and a tag of open_clip itself, whose weights are QuickGELU's."""
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Small", MODEL)
    tags = {"tagged": {"hf_hub": "nobody/nothing/", "quick_gelu": True, **STATISTICS}}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "Small", tags)


def no_download(*args, **kwargs):
    pytest.fail("nothing may be fetched here")


def photo() -> torch.Tensor:
    return torch.rand(1, 3, 40, 32, generator=torch.Generator().manual_seed(1))


def test_importing_does_not_import_open_clip():
    code = "import sys, sair_core.encoders.semantic; sys.exit('open_clip' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"name": 3}, {"pretrained": ""}, {"pretrained": 1}, {"upsample": 0},
        {"upsample": 100.0}, {"upsample": float("nan")}, {"upsample": "2"}, {"upsample": True},
        {"context_scale": 0}, {"context_scale": 1.0}, {"trainable": 1},
        {"keep_text": None}, {"key_smoothing": 1},
        {"name": "hf-hub:org/model", "pretrained": "openai"},
    ],
    ids=str,
)  # fmt: skip
def test_config_is_checked(wrong):
    with pytest.raises(ConfigError, match=list(wrong)[-1]):
        SemanticConfig(**wrong)


def test_config_survives_json():
    config = SemanticConfig("RN50", "openai", upsample=2.0, trainable=True, keep_text=True)
    assert SemanticConfig(**json.loads(json.dumps(asdict(config)))) == config


def test_folder_in_the_form_of_the_hub(folder, model):
    encoder = build_semantic_encoder(SemanticConfig(str(folder)))
    assert encoder.embed_dim == 24 and encoder.stride == 8 and encoder.text is None
    assert not encoder.training and not any(p.requires_grad for p in encoder.parameters())
    open_clip.set_model_preprocess_cfg(model, STATISTICS)
    assert torch.equal(encoder(photo()), DenseClip(model)(photo()))


def test_folder_with_a_bare_config_and_half_precision_weights(tmp_path, model):
    (tmp_path / "tiny.json").write_text(json.dumps(MODEL))
    (tmp_path / "other.json").write_text("{}")
    half = {name: value.half() for name, value in model.state_dict().items()}
    save_file(half, tmp_path / "weights.safetensors")
    encoder = build_semantic_encoder(SemanticConfig(str(tmp_path)))
    out = encoder(photo())
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, DenseClip(model)(photo()), atol=1e-2, rtol=1e-2)


def test_options_reach_the_encoder(folder, model):
    config = SemanticConfig(str(folder), upsample=2.0, trainable=True, keep_text=True)
    encoder = build_semantic_encoder(config)
    assert encoder.stride == 4 and encoder.visual.conv1.weight.requires_grad
    assert not any(p.requires_grad for p in encoder.text.parameters())
    tokens = torch.randint(1, 32, (2, 8))
    torch.testing.assert_close(encoder.text.encode_text(tokens), model.encode_text(tokens))


def test_a_bundled_encoder_is_found_by_its_name(monkeypatch, folder, model):
    name = folder.name
    assert encoder_folder(name) is None and encoder_folder("ViT-B-16") is None
    monkeypatch.setattr(open_clip_models, "BUNDLED", folder.parent)
    assert encoder_folder(name) == encoder_folder(str(folder)) == folder
    config = SemanticConfig(name)
    assert torch.equal(build_semantic_encoder(config).visual.conv1.weight, model.visual.conv1.weight)
    assert config.name == name
    with pytest.raises(ConfigError, match="carries its weights"):
        build_semantic_encoder(replace(config, pretrained="openai"))


def test_key_smoothing_reaches_the_encoder(folder):
    config = SemanticConfig(str(folder))
    plain, smooth = (build_semantic_encoder(replace(config, key_smoothing=on)) for on in (False, True))
    assert not torch.allclose(plain(photo()), smooth(photo()))


@pytest.mark.usefixtures("small_in_open_clip")
def test_a_tower_without_keys_is_refused_before_anything_is_fetched(monkeypatch):
    vision = {"timm_model_name": "resnet10t", "timm_pool": "avg", "timm_proj": "linear"}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Small", {**MODEL, "vision_cfg": vision})
    monkeypatch.setattr(open_clip, "download_pretrained", no_download)
    with pytest.raises(ConfigError, match="Key smoothing"):
        build_semantic_encoder(SemanticConfig("Small", "tagged", key_smoothing=True))


def test_text_tower_in_its_own_module(folder):
    config = {**MODEL, "custom_text": True}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    custom = open_clip.CustomTextCLIP(**MODEL).eval()
    save_file(custom.state_dict(), folder / "open_clip_model.safetensors")
    encoder = build_semantic_encoder(SemanticConfig(str(folder), keep_text=True))
    tokens = torch.randint(1, 32, (2, 8))
    torch.testing.assert_close(encoder.text.encode_text(tokens), custom.encode_text(tokens))


def test_without_weights_the_same_network_is_built(folder):
    config = SemanticConfig(str(folder))
    loaded, bare = build_semantic_encoder(config), build_semantic_encoder(config, load_weights=False)
    assert not torch.equal(loaded(photo()), bare(photo()))
    bare.load_state_dict(loaded.state_dict())
    assert torch.equal(loaded(photo()), bare(photo()))


def test_open_clip_name_without_pretrained_needs_no_network():
    encoder = build_semantic_encoder(SemanticConfig("ViT-S/32-alt"))
    assert isinstance(encoder, DenseClip) and encoder.stride == 32 and encoder.embed_dim == 256


@pytest.mark.usefixtures("small_in_open_clip")
def test_weights_of_a_tag(monkeypatch, tmp_path, model):
    path = tmp_path / "weights.safetensors"
    save_file(model.state_dict(), path)
    monkeypatch.setattr(open_clip, "download_pretrained", lambda tag: str(path))
    config = SemanticConfig("Small", "tagged")
    expected = open_clip.CLIP(**MODEL, quick_gelu=True)
    expected.load_state_dict(model.state_dict())
    open_clip.set_model_preprocess_cfg(expected, STATISTICS)
    encoder = build_semantic_encoder(config)
    assert torch.equal(encoder(photo()), DenseClip(expected)(photo()))

    monkeypatch.setattr(open_clip, "download_pretrained", no_download)  # a checkpoint carries them
    bare = build_semantic_encoder(config, load_weights=False)
    bare.load_state_dict(encoder.state_dict())
    assert torch.equal(encoder(photo()), bare(photo()))

    from_file = build_semantic_encoder(replace(config, pretrained=str(path)))
    assert torch.equal(from_file.visual.conv1.weight, model.visual.conv1.weight)


@pytest.mark.usefixtures("small_in_open_clip")
def test_no_network_says_what_to_do(monkeypatch):
    def offline(*args, **kwargs):
        raise FileNotFoundError("Failed to download file")

    monkeypatch.setattr(open_clip, "download_pretrained", offline)
    with pytest.raises(ModelNotFoundError, match=r"Small \(tagged\).*Connect to the network.*bundled"):
        build_semantic_encoder(SemanticConfig("Small", "tagged"))
    monkeypatch.setattr(open_clip.pretrained, "download_pretrained_from_hf", offline)
    with pytest.raises(ModelNotFoundError, match=r"hf-hub:org/model.*Connect to the network"):
        build_semantic_encoder(SemanticConfig("hf-hub:org/model"))


def test_model_on_the_hub(monkeypatch, folder, model):
    names = {"open_clip_config.json": "open_clip_config.json", None: "open_clip_model.safetensors"}

    def fetch(repository, filename=None):
        assert repository == "org/model"
        return str(folder / names[filename])

    monkeypatch.setattr(open_clip.pretrained, "download_pretrained_from_hf", fetch)
    encoder = build_semantic_encoder(SemanticConfig("hf-hub:org/model"))
    assert encoder.image_mean == (0.1, 0.2, 0.3)
    assert torch.equal(encoder.visual.conv1.weight, model.visual.conv1.weight)


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        (SemanticConfig("ViT-B-17"), ModelNotFoundError, "Did you mean ViT-B-16"),
        (SemanticConfig("/no/such/folder"), ModelNotFoundError, "neither a folder nor an open_clip model"),
        (SemanticConfig("ViT-B-32", "no_such_tag"), ModelNotFoundError, "laion2b_s34b_b79k"),
        (SemanticConfig("ViT-B-16-SigLIP", "webli"), ConfigError, "no dense form"),
        (SemanticConfig("coca_ViT-B-32"), ConfigError, "attentional pool"),
    ],
)
def test_names_that_cannot_be_used(config, error, message, monkeypatch):
    monkeypatch.setattr(open_clip, "download_pretrained", no_download)
    instantiate = semantic.instantiate  # big text towers are beside the point and take seconds
    monkeypatch.setattr(semantic, "instantiate", lambda source, full: instantiate(source, full=False))
    with pytest.raises(error, match=message):
        build_semantic_encoder(config)


def test_text_tower_of_transformers_is_only_needed_when_kept(monkeypatch, folder):
    config = {**MODEL, "text_cfg": {"hf_model_name": "org/text", "hf_pooler_type": "mean_pooler"}}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert build_semantic_encoder(SemanticConfig(str(folder)), load_weights=False).embed_dim == 24
    with pytest.raises(MissingDependencyError, match="transformers"):
        build_semantic_encoder(SemanticConfig(str(folder), keep_text=True), load_weights=False)


def test_damaged_folders(folder):
    config = SemanticConfig(str(folder))
    with pytest.raises(ConfigError, match="carries its weights"):
        build_semantic_encoder(replace(config, pretrained="openai"))
    weights = folder / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="open_clip_model.safetensors"):
        build_semantic_encoder(config)
    save_file({"visual.class_embedding": torch.zeros(32)}, weights)
    with pytest.raises(CheckpointError, match="visual.conv1.weight"):
        build_semantic_encoder(config)
    weights.unlink()
    with pytest.raises(ModelNotFoundError, match="must hold weights"):
        build_semantic_encoder(config)
    description = folder / "open_clip_config.json"
    wrong = {**MODEL, "vision_cfg": {**MODEL["vision_cfg"], "no_such_key": 1}}
    for text, message in [("{", "JSON"), ("[1]", "no open_clip config"), (json.dumps(wrong), "no_such_key")]:
        description.write_text(text)
        with pytest.raises(CheckpointError, match=message):
            build_semantic_encoder(config)
    description.unlink()
    with pytest.raises(ModelNotFoundError, match="open_clip_config.json"):
        build_semantic_encoder(config)
