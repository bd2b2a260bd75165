import pytest

from app.serving.loading import ENCODER_NAME, load_reader
from sair_core.errors import ModelNotFoundError


@pytest.mark.parametrize("name", ["ViT-B-16 openai", "ViT-B/16 laion2b_s34b_b88k", "hf-hub:org/CLIP-v1.2"])
def test_names_of_encoders(name):
    assert ENCODER_NAME.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["", "ViT-B-16", "/etc x", "../a b", "a ../b", "a/b c", "hf-hub:../..", "a b c"]
)
def test_no_path_passes_for_an_encoder(name):
    with pytest.raises(ModelNotFoundError, match="names no encoder"):
        load_reader(name, "cpu")


def test_an_unknown_encoder_is_refused_before_anything_is_fetched():
    with pytest.raises(ModelNotFoundError, match="no weights 'nobody' for 'ViT-B-16'"):
        load_reader("ViT-B-16 nobody", "cpu")


def test_a_host_fetches_no_encoders(monkeypatch):
    monkeypatch.setenv("SAIR_HOSTED", "1")
    with pytest.raises(ModelNotFoundError, match="not fetched on this host"):
        load_reader("RN50 openai", "cpu")
