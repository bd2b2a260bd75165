import io

import numpy as np
import pytest
from PIL import Image

from sair_core.errors import LabelError
from sair_core.semantics.map import SemanticMap, palette


@pytest.fixture
def found():
    ids = np.zeros((20, 30), np.uint8)
    ids[:, 10:] = 2
    ids[8, 20] = 0  # a pinhole
    confidence = np.full((20, 30), 0.9, np.float32)
    confidence[:, 25:] = 0.3
    return SemanticMap(("sky", "car", "road"), ids, confidence, np.ones((2, 3, 4), np.float16))


def test_shares_are_largest_first_and_add_up(found):
    assert list(found.shares) == ["road", "sky", "car"]
    assert found.shares["road"] == pytest.approx(399 / 600) and sum(found.shares.values()) == pytest.approx(1)


def test_a_mask_by_words_closes_pinholes_and_keeps_borders(found):
    mask = found.mask(["road"])
    assert mask[8, 20] and mask[:, 10:].all() and not mask[:, :10].any()
    assert found.mask(["sky", "road"]).all() and not found.mask(["car"]).any()
    assert not found.mask(["road"], min_confidence=0.5)[:, 26:].any()
    with pytest.raises(LabelError, match="'boat' is not among"):
        found.mask(["boat"])


def test_the_png_holds_ids_colours_and_labels(found):
    image = Image.open(io.BytesIO(found.png()))
    np.testing.assert_array_equal(np.asarray(image), found.ids)
    assert image.mode == "P" and image.text["labels"].split("\n") == ["sky", "car", "road"]
    np.testing.assert_array_equal(np.asarray(image.convert("RGB"))[0, 29], palette(3)[2])


def test_the_raw_embedding_is_a_numpy_file(found):
    array = np.load(io.BytesIO(found.npy()))
    assert array.dtype == np.float16 and array.shape == (2, 3, 4)


def test_overlay_goes_from_photo_to_map(found):
    photo = np.full((20, 30, 3), 100, np.uint8)
    np.testing.assert_array_equal(found.overlay(photo, 0.0), photo)
    np.testing.assert_array_equal(found.overlay(photo, 1.0), palette(3)[found.ids])


def test_colours_differ_and_do_not_depend_on_how_many_there_are():
    colours = palette(24).astype(int)
    distance = np.abs(colours[:, None] - colours[None]).sum(-1) + 1000 * np.eye(24, dtype=int)
    assert distance.min() > 24
    np.testing.assert_array_equal(palette(5), colours[:5])
