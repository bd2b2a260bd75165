"""Figures of photos named by hand-made readers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sair_core.evaluation.naming import THINGS, draw_names, measure_naming, rank_by_share, thing_of
from sair_core.semantics.words import EVERYTHING_ELSE, imagenet_words

WORDS = ["bird", "tulip"]


class Words:
    """A vector of its own for each word."""

    def embed(self, labels):
        rows = [torch.randn(32, generator=torch.Generator().manual_seed(hash_of(w))) for w in labels]
        return torch.nn.functional.normalize(torch.stack(rows), dim=-1)


class Reader:
    """Sees in every photo the word that its red value stands for, over its left three quarters."""

    text = Words()

    def __init__(self, words, refused=()):
        self.words, self.refused = words, refused

    def find_unknown(self, words):
        return [word for word in words if word in self.refused]

    def read(self, rgb):
        word = self.words[int(rgb[0, 0, 0]) // 100]
        return SimpleNamespace(word=word, vectors=self.text.embed([word])[0].view(-1, 1, 1).expand(-1, 4, 4))

    def name(self, embedding, labels):
        assert not self.find_unknown(labels)
        fallback = EVERYTHING_ELSE if EVERYTHING_ELSE in labels else labels[-1]
        found = embedding.word if embedding.word in labels else fallback
        ids = np.full((4, 4), labels.index(found), np.uint8)
        ids[:, 3] = len(labels) - 1
        return SimpleNamespace(ids=ids, mask=lambda words: np.isin(ids, [labels.index(w) for w in words]))


def hash_of(word: str) -> int:
    return sum(ord(letter) * 31**i for i, letter in enumerate(word)) % 2**31


def test_photos_are_counted_by_what_their_names_say(tmp_path):
    for name, red in (("opennature_a", 0), ("flowers_tulips_1", 100), ("houses_1", 0)):
        Image.new("RGB", (16, 16), (red, 0, 0)).save(tmp_path / f"{name}.png")
    right = measure_naming(Reader(WORDS), tmp_path)
    assert set(right) == {"things, by mean", "things, by share"}
    assert right["things, by mean"].first[1] == right["things, by share"].first[1] == 1
    assert right["things, by share"].photos == 2
    assert (right["things, by share"].selected, right["things, by share"].false) == (1, 0)
    wrong = measure_naming(Reader(WORDS[::-1]), tmp_path)
    assert wrong["things, by mean"].first[1] == wrong["things, by share"].first[1] == 0
    # Each of the two photos selects the other's word, of nineteen that are not true of it.
    assert wrong["things, by share"].selected == 0
    assert wrong["things, by share"].false == pytest.approx(1 / 19)


def test_a_thing_whose_word_is_refused_is_not_found(tmp_path):
    for name, red in (("opennature_a", 0), ("flowers_tulips_1", 100)):
        Image.new("RGB", (16, 16), (red, 0, 0)).save(tmp_path / f"{name}.png")
    found = measure_naming(Reader(WORDS, refused=["tulip"]), tmp_path)["things, by share"]
    assert (found.first[1], found.first[5], found.selected, found.false) == (0.5, 0.5, 0.5, 0)


def test_photos_of_imagenet_are_named_among_all_its_names(tmp_path):
    for name, red in (("n01534433_junco", 0), ("n04465501_tractor", 100)):
        Image.new("RGB", (16, 16), (red, 0, 0)).save(tmp_path / f"{name}.png")
    found = measure_naming(Reader(["junco", "lobster"]), tmp_path)
    assert found["zero-shot, 1000 names"].first[1] == 0.5
    assert found["twenty-way, by share"].photos == 2


def test_the_other_names_are_drawn_by_seed_and_differ():
    shown = list(range(40))
    names = draw_names(7, shown, seed=0)
    assert names[0] == imagenet_words()[7] and len(set(names)) == 20
    assert names == draw_names(7, shown, seed=0) != draw_names(7, shown, seed=1)


def test_a_name_without_any_share_comes_last():
    reader = Reader(["a"])
    labels = ["a", "b", "c"]
    assert rank_by_share(reader, reader.read(np.zeros((2, 2, 3), np.uint8)), labels, 0) == 0
    assert rank_by_share(reader, reader.read(np.zeros((2, 2, 3), np.uint8)), labels, 1) == 2


def test_there_are_twenty_things_and_file_names_tell_them():
    assert len(THINGS) == 20
    assert thing_of("imagenetsample_n01534433_junco") == "bird" and thing_of("houses_3") is None
