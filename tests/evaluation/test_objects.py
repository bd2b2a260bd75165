import numpy as np
import pytest

from sair_core.evaluation.objects import GROW_PX, class_outlines, object_outlines, read_labels, thing_ids
from sair_core.photos.folders import Classes

CLASSES = Classes(
    ("sky", "cow", "car", "pavement", "bag"), ((), ("cattle",), (), ("sidewalk",), ("handbag",))
)


def some_ids() -> np.ndarray:
    """100 x 100: two cows, a speck of a cow, a car over half of the photo, pavement below."""
    ids = np.zeros((100, 100), np.uint8)
    ids[5:25, 5:25] = ids[40:52, 8:20] = ids[30:33, 30:33] = 1
    ids[10:70, 30:100] = 2
    ids[80:] = 3
    ids[:, 99] = 255  # void
    return ids


def test_objects_are_countable_things_by_name_or_synonym():
    assert thing_ids(CLASSES) == [1, 2, 4]


def test_every_object_of_sensible_size_has_an_outline_grown_by_a_few_pixels():
    first, second = object_outlines(some_ids(), CLASSES)
    assert first.label == second.label == "cow"
    rows, columns = np.nonzero(first.mask)
    assert (rows.min(), rows.max()) == (5 - GROW_PX, 24 + GROW_PX)
    assert (columns.min(), columns.max()) == (5 - GROW_PX, 24 + GROW_PX)
    assert not first.mask[5 - GROW_PX, 5 - GROW_PX]  # round at the corners
    assert first.mask[5:25, 5:25].all() and second.mask[40:52, 8:20].all() and not second.mask[20, 10]


def test_all_objects_of_a_class_go_at_once():
    (cows,) = class_outlines(some_ids(), CLASSES)
    assert cows.label == "cow" and cows.mask[some_ids() == 1].all()
    assert not (cows.mask & (some_ids() == 3)).any()


def test_nothing_beside_a_photo_is_no_label_map(tmp_path):
    assert read_labels(tmp_path / "a.jpg", (10, 10)) is None


@pytest.mark.parametrize("id", [0, 3])
def test_stuff_is_no_object(id):
    ids = np.full((50, 50), 255, np.uint8)
    ids[10:20, 10:20] = id
    assert object_outlines(ids, CLASSES) == [] == class_outlines(ids, CLASSES)
