import open_clip
import torch
import torch.nn.functional as F

from sair_core.training.align import words
from sair_core.training.align.task import model_config
from sair_core.training.align.words import Projection, TextSamples, gather_phrases, move_names


class FewTokens:
    """open_clip's tokenizer, with a vocabulary of a few words."""

    encoder = {f"{word}</w>": i for i, word in enumerate(("tree", "river", "freedom", "of", "stone"))}

    def __init__(self):
        self.tokenizer = open_clip.SimpleTokenizer(context_length=32)

    def __call__(self, texts):
        return self.tokenizer(texts)


def test_phrases_are_names_everyday_words_and_seeded_captions():
    phrases = gather_phrases(["Sky", "horse"], ["sky", "freedom"], seed=1)
    assert phrases.names[:2] == ("sky", "horse") and phrases.everyday == ("freedom",)
    assert {"zebra", "goldfish", "sidewalk"} <= set(phrases.names)
    assert phrases == gather_phrases(["Sky", "horse"], ["sky", "freedom"], seed=1)
    assert phrases.captions != gather_phrases(["Sky", "horse"], ["sky", "freedom"], seed=2).captions


def test_the_space_is_centred_and_keeps_who_is_near_whom():
    torch.manual_seed(0)
    common = torch.randn(24) * 3
    vectors = torch.nn.functional.normalize(common + torch.randn(200, 24), dim=-1)
    project = Projection(vectors, 16)
    found = project(vectors)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(200))
    between = (found @ found.T)[~torch.eye(200, dtype=bool)]
    assert (vectors @ vectors.T).mean() > 0.8 and abs(between.mean()) < 0.05
    near = vectors[0] + 0.02 * torch.randn(24)
    assert (project(near[None]) @ found.T).argmax() == 0


def test_a_template_does_not_change_what_a_name_should_mean():
    phrases = gather_phrases(["horse"], [f"word{i}" for i in range(50)], seed=0)
    seen = []
    samples = TextSamples(phrases, lambda texts: seen.extend(texts) or texts, batch=400, seed=0)
    _, places = samples(3)
    for text, place in zip(seen, places.tolist()):
        assert samples.targets[place] in text
    assert any(text != samples.targets[p] for text, p in zip(seen, places.tolist()))
    assert torch.equal(places, samples(3)[1]) and not torch.equal(places, samples(4)[1])
    names = (places < len(phrases.names)).float().mean()
    assert 0.4 < names < 0.8


def test_names_move_and_other_phrases_stay(tiny_align, monkeypatch):
    monkeypatch.setattr(words, "CAPTIONS", 20)
    monkeypatch.setattr(words, "scene_words", lambda: ("sky", "wall"))
    monkeypatch.setattr(words, "imagenet_words", lambda: ("tench", "goldfish"))
    config = tiny_align(text_steps=800, text_batch=32, text_learning_rate=0.02)
    torch.manual_seed(0)
    text = open_clip.CLIP(**model_config(config)["model_cfg"])
    tokenizer, phrases = FewTokens(), ["tench", "goldfish", "sky", "river"]
    before = F.normalize(words._encode_words(text, tokenizer, phrases), dim=-1)
    targets = {name: F.normalize(torch.randn(16), dim=-1) for name in phrases[:2]}
    figures = move_names(text, tokenizer, targets, ["lamp post"], config)
    after = words._encode_words(text, tokenizer, phrases)
    wanted = torch.stack([*targets.values(), *before[2:]])
    assert (F.cosine_similarity(after, wanted) > 0.9).all()
    assert figures["moved_names"] > 0.9 and figures["kept_phrases"] > 0.9
