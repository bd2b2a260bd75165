import pytest

from sair_core.errors import LabelError
from sair_core.semantics.words import MAX_LABELS, label_presets, parse_labels, vocabulary


@pytest.mark.parametrize(
    "typed", ["Sky, car; tree", "sky\ncar\n\n tree ", ["Sky", "CAR", "tree"], " sky ,car,tree,, Sky,"]
)
def test_labels_are_trimmed_lower_case_and_each_once(typed):
    assert parse_labels(typed) == ["sky", "car", "tree"]


def test_words_inside_a_label_stay_together():
    assert parse_labels("traffic   light, wall of a building") == ["traffic light", "wall of a building"]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (" , ;", "No label"),
        ("a" * 81, "81 characters"),
        (",".join(map(str, range(MAX_LABELS + 1))), "too many"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(typed, message):
    with pytest.raises(LabelError, match=message):
        parse_labels(typed)


def test_presets_and_vocabularies_are_labels_themselves():
    assert {"Street", "Nature", "Room", "Portrait"} <= label_presets().keys()
    for labels in label_presets().values():
        assert parse_labels(labels) == list(labels)
    for name, count in (("ade20k", 149), ("coco", 167)):
        words = vocabulary(name)
        assert len(words) == count and parse_labels(words[:60]) == list(words[:60])
