import pytest
import torch

from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder
from sair_core.encoders.text import TextEncoder, build_text_encoder, encode_text, find_tokenizer, prompts
from sair_core.errors import ConfigError


@pytest.fixture(scope="module")
def clip(tiny_clip_folder):
    config = SemanticConfig(str(tiny_clip_folder), keep_text=True)
    return build_semantic_encoder(config), config


def test_prompts_are_open_clips_templates_around_the_label():
    assert len(prompts("car")) == 7 and all("car" in prompt for prompt in prompts("car"))


def test_short_prompts_without_padding_give_the_same_numbers(clip):
    encoder, config = clip
    tokens = find_tokenizer(config)(["a photo of a car.", "wow! a very long label about nothing at all", "x"])
    assert tokens.shape == (3, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            encode_text(encoder.text, tokens), encoder.text.encode_text(tokens), rtol=1e-5, atol=1e-5
        )


def test_a_tower_that_sees_its_padding_is_left_to_open_clip(clip):
    class Other(torch.nn.Module):
        def encode_text(self, tokens):
            return tokens.float()

    tokens = torch.ones(2, 5, dtype=torch.long)
    assert encode_text(Other(), tokens).shape == (2, 5)


def test_labels_are_unit_vectors_averaged_over_prompts_and_remembered(clip):
    encoder, config = clip
    text = build_text_encoder(encoder, config)
    calls = []

    def counting(found):
        calls.append(len(found))
        return find_tokenizer(config)(found)

    text.tokenizer = counting
    vectors = text.embed(["car", "sky", "car"])
    assert vectors.shape == (3, 16) and torch.equal(vectors[0], vectors[2]) and calls == [14]
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(3))
    text.embed(["sky", "tree"])
    assert calls == [14, 7]
    single = encoder.text.encode_text(find_tokenizer(config)(prompts("sky"))).detach()
    mean = torch.nn.functional.normalize(single, dim=-1).mean(0)
    torch.testing.assert_close(vectors[1], mean / mean.norm(), rtol=1e-4, atol=1e-5)


def test_the_labels_asked_for_last_are_remembered(clip, monkeypatch):
    monkeypatch.setattr("sair_core.encoders.text.MAX_LABELS", 2)
    encoder, config = clip
    text = build_text_encoder(encoder, config)
    text.embed(["car", "sky"])
    assert text.embed(["car", "tree", "road"]).shape == (3, 16)
    assert list(text._vectors) == ["tree", "road"]


def test_an_encoder_without_its_text_tower_says_so(tiny_clip_folder):
    config = SemanticConfig(str(tiny_clip_folder))
    with pytest.raises(ConfigError, match="keep_text"):
        build_text_encoder(build_semantic_encoder(config), config)


def test_two_models_do_not_share_what_they_remember(clip):
    encoder, config = clip
    assert TextEncoder(encoder.text, None)._vectors is not TextEncoder(encoder.text, None)._vectors
