"""The bundled spn-lite itself: its fills differ by seed, keep what is known, and are no blur."""

import numpy as np
import pytest
from PIL import Image

from sair_core.evaluation.metrics import gradient, l1_inside
from sair_core.pipeline import InpaintPipeline
from tests.conftest import FIXTURES

SEEDS = 5


@pytest.fixture(scope="module")
def house() -> np.ndarray:
    """A house under an evening sky, 384 x 216 px, never seen in training."""
    return np.asarray(Image.open(FIXTURES / "house.jpg").convert("RGB"))


@pytest.fixture(scope="module")
def hole() -> np.ndarray:
    hole = np.zeros((216, 384), bool)
    hole[100:180, 60:160] = True
    return hole


@pytest.fixture(scope="module")
def fills(house, hole) -> list[np.ndarray]:
    spn = InpaintPipeline.from_pretrained("spn-lite", device="cpu")
    results = spn.fill(house, hole, variations=SEEDS)
    assert [one.seed for one in results] == list(range(SEEDS))
    again = spn.fill(house, hole, seed=3)
    assert np.array_equal(np.asarray(again.image), np.asarray(results[3].image))  # a seed is a fill
    return [np.asarray(one.image) for one in results]


def test_five_seeds_differ_visibly_and_only_in_the_hole(fills, house, hole):
    distances = []
    for i, a in enumerate(fills):
        assert np.array_equal(a[~hole], house[~hole])
        distances += [l1_inside(a, b, hole) for b in fills[:i]]
    assert np.mean(distances) > 0.02


def test_its_fills_are_sharper_than_the_faithful_ones(fills, house, hole, pipe):
    faithful = np.asarray(pipe.fill(house, hole).image)
    true, soft, *ours = (gradient(picture, hole) for picture in (house, faithful, *fills))
    assert abs(np.mean(ours) - true) < abs(soft - true)
