"""Seam removal: what harmonic functions must do, on every path of the solver."""

import numpy as np
import pytest
from scipy import ndimage

from sair_core.filling import seams as harmonic
from sair_core.filling.seams import extend_harmonically, remove_seam

PATHS = {
    "direct": {"DIRECT_MAX": 10**9},
    "multigrid": {"DIRECT_MAX": 50},
    "reduced": {"MULTIGRID_MAX": 1_000, "DIRECT_MAX": 50},
}


@pytest.fixture(params=PATHS)
def path(request, monkeypatch):
    for name, value in PATHS[request.param].items():
        monkeypatch.setattr(harmonic, name, value)
    return request.param


def disc(size_px, centre, radius_px):
    y, x = np.ogrid[: size_px[0], : size_px[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius_px**2


def irregular(size_px=(121, 150)):
    """Blobs, a thin line and a hole at the picture's edge."""
    mask = disc(size_px, (50, 60), 35) & ~disc(size_px, (45, 70), 6)
    mask |= disc(size_px, (120, 110), 25)
    mask[100, 5:70] = True
    return mask


def photos(size_px, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((*size_px, 3), dtype=np.float32), rng.random((*size_px, 3), dtype=np.float32)


def linear(size_px):
    y, x = np.mgrid[: size_px[0], : size_px[1]].astype(np.float32) / max(size_px)
    return np.stack([0.2 * x, 0.1 - 0.3 * y, 0.5 * x - 0.2 * y], axis=-1)


@pytest.mark.parametrize("path", ["direct", "multigrid"], indirect=True)
def test_linear_error_is_reproduced_exactly(path):
    fill, _ = photos((121, 150))
    mask = irregular()
    mask[-1] = False  # a linear function is not flat across the picture's edge
    corrected = remove_seam(fill, fill + linear(mask.shape), mask)
    np.testing.assert_allclose(corrected[mask], (fill + linear(mask.shape))[mask], atol=2e-6)


def test_constant_cast_is_removed_whatever_the_hole(path):
    photo, _ = photos((121, 150))
    cast = np.float32([0.1, -0.05, 0.02])
    np.testing.assert_allclose(remove_seam(photo + cast, photo, irregular()), photo, atol=5e-6)


def test_nothing_flows_through_the_edge_of_the_picture(path):
    # A hole from the left to the right edge: an error that grows downwards only is already harmonic.
    mask = np.zeros((80, 60), bool)
    mask[20:60] = True
    error = np.broadcast_to(np.linspace(-0.2, 0.3, 80, dtype=np.float32)[:, None, None], (80, 60, 3))
    corrected = remove_seam(np.zeros((80, 60, 3), np.float32), error, mask)
    np.testing.assert_allclose(corrected, error, atol=5e-3 if path == "reduced" else 2e-6)


def test_correction_is_the_mean_of_the_neighbours_that_exist():
    values = np.arange(9, dtype=np.float32).reshape(3, 3, 1)
    centre, corner = np.zeros((3, 3), bool), np.zeros((3, 3), bool)
    centre[1, 1] = corner[0, 0] = True
    assert extend_harmonically(values, centre).item() == pytest.approx((1 + 3 + 5 + 7) / 4)
    assert extend_harmonically(values, corner).item() == pytest.approx((1 + 3) / 2)


def test_every_pixel_is_the_mean_of_its_neighbours():
    fill, photo = photos((121, 150))
    mask = irregular()
    correction = np.where(mask[..., None], remove_seam(fill, photo, mask) - fill, photo - fill)
    padded = np.pad(correction, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    neighbours = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    mean = np.nanmean(neighbours, axis=0)
    np.testing.assert_allclose(mean[mask], correction[mask], atol=5e-6)


def test_maximum_principle(path):
    fill, photo = photos((121, 150))
    mask = irregular()
    ring = ndimage.binary_dilation(mask) & ~mask
    error = (photo - fill)[ring]
    correction = (remove_seam(fill, photo, mask) - fill)[mask]
    assert (correction <= error.max(axis=0) + 1e-5).all()
    assert (correction >= error.min(axis=0) - 1e-5).all()


def test_linear_in_the_error(path):
    mask = irregular()
    first, second = photos(mask.shape)
    extended = [extend_harmonically(values, mask) for values in (first, second, 2 * first - second)]
    np.testing.assert_allclose(2 * extended[0] - extended[1], extended[2], atol=2e-5)


def test_known_pixels_and_inputs_are_untouched(path):
    fill, photo = photos((121, 150))
    mask = irregular()
    before = fill.copy(), photo.copy(), mask.copy()
    corrected = remove_seam(fill, photo, mask)
    assert corrected.dtype == np.float32
    np.testing.assert_array_equal(corrected[~mask], photo[~mask])
    for now, then in zip((fill, photo, mask), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_only_the_ring_and_the_hole_are_read(path):
    fill, photo = photos((121, 150))
    mask = irregular()
    expected = remove_seam(fill, photo, mask)[mask]
    used = ndimage.binary_dilation(mask)
    fill[~used] = np.nan
    photo[mask] = np.nan
    np.testing.assert_array_equal(remove_seam(fill, photo, mask)[mask], expected)


def test_multigrid_agrees_with_the_factorisation(monkeypatch):
    fill, photo = photos((121, 150))
    porous = np.random.default_rng(1).random((121, 150)) < 0.6
    for mask in (irregular(), porous):
        solutions = []
        for limit in (10**9, 50):
            monkeypatch.setattr(harmonic, "DIRECT_MAX", limit)
            solutions.append(remove_seam(fill, photo, mask))
        np.testing.assert_allclose(solutions[1], solutions[0], atol=1e-5)


def test_reduced_solve_agrees_with_the_full_one(monkeypatch):
    mask = disc((300, 300), (140, 160), 120)
    rng = np.random.default_rng(2)
    error = ndimage.gaussian_filter(rng.normal(size=(300, 300, 3)), (25, 25, 0)).astype(np.float32)
    error /= np.ptp(error)
    full = extend_harmonically(error, mask)
    monkeypatch.setattr(harmonic, "MULTIGRID_MAX", 15_000)  # one halving
    reduced = extend_harmonically(error, mask)
    assert np.abs(reduced - full).max() < 0.005
    # At the border it is not reduced at all: the seam is as invisible as before.
    near = ndimage.distance_transform_edt(mask)[mask] <= 2
    assert np.abs(reduced - full)[near].max() < 0.0015


def test_nothing_to_do():
    fill, photo = photos((20, 30))
    np.testing.assert_array_equal(remove_seam(fill, photo, np.zeros((20, 30), bool)), photo)
    np.testing.assert_array_equal(remove_seam(fill, photo, np.ones((20, 30), bool)), fill)


def test_shapes_must_belong_together():
    fill, photo = photos((20, 30))
    with pytest.raises(ValueError, match="share height and width"):
        remove_seam(fill, photo, np.zeros((30, 20), bool))


def test_a_large_hole_takes_few_iterations(monkeypatch):
    fill, photo = photos((500, 500))
    mask = np.zeros((500, 500), bool)
    mask[50:450, 50:450] = True
    assert harmonic.DIRECT_MAX < mask.sum() < harmonic.MULTIGRID_MAX
    solved = remove_seam(fill, photo, mask)
    monkeypatch.setattr(harmonic, "MAX_ITERATIONS", 8)
    np.testing.assert_array_equal(remove_seam(fill, photo, mask), solved)
    monkeypatch.setattr(harmonic, "MAX_ITERATIONS", 1)
    assert not np.array_equal(remove_seam(fill, photo, mask), solved)


@pytest.mark.parametrize("corner", [(0, 0), (203, 130), (300, 311)])
def test_what_lies_far_from_the_hole_has_no_say(corner, monkeypatch):
    values = np.random.default_rng(0).random((400, 421, 2)).astype(np.float32)
    hole = np.zeros((400, 421), bool)
    hole[corner[0] : corner[0] + 100, corner[1] : corner[1] + 110] = True  # enough for a multigrid cycle
    near = extend_harmonically(values, hole)
    monkeypatch.setattr(harmonic, "_cut_out", lambda values, hole: (values, hole))
    np.testing.assert_array_equal(near, extend_harmonically(values, hole))
