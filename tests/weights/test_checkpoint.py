import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from sair_core.errors import CheckpointError, ConfigError, ModelNotFoundError
from sair_core.models.load import BUNDLED, find_folder, list_bundled_models, load_model
from sair_core.models.sair import Part, Sair, SairConfig
from sair_core.weights.checkpoint import replacing


@pytest.fixture
def model():
    torch.manual_seed(0)
    unet = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1], "context_blocks": 1, "heads": 2, "out_channels": 8}
    return Sair(SairConfig(Part("unet", unet), Part("liif", {"hidden": 8}), semantics="none", semantic=None))


@pytest.fixture
def folder(model, tmp_path):
    model.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_an_option_that_is_no_more_is_read_where_it_changed_nothing(model, folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "normalise": False}))
    assert load_model(folder).config == model.config
    (folder / "config.json").write_text(json.dumps({**config, "normalise": True}))
    with pytest.raises(ConfigError, match="normalise"):
        load_model(folder)


def test_save_and_load_are_exact(model, folder):
    loaded = load_model(folder)
    assert isinstance(loaded, Sair) and loaded.config == model.config and not loaded.training
    assert all(torch.equal(v, loaded.state_dict()[k]) for k, v in model.state_dict().items())
    assert json.loads((folder / "config.json").read_text())["model_type"] == "sair"
    assert (folder / "README.md").exists()


def test_half_precision_on_disk_loads_as_float32(folder):
    state = load_file(folder / "model.safetensors")
    save_file({k: v.half() for k, v in state.items()}, folder / "model.safetensors")
    assert {p.dtype for p in load_model(folder).parameters()} == {torch.float32}


def test_every_bad_key_is_listed(folder):
    state = load_file(folder / "model.safetensors")
    state["surplus"] = state.pop("air.decoder.last.bias")
    state["air.decoder.last.weight"] = torch.zeros(1, 1)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(CheckpointError) as caught:
        load_model(folder)
    message = str(caught.value)
    assert "missing air.decoder.last.bias" in message and "unexpected surplus" in message
    assert "air.decoder.last.weight is (1, 1), want (3, 8)" in message


@pytest.mark.parametrize("damage", ["config", "unknown key", "weights", "no weights", "other model"])
def test_damaged_checkpoints(folder, damage):
    config = json.loads((folder / "config.json").read_text())
    if damage == "config":
        (folder / "config.json").write_text("{")
    elif damage == "unknown key":
        (folder / "config.json").write_text(json.dumps({**config, "colour": 1}))
    elif damage == "weights":
        (folder / "model.safetensors").write_bytes(b"\x00" * 100)
    elif damage == "no weights":
        (folder / "model.safetensors").unlink()
    else:
        (folder / "config.json").write_text(json.dumps({**config, "model_type": "other"}))
    with pytest.raises((CheckpointError, ValueError)):
        load_model(folder)


def test_names_folders_and_ids(folder, tmp_path):
    assert find_folder(folder) == folder
    assert find_folder("user/name") is None
    for name in ("../typo", "./typo", "user/.."):
        with pytest.raises(ModelNotFoundError, match="There is no model"):
            find_folder(name)
    with pytest.raises(ModelNotFoundError, match="Bundled are.*sair-lite"):
        find_folder("no such model")
    with pytest.raises(ModelNotFoundError, match="no config.json"):
        find_folder(tmp_path)


def test_the_bundled_model_loads_and_is_small_enough():
    assert "sair-lite" in list_bundled_models()
    assert isinstance(load_model("sair-lite"), Sair)
    assert (BUNDLED / "sair-lite" / "model.safetensors").stat().st_size < 60e6
    assert "licen" in (BUNDLED / "sair-lite" / "README.md").read_text().lower()


def test_hub_id_without_a_network(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFoundError, match="network"):
        Sair.from_pretrained("nobody/nothing", local_files_only=True, cache_dir=tmp_path)


def test_push_goes_through_the_mixin(model, monkeypatch):
    from huggingface_hub import HfApi

    uploaded = {}
    monkeypatch.setattr(
        HfApi, "create_repo", lambda self, repo_id, **k: type("Url", (), {"repo_id": repo_id})()
    )

    def upload(self, *, repo_id, folder_path, **_):
        from pathlib import Path

        uploaded[repo_id] = sorted(p.name for p in Path(folder_path).iterdir())

    monkeypatch.setattr(HfApi, "upload_folder", upload)
    model.push_to_hub("user/name")
    assert {"config.json", "model.safetensors", "README.md"} <= set(uploaded["user/name"])


def test_replacing_keeps_the_old_file_on_failure(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]
