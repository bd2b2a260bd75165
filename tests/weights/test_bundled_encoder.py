"""The bundled encoder itself: sizes, names, and words that it was not shown."""

import numpy as np
import pytest
from PIL import Image

from sair_core.weights.bundled import BUNDLED, BUNDLED_ENCODER
from tests.conftest import FIXTURES

LABELS = "sky, road, building, tree, water, car"
# Places (x, y) in px of what anybody would call them.
PLACES = {"sky": (200, 40), "road": (150, 205), "building": (280, 155), "tree": (85, 130)}


@pytest.fixture(scope="module")
def house() -> Image.Image:
    """A house under an evening sky, 384 x 216 px, never seen by the encoder."""
    return Image.open(FIXTURES / "house.jpg").convert("RGB")


def test_it_takes_no_more_room_than_promised():
    files = list((BUNDLED / BUNDLED_ENCODER).iterdir())
    assert sum(f.stat().st_size for f in files) < 50e6
    assert {"open_clip_config.json", "open_clip_model.safetensors", "README.md"} <= {f.name for f in files}


def test_open_clip_itself_loads_it():
    import open_clip

    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{BUNDLED / BUNDLED_ENCODER}")
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(16.5e6, rel=0.01)


def test_sky_road_building_and_tree_are_named_right(pipe, house):
    found = pipe.semantics(house, LABELS)
    named = {word: found.labels[found.ids[y, x]] for word, (x, y) in PLACES.items()}
    assert named == {word: word for word in PLACES}
    assert found.shares["sky"] > 0.4 and found.shares["water"] < 0.02


def test_synonyms_and_words_never_shown_lie_near(pipe, house):
    found = pipe.semantics(house, "heavens, house, forest, street")
    assert found.labels[found.ids[155, 280]] == "house"
    assert found.labels[found.ids[130, 85]] == "forest"
    assert found.labels[found.ids[205, 150]] == "street"


def test_a_mask_by_words(pipe, house):
    mask = np.asarray(pipe.mask_from_words(house, "sky")) > 0
    assert mask[:60].mean() > 0.5 and mask[120:].mean() < 0.1
    assert not np.asarray(pipe.mask_from_words(house, "giraffe")).any()


def test_the_map_at_another_scale(pipe, house):
    from sair_core.window import Window

    whole = pipe.semantics(house, LABELS)
    near = pipe.semantics(house, LABELS, window=Window.box(100, 200, 60, 100, 4.0))
    assert near.ids.shape == (240, 400)
    assert (near.ids[2::4, 2::4] == whole.ids[100:160, 200:300]).mean() > 0.97
