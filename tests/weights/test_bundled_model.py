"""The bundled sair-lite itself: it is what its card says, listens to words, shows more than interpolation."""

import numpy as np
import pytest
from PIL import Image

from sair_core.evaluation.guided import NO_WORDS, measure
from sair_core.evaluation.metrics import psnr
from sair_core.models.presets import preset
from sair_core.photos.photo import load_photo
from sair_core.pipeline import InpaintPipeline
from tests.conftest import FIXTURES


@pytest.fixture(scope="module")
def house() -> Image.Image:
    """A house under an evening sky, 384 x 216 px, never seen in training."""
    return Image.open(FIXTURES / "house.jpg").convert("RGB")


def test_it_has_its_preset_s_form(pipe):
    """So that a training from nothing makes what the card describes."""
    assert pipe.model.config == preset("lite-trunk")


def test_a_fill_moves_toward_a_word(pipe, house):
    """As the encoder sees it, and in its colours: a block of sky on a lawn is none to the encoder."""
    hole = np.zeros((216, 384), bool)
    hole[110:190, 40:150] = True
    natural = InpaintPipeline(pipe.model, device="cpu")
    table = measure(natural, [(load_photo(house), hole)], ["road"]).cosines
    assert table["road"]["road"] > table[NO_WORDS]["road"] + 0.03, table
    found = natural.semantics(house, "sky, road, building, tree")
    sky = np.asarray(house)[(found.ids == found.labels.index("sky")) & ~hole].mean(axis=0)

    def distance(**options: str) -> float:
        return np.abs(np.asarray(natural.fill(house, hole, **options).image)[hole].mean(axis=0) - sky).mean()

    assert distance(words="sky") < 0.6 * distance()


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
