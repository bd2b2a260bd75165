"""The bundled sair-lite itself: it listens to words, and shows more than interpolation does."""

import numpy as np
import pytest
from PIL import Image

from sair_core.evaluation.guided import NO_WORDS, measure
from sair_core.evaluation.metrics import psnr
from sair_core.photos.photo import load_photo
from sair_core.pipeline import InpaintPipeline
from tests.conftest import FIXTURES


@pytest.fixture(scope="module")
def house() -> Image.Image:
    """A house under an evening sky, 384 x 216 px, never seen in training."""
    return Image.open(FIXTURES / "house.jpg").convert("RGB")


def test_a_fill_moves_toward_each_word(pipe, house):
    hole = np.zeros((216, 384), bool)
    hole[110:190, 40:150] = True
    words = ("sky", "road")  # which the photo shows elsewhere
    natural = InpaintPipeline(pipe.model, device="cpu")
    table = measure(natural, [(load_photo(house), hole)], words)
    for word in words:
        assert table[word][word] > table[NO_WORDS][word] + 0.03, table


def test_what_the_hole_hides_is_completed(pipe, house):
    """A hole in the sky is sky, and one in the wall is no sky."""
    hole = np.zeros((216, 384), bool)
    hole[20:70, 150:260] = True
    found = pipe.semantics(house, "sky, road, building, tree, water, car", hole)
    assert (found.ids[hole] == found.labels.index("sky")).mean() > 0.9


def test_an_enlarged_view_is_nearer_to_the_photo_than_bicubic(pipe, house):
    small = house.resize((192, 108), Image.Resampling.BICUBIC)
    view = pipe.view(small, scale=2.0, size_px=(216, 384))
    bicubic = small.resize((384, 216), Image.Resampling.BICUBIC)
    true = np.asarray(house)
    assert psnr(np.asarray(view), true) > psnr(np.asarray(bicubic), true)
