import numpy as np
import pytest
import torch
from scipy import ndimage

from sair_core.errors import ConfigError
from sair_core.photos.degrade import KINDS, degrade, degrade_photo, parse_degradation, reduce_hole


def grey(size=(64, 64)):
    return np.full((*size, 3), 128, np.uint8)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_noise_has_the_deviation_that_was_asked_for():
    noisy = degrade_photo(grey((128, 128)), [("noise", 0.1)], rng())
    difference = noisy.astype(float) - 128
    assert difference.std() == pytest.approx(25.5, rel=0.02) and abs(difference.mean()) < 0.5
    assert np.array_equal(noisy, degrade_photo(grey((128, 128)), [("noise", 0.1)], rng()))
    assert not np.array_equal(noisy, degrade_photo(grey((128, 128)), [("noise", 0.1)], rng(1)))


def test_blur_is_a_gaussian_of_so_many_px():
    photo = rng().integers(0, 256, (64, 64, 3), dtype=np.uint8)
    want = ndimage.gaussian_filter(photo.astype(float), (2, 2, 0), mode="mirror", truncate=3.0)
    assert np.abs(degrade_photo(photo, [("blur", 2.0)], rng()) - want).max() < 1.5


def test_scale_makes_a_photo_smaller():
    ys = np.repeat(np.arange(64, dtype=np.uint8)[:, None, None] * 3, 96, axis=1).repeat(3, axis=2)
    small = degrade_photo(ys, [("scale", 4.0)], rng())
    assert small.shape == (16, 24, 3)
    assert (
        np.abs(small[1:-1, 0, 0] - (4 * np.arange(1, 15) + 1.5) * 3).max() <= 1
    )  # cells lie at their centres


def test_steps_follow_each_other_in_the_order_in_which_they_are_written():
    first, second = (parse_degradation(text) for text in ("noise:0.2+blur:2", "blur:2+noise:0.2"))
    deviations = [degrade_photo(grey(), one.draw(rng()), rng()).std() for one in (first, second)]
    assert deviations[0] < 10 < 45 < deviations[1]  # a blur smooths the noise before it


def test_a_range_is_drawn_from_and_one_strength_is_not():
    generator = rng()
    drawn = [parse_degradation("scale:2-4").draw(generator) for _ in range(50)]
    strengths = [strength for ((_, strength),) in drawn]
    assert min(strengths) >= 2 and max(strengths) <= 4 and len(set(strengths)) == 50
    assert parse_degradation("blur:2").draw(None) == (("blur", 2.0),)
    assert parse_degradation("none").draw(None) == ()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_least_strength_of_every_kind_changes_nothing(kind):
    photo = rng().integers(0, 256, (33, 40, 3), dtype=np.uint8)
    assert np.array_equal(degrade_photo(photo, [(kind, KINDS[kind][1])], rng()), photo)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_greatest_strength_of_every_kind_works_on_small_photos(kind):
    picture = degrade(torch.rand(1, 3, 32, 48) * 255, [(kind, KINDS[kind][2])], rng())
    assert picture.isfinite().all() and 0 <= picture.min() and picture.max() <= 255


@pytest.mark.parametrize(
    "text", ["fog:1", "noise", "noise:", "noise:x", "blur:1-2-3", "", "noise:0.1,blur:2"]
)
def test_what_is_no_degradation_is_refused_with_the_forms(text):
    with pytest.raises(ConfigError, match=r"is no degradation. Write it as noise:0.1"):
        parse_degradation(text)


@pytest.mark.parametrize("text", ["noise:2", "scale:0.5", "blur:4-2", "blur:11"])
def test_strengths_have_bounds(text):
    with pytest.raises(ConfigError, match="must lie within"):
        parse_degradation(text)


def test_a_photo_is_reduced_once():
    with pytest.raises(ConfigError, match="reduces a photo twice"):
        parse_degradation("scale:2+scale:2")


def test_a_reduced_hole_covers_all_that_was_hidden():
    hole = np.zeros((64, 64), bool)
    hole[17, 33] = hole[40:44, 8:12] = True
    small = reduce_hole(hole, (16, 16))
    assert small[4, 8] and small[10, 2] and small.sum() == 2
    assert reduce_hole(hole, (64, 64)) is hole
