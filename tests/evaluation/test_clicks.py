import numpy as np
import pytest

from sair_core.evaluation.clicks import (
    innermost_point,
    largest_region,
    next_click,
    simulate_clicks,
    wrong_region,
)


def boxes(*places: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    for top, bottom, left, right in places:
        mask[top:bottom, left:right] = True
    return mask


def test_innermost_point():
    assert innermost_point(boxes((4, 9, 10, 15))) == (12.5, 6.5)
    assert innermost_point(np.ones((5, 9), bool))[1] == 2.5  # the photo's edge is a border


def test_largest_region():
    assert np.array_equal(largest_region(boxes((0, 2, 0, 2), (5, 9, 5, 9))), boxes((5, 9, 5, 9)))
    assert largest_region(boxes()) is None


def test_the_next_click_is_where_most_is_wrong():
    true = boxes((2, 12, 2, 12))
    assert next_click(true, true) is None and wrong_region(true, true) is None
    assert next_click(boxes((2, 12, 2, 7)), true)[1] is True
    (x, y), inside = next_click(true | boxes((14, 19, 20, 25)), true)
    assert (x, y, inside) == (22.5, 16.5, False)
    # Much that is missing counts for more than little that is too much.
    assert next_click(boxes((14, 16, 20, 22)), true)[1] is True


def test_clicks_follow_the_answers():
    true, asked = boxes((2, 12, 2, 12)), []

    def select(points, labels):
        asked.append((points.tolist(), labels.tolist()))
        return true | boxes((14, 19, 20, 25)) if labels.all() else true

    found = list(simulate_clicks(true, select, 5))
    assert len(found) == 2 and np.array_equal(found[-1], true)  # nothing is left to click
    assert asked[1][0][1] == [22.5, 16.5] and asked[1][1] == [True, False]


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_clicks_than_asked(count):
    nothing = boxes()
    assert len(list(simulate_clicks(boxes((2, 12, 2, 12)), lambda *_: nothing, count))) == count
