import numpy as np
import pytest
from PIL import Image

from sair_core.errors import ConfigError
from sair_core.window import Window, resample


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (37, 50, 3), dtype=np.uint8)


def test_the_middle_of_a_photo():
    window = Window.around((100, 200), (0.0, 0.0), 4.0, (40, 60))
    assert (window.top, window.left) == (45, 92.5)
    assert window.centres(0)[[0, -1]] == pytest.approx([45.125, 54.875])
    assert Window.around((100, 200), (1.0, -1.0), 1.0, (10, 10)) == Window(95, -5, 1.0, (10, 10))


def test_windows_of_one_scale_share_one_grid():
    one = Window.around((101, 77), (0.1234, -0.4), 2.7, (30, 40))
    assert one.top * 2.7 == pytest.approx(round(one.top * 2.7))
    whole = Window.whole((101, 77), 2.7)
    first = round(one.top * 2.7)
    np.testing.assert_allclose(one.centres(0), whole.centres(0)[first : first + 30])


def test_whole_and_parts():
    whole = Window.whole((11, 7), 1.5)
    assert whole.size_px == (16, 10) and whole.inside((11, 7)) == (slice(0, 16), slice(0, 10))
    part = whole.part(slice(4, 9), slice(2, 10))
    np.testing.assert_allclose(part.centres(1), whole.centres(1)[2:10])


def test_what_lies_in_the_photo():
    assert Window(-10, 15, 2.0, (30, 30)).inside((8, 20)) == (slice(20, 30), slice(0, 10))
    rows, _ = Window(100, 0, 2.0, (30, 30)).inside((8, 20))
    assert rows.start >= rows.stop


@pytest.mark.parametrize("scale", [0, 65, 1 / 65, float("nan"), -1])
def test_a_scale_out_of_range_is_refused(scale):
    for make in (lambda: Window(0, 0, scale, (8, 8)), lambda: Window.around((8, 8), scale=scale)):
        with pytest.raises(ConfigError, match="between 1/64 and 64"):
            make()


@pytest.mark.parametrize(("corner", "size"), [((0, 0), (0, 8)), ((float("inf"), 0), (8, 8))])
def test_windows_that_are_none(corner, size):
    with pytest.raises(ConfigError):
        Window(*corner, 1.0, size)


@pytest.mark.parametrize("method", ["nearest", "bicubic", "lanczos"])
def test_at_scale_one_every_method_gives_the_photo(rgb, method):
    np.testing.assert_array_equal(resample(rgb, Window.whole((37, 50), 1.0), method), rgb)
    part = resample(rgb, Window(-3, 40, 1.0, (10, 20)), method)
    np.testing.assert_array_equal(part[3:, :10], rgb[:7, 40:])
    assert not part[:3].any() and not part[:, 10:].any()


def test_nearest_repeats_pixels(rgb):
    found = resample(rgb, Window.whole((37, 50), 3.0), "nearest")
    np.testing.assert_array_equal(found, rgb.repeat(3, axis=0).repeat(3, axis=1))


@pytest.mark.parametrize("method", ["bicubic", "lanczos"])
@pytest.mark.parametrize("scale", [0.4, 2.0, 3.7])
def test_the_inside_is_what_pillow_gives(rgb, method, scale):
    window = Window.whole((37, 50), scale)
    filters = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
    box = (0, 0, window.size_px[1] / scale, window.size_px[0] / scale)
    if box[2] > 50 or box[3] > 37:  # rounded up, beyond what Pillow takes
        pytest.skip("no such picture")
    pillow = Image.fromarray(rgb).resize(window.size_px[::-1], filters[method], box=box)
    found = resample(rgb, window, method).astype(int)
    inner = np.s_[round(4 * max(1, scale)) : -round(4 * max(1, scale))]
    assert np.abs(found - np.asarray(pillow).astype(int))[inner, inner].max() <= 1


@pytest.mark.parametrize("scale", [0.3, 2.5, 7.0])
def test_a_part_is_the_crop_of_the_whole(rgb, scale):
    whole = resample(rgb, Window.whole((37, 50), scale), "bicubic")
    window = Window.around((37, 50), (0.2, -0.3), scale, (7, 9))
    top, left = round(window.top * scale), round(window.left * scale)
    np.testing.assert_allclose(
        resample(rgb, window, "bicubic").astype(int),
        whole[top : top + 7, left : left + 9].astype(int),
        atol=1,
    )


def test_one_pixel_and_strips():
    dot = np.full((1, 1, 3), 7, np.uint8)
    assert (resample(dot, Window.whole((1, 1), 8.0), "bicubic") == 7).all()
    strip = np.full((1, 3000, 3), 9, np.uint8)
    assert (resample(strip, Window.whole((1, 3000), 0.5), "lanczos") == 9).all()
