import numpy as np
import pytest
import torch

from sair_core.photos.folders import read_classes
from sair_core.training.align.data import (
    AlignSamples,
    class_weights,
    load_labelled,
    load_named,
    photo_weights,
    recolour,
)
from sair_core.training.data.photos import TrainPhoto


@pytest.fixture
def photos(labelled_folder):
    return load_labelled([labelled_folder], read_classes(labelled_folder))


def test_a_map_that_does_not_fit_is_skipped_and_named(photos, caplog):
    assert len(photos) == 9 and [p.partial for p in photos].count(True) == 1


def test_photos_without_a_word_are_left_out(named_folder):
    assert sorted(p.word for p in load_named([named_folder])) == ["bird", "dungeness crab"]
    assert load_named([]) == []


def test_rare_classes_come_more_often_and_partial_sources_less(photos):
    weights = photo_weights(photos, 2)
    assert weights.sum() == pytest.approx(1)
    partial = [p.partial for p in photos].index(True)
    assert weights[partial] == pytest.approx(weights[partial - 1] / 2)
    rare = TrainPhoto(photos[0].rgb, np.full((96, 128), 2, np.uint8))
    weights = photo_weights([*photos * 4, rare], 3)
    assert weights[-1] > 1.5 * weights[0]


def test_class_weights_grow_as_classes_get_rarer(photos):
    few = TrainPhoto(photos[0].rgb, np.full((3, 3), 2, np.uint8))
    weights = class_weights([*photos, few], 3)
    assert weights[2] > 1.4 * weights[0] and weights.max() <= 3


@pytest.fixture
def samples(photos, named_folder):
    words = ("stone", "bird", "dungeness crab")
    return AlignSamples(photos, load_named([named_folder]), words, 2, size_px=64, enlarge=(1.0, 2.0), batch=3,
                        named_batch=1, seed=0)  # fmt: skip


def test_labels_stay_with_their_pixels(samples):
    for i in range(12):
        item = {name: values[0] for name, values in samples[i].items()}
        assert item["rgb01"].shape == (3, 64, 64) and item["ids"].shape == (16, 16)
        if i % 4 == 3:
            assert (item["ids"] == 255).all() and item["word"] in (1, 2)
            continue
        assert item["word"] == -1
        small = torch.nn.functional.avg_pool2d(item["rgb01"], 4)
        sky, grass = item["ids"] == 0, item["ids"] == 1
        if small.std(dim=0).mean() < 0.02:
            continue  # turned grey
        assert (small[2] > small[1])[sky].float().mean() > 0.9 if sky.any() else True
        assert (small[1] > small[2])[grass].float().mean() > 0.9 if grass.any() else True


def test_a_sample_depends_on_its_number_only(samples):
    first, again = samples[5], samples[5]
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not torch.equal(first["rgb01"], samples[9]["rgb01"])


def test_recolouring_stays_in_range_and_keeps_the_shape():
    rgb = torch.rand(3, 8, 9)
    for i in range(20):
        out = recolour(np.random.default_rng(i), rgb)
        assert out.shape == rgb.shape and out.min() >= 0 and out.max() <= 1
