import numpy as np
import pytest

from sair_core.errors import PointError
from sair_core.semantics.points import check_points


def test_points_and_labels_become_arrays():
    points, inside = check_points([(0, 0), (9.5, 4)], [True, 0], (5, 10))
    assert points.dtype == float and points.tolist() == [[0, 0], [9.5, 4]]
    assert inside.dtype == bool and inside.tolist() == [True, False]
    assert check_points(np.array([[1, 2]]), None, (5, 10))[1].tolist() == [True]


@pytest.mark.parametrize("point", [(-0.1, 0), (10, 0), (0, 5), (np.nan, 0), (0, np.inf)])
def test_points_outside_the_photo(point):
    with pytest.raises(PointError, match="outside the photo of 10 x 5 px"):
        check_points([(1, 1), point], [True, False], (5, 10))


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        ([(1, 1)], [False], "No point is inside"),
        (np.empty((0, 2)), [], "No point is inside"),
        ([], None, "Give each point as x and y"),
        ([(1, 1, 1)], [True], "Give each point as x and y"),
        ([(1, 1)], [True, False], "Give each point as x and y"),
        ([(1, 1)], "x", "Give each point as x and y"),
        ([("a", 1)], [True], "pairs of numbers"),
        (None, None, "pairs of numbers"),
        (3, None, "pairs of numbers"),
        ([(1,), (1, 2)], None, "pairs of numbers"),
    ],
)
def test_what_is_no_list_of_points(points, labels, message):
    with pytest.raises(PointError, match=message):
        check_points(points, labels, (5, 10))
