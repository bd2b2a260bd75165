import numpy as np
import pytest
import torch
from scipy import linalg, ndimage

from sair_core.evaluation.features import Maps
from sair_core.evaluation.realism import (
    Moments,
    add_textures,
    feature_distance,
    filled_places,
    frechet,
    gaussian_frechet,
    gradient_ratio,
    texture,
)

EVERYWHERE = [None, None]


def a_mask() -> np.ndarray:
    mask = np.zeros((32, 32), bool)
    mask[8:24, 8:24] = True
    return mask


def some_maps(seed: int) -> Maps:
    """Of a picture of 32 px: at 1/2 and 1/4."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(c, n, n, generator=generator) for c, n in ((6, 16), (10, 8))]


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def test_frechet_of_two_gaussians_in_closed_form():
    assert gaussian_frechet(*map(np.array, ([1.0], [[4.0]], [3.0], [[9.0]]))) == pytest.approx(
        4 + 1, abs=1e-9
    )
    rng = np.random.default_rng(0)
    means = rng.normal(size=(2, 5))
    roots = rng.normal(size=(2, 5, 5))
    a, b = (root @ root.T for root in roots)
    expected = np.sum((means[0] - means[1]) ** 2) + np.trace(a + b - 2 * linalg.sqrtm(a @ b).real)
    assert gaussian_frechet(means[0], a, means[1], b) == pytest.approx(expected, abs=1e-6)
    # Few vectors span few directions: covariances are singular, and the distance to oneself stays 0.
    a[:, 0] = a[0] = 0
    assert gaussian_frechet(means[0], a, means[0], a) == pytest.approx(0, abs=1e-6)


def test_frechet_of_samples_comes_to_that_of_their_gaussians():
    rng = np.random.default_rng(1)
    true = rng.normal(size=(200_000, 3)) * (1, 2, 5) + (0, 1, 9)
    filled = rng.normal(size=(200_000, 3)) * (1, 1, 5) + (0.5, 1, 9)
    # In units of the true deviations: the first mean is off by 0.5, the second deviation is halved.
    found = frechet((Moments.of(filled),), (Moments.of(true),))
    assert found == pytest.approx((0.25 + 0.25) / 3, rel=0.03)
    assert frechet((Moments.of(filled * 7),), (Moments.of(true * 7),)) == pytest.approx(found, abs=1e-9)


def test_moments_of_photos_add_up_to_those_of_all():
    vectors = np.random.default_rng(2).normal(3, 1, (50, 4))
    summed = Moments.of(vectors[:20]) + Moments.of(vectors[20:])
    assert np.allclose(summed.mean, vectors.mean(axis=0))
    assert np.allclose(summed.covariance, np.cov(vectors.T))
    parts = add_textures(add_textures(None, (Moments.of(vectors[:20]),)), (Moments.of(vectors[20:]),))
    assert np.allclose(parts[0].covariance, summed.covariance)


def test_equal_pictures_have_no_distance_and_others_have():
    maps, others = some_maps(0), some_maps(1)
    same, other = texture(maps, EVERYWHERE), texture(others, EVERYWHERE)
    assert feature_distance(maps, maps) == 0 == feature_distance(maps, maps, a_mask())
    assert frechet(same, same) == pytest.approx(0, abs=1e-6)
    assert feature_distance(maps, others) == pytest.approx(2, abs=0.3)  # random directions: 2 - 2 cos
    assert frechet(same, other) > 0.01
    scaled = [one * 5 for one in maps]  # lengths do not count, directions do
    assert feature_distance(scaled, maps) == pytest.approx(0, abs=1e-6)


def test_two_vectors_are_the_least():
    one = (Moments.of(np.ones((1, 4))),)
    assert frechet(one, one) is None
    two = (Moments.of(np.eye(4)[:2]),)
    assert frechet(two, one) is None and frechet(two, two) == pytest.approx(0, abs=1e-6)


def test_places_weigh_by_their_share_of_hole():
    true = [torch.ones(3, 4, 4)]
    filled = [torch.ones(3, 4, 4)]
    filled[0][:, 0, 0] = -1  # opposite: a squared distance of 4 in that place
    mask = np.zeros((8, 8), bool)
    mask[4:6, 4:6] = True  # another place
    assert feature_distance(filled, true, mask) == 0
    mask[0, 0] = True  # a quarter of the place, and one of 1.25
    assert feature_distance(filled, true, mask) == pytest.approx(4 * 0.25 / 1.25)
    mask[0, 1] = True
    assert feature_distance(filled, true, mask) == pytest.approx(4 * 0.5 / 1.5)
    assert feature_distance(filled, true) == pytest.approx(4 / 16)


def test_only_places_that_are_mostly_hole_are_gathered():
    mask = np.zeros((32, 32), bool)
    mask[:8, :8] = True
    mask[8, :8] = True  # half of cells at 1/2, a quarter of cells at 1/4
    fine, coarse = filled_places(some_maps(0), mask)
    assert fine.sum() == 16 and coarse.sum() == 4 and fine[:4, :4].all() and coarse[:2, :2].all()
    found = texture(some_maps(0), [fine, coarse])
    assert [one.count for one in found] == [16, 4] and found[1].total.shape == (10,)
    assert np.allclose(found[0].mean, some_maps(0)[0][:, :4, :4].mean((1, 2)).numpy())


def test_gradients_see_blur_inside_the_hole_alone():
    photo, mask = noise(), a_mask()
    assert gradient_ratio(photo, photo, mask) == 1
    blurred = np.stack([ndimage.gaussian_filter(photo[..., i], 2) for i in range(3)], axis=-1)
    inside = np.where(mask[..., None], blurred, photo)
    assert gradient_ratio(inside, photo, mask) < 0.5
    assert gradient_ratio(inside, photo, ~mask) == pytest.approx(1, abs=0.05)
    assert gradient_ratio(inside, photo, np.ones_like(mask)) < 1
    assert gradient_ratio(photo, np.full_like(photo, 9), mask) is None
    ramp = np.repeat(np.tile(np.arange(0, 160, 5, dtype=np.uint8), (32, 1))[..., None], 3, axis=2)
    assert gradient_ratio(ramp // 5 * 3, ramp, mask) == pytest.approx(0.6)
