import torch

from sair_core.training.align.words import Projection, TextSamples, gather_phrases


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
