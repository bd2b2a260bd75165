import numpy as np
import pytest

from sair_core.zoom.tiles import Region, cut, spans


@pytest.mark.parametrize("length", [1, 5, 640, 641, 1000, 1153, 4000, 20000])
def test_the_tiles_weights_sum_to_one_everywhere(length):
    found = spans(length, 64)
    places = np.arange(0, length, 0.25) + 0.1
    total = np.zeros(len(places))
    for span in found:
        inside = (span.low <= places) & (places < span.high)
        total[inside] += span.weight(places[inside])
        assert 0 <= span.start <= max(span.low, 0) and min(span.high, length) <= span.stop <= length
        assert span.start % 16 == 0 and span.padded <= 640
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_equal_pixels_in_other_places_of_a_photo_are_other_tiles():
    first, middle, last = spans(1100, 64)
    column = spans(20, 64)[0]
    shapes = {Region(span, column).shape for span in (first, middle, last)}
    assert len(shapes) == 3


def test_a_run_is_cut_without_a_gap():
    assert cut(slice(5, 12), 3) == [slice(5, 8), slice(8, 11), slice(11, 12)]
    assert cut(slice(5, 11), 3) == [slice(5, 8), slice(8, 11)] and cut(slice(4, 4), 3) == []
