"""Inpainting models of others as engines, with an untrained LaMa that spandrel itself builds."""

from __future__ import annotations

import importlib.util
import pickle
import socket
import struct
import time

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import load_file, save_file

from sair_core.errors import (
    CheckpointError,
    ConfigError,
    LabelError,
    MissingDependencyError,
    ModelNotFoundError,
    NotFiniteError,
)
from sair_core.filling.engines import ENGINES, digest_engine, load_engine, match_engine, name_engine
from sair_core.filling.fill import is_reduced
from sair_core.models.inpainter import Inpainter, load_inpainter
from sair_core.models.sair import Sair
from sair_core.models.spn import Spn
from sair_core.pipeline import InpaintPipeline
from sair_core.weights import inpainters
from sair_core.weights.inpainters import find_inpainter


def photo(height: int = 60, width: int = 80, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    most = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, most, (height, width, channels), dtype, endpoint=True)


def block(size_px: tuple[int, int], rows: slice, columns: slice) -> np.ndarray:
    hole = np.zeros(size_px, bool)
    hole[rows, columns] = True
    return hole


@pytest.mark.parametrize(
    "hole",
    [
        block((60, 80), slice(20, 40), slice(30, 50)),
        block((60, 80), slice(0, 9), slice(0, 9)),
        block((60, 80), slice(30, 31), slice(40, 41)),
        block((60, 80), slice(0, 60), slice(0, 79)),
    ],
    ids=["inside", "corner", "one pixel", "all but a column"],
)
def test_the_hole_is_filled_and_the_rest_is_the_photo(lama_pipe, hole):
    rgb = photo()
    result = lama_pipe.fill(rgb, hole, texture=False)
    np.testing.assert_array_equal(result.photo.rgb[~hole], rgb[~hole])
    assert (result.photo.rgb[hole] != rgb[hole]).any()
    again = lama_pipe.fill(rgb, hole, texture=False)
    np.testing.assert_array_equal(again.photo.rgb, result.photo.rgb)


def test_it_paints_what_the_architecture_says(lama_file):
    """Without the correction of seams, at a size that needs no padding, the colours are those of spandrel."""
    import spandrel

    rgb, hole = photo(64, 64), block((64, 64), slice(20, 40), slice(24, 44))
    pipe = InpaintPipeline(load_inpainter(lama_file), device="cpu", remove_seams=False)
    found = pipe.fill(rgb, hole, texture=False).photo.rgb
    rgb01 = torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255
    hole01 = torch.from_numpy(hole)[None, None].float()
    network = spandrel.ModelLoader().load_from_state_dict(load_file(lama_file)).eval()
    with torch.inference_mode():
        wanted = network(rgb01 * (1 - hole01), hole01)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(found[hole].astype(float) - wanted[hole]).max() <= 1


@pytest.mark.parametrize("mode", ["I;16", "LA", "RGBA", "L"])
def test_depth_and_channels_are_the_photos_own(lama_pipe, tmp_path, mode):
    values = photo(60, 80, 1, np.uint16)[..., 0]
    if mode == "I;16":
        image = Image.fromarray(values)
    else:
        image = Image.fromarray(photo(60, 80, 4), "RGBA")
        image.putalpha(255)
        image = image.convert(mode)
    path, hole = tmp_path / "photo.png", block((60, 80), slice(20, 40), slice(30, 50))
    image.save(path)
    result = lama_pipe.fill(path, hole, texture=False)
    before, after = np.asarray(Image.open(path)), np.asarray(result.image)
    assert after.dtype == before.dtype and result.image.mode == image.mode
    np.testing.assert_array_equal(after[~hole], before[~hole])
    assert (after[hole] != before[hole]).any()


@pytest.mark.parametrize("most_px, textured", [(192, False), (16, True)])
def test_a_hole_too_thick_for_it_is_painted_reduced_and_gets_texture(
    lama_pipe, bird, monkeypatch, most_px, textured
):
    monkeypatch.setattr("sair_core.filling.fill.MAX_HOLE_WORK_PX", most_px)
    rgb = np.asarray(bird)[:160, :160]
    hole = block((160, 160), slice(60, 100), slice(60, 100))
    assert is_reduced(hole) == textured
    found = lama_pipe.fill(rgb, hole).photo.rgb
    np.testing.assert_array_equal(found, lama_pipe.fill(rgb, hole, texture=textured).photo.rgb)
    assert (found != lama_pipe.fill(rgb, hole, texture=not textured).photo.rgb).any()


def test_who_says_where_texture_comes_from_gets_some(lama_pipe, bird):
    rgb, hole = np.asarray(bird)[:160, :160], block((160, 160), slice(60, 80), slice(60, 80))
    source = block((160, 160), slice(100, 160), slice(0, 160))
    found = lama_pipe.fill(rgb, hole, source=source).photo.rgb
    np.testing.assert_array_equal(found, lama_pipe.fill(rgb, hole, source=source, texture=True).photo.rgb)


def test_it_guides_texture_from_the_photo(lama_pipe):
    rgb = np.repeat(np.repeat(photo(12, 16), 5, axis=0), 5, axis=1)
    hole = block((60, 80), slice(20, 34), slice(30, 44))
    painted = lama_pipe.fill(rgb, hole, texture=False).photo.rgb
    textured = lama_pipe.fill(rgb, hole, texture=True)
    np.testing.assert_array_equal(textured.photo.rgb[~hole], rgb[~hole])
    assert (textured.photo.rgb[hole] != painted[hole]).any() and not textured.note
    one, two = lama_pipe.variations(rgb, hole, 2, texture=True)
    assert (one.photo.rgb != two.photo.rgb).any()


def test_words_and_several_fills_need_texture(lama_pipe):
    hole = block((60, 80), slice(20, 34), slice(30, 44))
    with pytest.raises(LabelError, match="cannot be told to fill with 'grass'"):
        lama_pipe.fill(photo(), hole, words="grass", texture=False)
    with pytest.raises(ConfigError, match="one fill for a hole"):
        lama_pipe.variations(photo(), hole, 2)
    with pytest.raises(ConfigError, match="Only an SPN predicts priors"):
        lama_pipe.priors(photo(), hole)


def test_engines_have_names_in_any_case():
    assert [match_engine(name.upper()) for name in ENGINES] == list(ENGINES)
    assert match_engine("lama") is None
    assert name_engine("natural") == "Natural" and name_engine("models/big-lama.safetensors") == "big-lama"
    assert name_engine("user/name") == "name" and name_engine("smooth.pth") == "smooth (model)"


def test_the_engines_of_our_own():
    model, texture = load_engine("Smooth")
    assert isinstance(model, Sair) and texture is False
    model, texture = load_engine("painted")
    assert isinstance(model, Spn) and texture is False
    assert load_engine("natural", "spn-lite")[1] is True
    with pytest.raises(ConfigError, match="sair-lite is none") as caught:
        load_engine("painted", str(inpainters.Path("assets/models/sair-lite")))
    assert "Leave the model out" in str(caught.value)


def test_a_digest_is_of_what_fills(lama_file, tmp_path):
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, other)
    assert digest_engine(str(lama_file)) != digest_engine(str(other))
    assert digest_engine("natural") == digest_engine("smooth") != digest_engine("painted")


@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".PT"])
def test_a_pickle_of_weights_alone_is_read(lama_file, tmp_path, suffix):
    path = tmp_path / f"lama{suffix}"
    state = {f"generator.{key[6:]}": value for key, value in load_file(lama_file).items()}
    torch.save({"state_dict": {**state, "discriminator.weight": torch.zeros(1)}}, path)
    found = load_inpainter(path).state_dict()
    wanted = load_inpainter(lama_file).state_dict()
    assert found.keys() == wanted.keys() and all(torch.equal(found[key], wanted[key]) for key in wanted)


class Code:
    def __reduce__(self):
        return (run_code, ())


def run_code() -> None:
    raise AssertionError("code of the file has run")


def other_architecture(path):
    from spandrel.architectures.Compact import Compact

    save_file(Compact(num_feat=8, num_conv=2, upscale=4).state_dict(), path)


def one_tensor(path, lama):
    save_file({"a": torch.zeros(1)}, path)


def torch_script(path, lama):
    torch.jit.script(torch.nn.ReLU()).save(str(path))


def huge_header(path):
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}")


def wrong_numbers(path, lama):
    state = load_file(lama)
    state["model.model.1.ffc.convl2l.weight"][0, 0, 0, 0] = float("nan")
    save_file(state, path)


def half(path, lama):
    path.write_bytes(lama.read_bytes()[:100_000])


def without_a_layer(path, lama):
    state = load_file(lama)
    del state["model.model.2.bn_l.weight"]
    save_file(state, path)


def four_channels(path, lama):
    state = load_file(lama)
    key = "model.model.1.ffc.convl2l.weight"
    state[key] = torch.cat([state[key], state[key][:, :1]], dim=1)
    save_file(state, path)


@pytest.mark.parametrize(
    ("name", "write", "kind", "message"),
    [
        ("a.safetensors", lambda path, _: path.write_bytes(b"no model"), CheckpointError, "cannot be read"),
        ("a.safetensors", lambda path, _: path.write_bytes(b""), CheckpointError, "cannot be read"),
        ("a.safetensors", lambda path, _: huge_header(path), CheckpointError, "cannot be read"),
        ("a.safetensors", half, CheckpointError, "cannot be read"),
        ("a.pth", lambda path, _: path.write_bytes(b""), CheckpointError, "cannot be read"),
        ("a.jpg", lambda path, _: path.write_bytes(b"x"), CheckpointError, "no file of a model"),
        ("a.safetensors", one_tensor, CheckpointError, "no model of an architecture"),
        ("a.safetensors", lambda path, _: other_architecture(path), CheckpointError, "enlarges 4 times"),
        ("a.safetensors", without_a_layer, CheckpointError, "is not whole"),
        ("a.safetensors", four_channels, CheckpointError, "from 4 to 3 channels"),
        ("a.safetensors", wrong_numbers, NotFiniteError, "no numbers"),
        ("a.pth", lambda path, _: torch.save([torch.zeros(1)], path), CheckpointError, "no weights by name"),
        ("a.pth", lambda path, _: torch.save({"a": 1, "b": 2}, path), CheckpointError, "no tensor"),
        ("a.pth", lambda path, _: path.write_bytes(pickle.dumps(Code())), CheckpointError, "could be code"),
        ("a.pth", lambda path, _: torch.save({"a": Code()}, path), CheckpointError, "could be code"),
        ("a.pt", torch_script, CheckpointError, "TorchScript"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_inpainting_model_is_refused(tmp_path, lama_file, name, write, kind, message):
    path = tmp_path / name
    write(path, lama_file)
    with pytest.raises(kind, match=message) as caught:
        InpaintPipeline.from_pretrained(engine=str(path))
    assert str(path) in str(caught.value) and ("Give" in str(caught.value) or "etch" in str(caught.value))


def test_without_the_package_the_message_names_the_extra(lama_file, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "spandrel" else real(name, *more)
    )
    for engine in (str(lama_file), "lama"):
        with pytest.raises(MissingDependencyError, match=r"pip install 'sair-studio\[engines\]'"):
            InpaintPipeline.from_pretrained(engine=engine)


@pytest.mark.parametrize("name", ["nothing.safetensors", "folder/nothing.pth", "magic", "", "../x", "."])
def test_a_name_of_nothing_is_refused(name):
    with pytest.raises(ModelNotFoundError, match="There is no"):
        find_inpainter(name)


@pytest.mark.parametrize("name", ["lama", "somebody/some-model", "somebody/some-model/file.safetensors"])
def test_without_a_network_it_fails_soon_and_says_what_to_do(monkeypatch, tmp_path, name):
    """The hub listens and never answers: the slowest way to be offline."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(ModelNotFoundError, match="Check the name and the network, or") as caught:
            find_inpainter(name)
    assert time.monotonic() - started < 3
    assert "give its file" in str(caught.value)


def fake_hub(monkeypatch, tmp_path, names: list[str]) -> list[tuple[str, str]]:
    fetched = []

    def download(repository: str, file: str) -> str:
        fetched.append((repository, file))
        return str(tmp_path / file)

    class Api:
        def list_repo_files(self, repository: str) -> list[str]:
            return names

    monkeypatch.setattr(inpainters, "HfApi", Api)
    monkeypatch.setattr(inpainters, "hf_hub_download", download)
    return fetched


def test_a_repository_gives_its_safest_file(monkeypatch, tmp_path):
    fetched = fake_hub(monkeypatch, tmp_path, ["README.md", "old.pth", "more.pth", "model.safetensors"])
    assert find_inpainter("user/name") == tmp_path / "model.safetensors"
    find_inpainter("user/name/more.pth")
    find_inpainter("LaMa")
    assert fetched == [
        ("user/name", "model.safetensors"),
        ("user/name", "more.pth"),
        ("anyisalin/big-lama", "big-lama.safetensors"),
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [(["a.pth", "b.pth"], "user/name/a.pth, user/name/b.pth"), (["README.md"], "holds no file")],
)
def test_a_repository_that_is_not_clear_is_refused(monkeypatch, tmp_path, names, message):
    fake_hub(monkeypatch, tmp_path, names)
    with pytest.raises(ModelNotFoundError, match=message):
        find_inpainter("user/name")


def test_an_inpainter_refuses_other_shapes(lama_file):
    model = load_inpainter(lama_file)
    assert isinstance(model, Inpainter)
    with pytest.raises(ValueError, match="want rgb01"):
        model(torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32))
