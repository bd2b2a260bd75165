import builtins
import sys

import numpy as np
import pytest

from sair_core.errors import EmptyMaskError, FullMaskError, MaskSizeError, MissingDependencyError, PhotoError
from sair_core.evaluation.baselines import METHODS, mean, require_opencv
from sair_core.evaluation.metrics import psnr
from tests.evaluation.conftest import pattern


def a_mask() -> np.ndarray:
    mask = np.zeros((60, 72), dtype=bool)
    mask[10:20, 30:45] = True
    mask[40:60, 0:6] = True  # touches the edge
    return mask


def fill(name: str, photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    if name in ("telea", "navier-stokes"):
        pytest.importorskip("cv2")
    return METHODS[name](photo, mask)


@pytest.mark.parametrize("name", METHODS)
def test_known_pixels_are_kept_and_the_hole_is_not_read(name):
    photo, mask = pattern(1), a_mask()
    spoiled = photo.copy()
    spoiled[mask] = 255 - spoiled[mask]
    before = spoiled.copy()
    filled = fill(name, spoiled, mask)
    assert filled.dtype == np.uint8 and filled.shape == photo.shape
    assert np.array_equal(filled[~mask], photo[~mask])
    assert np.array_equal(spoiled, before)  # the argument is not written to
    assert np.array_equal(filled, fill(name, photo, mask))


@pytest.mark.parametrize("name", ["harmonic", "telea", "navier-stokes", "biharmonic"])
def test_interpolation_beats_the_mean_on_a_smooth_photo(name):
    photo, mask = pattern(1), a_mask()
    assert psnr(fill(name, photo, mask), photo) > psnr(mean(photo, mask), photo) + 3


def test_harmonic_is_the_solution_of_laplaces_equation():
    """A plane has no curvature: it is its own harmonic extension."""
    y, x = np.mgrid[:60, :72]
    plane = np.repeat((x + 2 * y)[..., None], 3, axis=2).astype(np.uint8)
    mask = np.zeros((60, 72), bool)
    mask[20:40, 20:50] = True  # away from the edge, where there is no border
    assert np.array_equal(METHODS["harmonic"](plane, mask), plane)
    bump = plane.copy()
    bump[30, 35] = 255  # hidden
    assert np.array_equal(METHODS["harmonic"](bump, mask), plane)


def test_channels_are_not_exchanged():
    photo = np.empty((60, 72, 3), np.uint8)
    photo[:] = (200, 100, 20)
    for name in METHODS:
        # Two grey levels of slack: OpenCV rounds its weighted means.
        difference = fill(name, photo, a_mask()).astype(int) - photo
        assert np.abs(difference).max() <= 2, name


def test_mean_takes_known_pixels_only():
    photo = np.zeros((4, 4, 3), np.uint8)
    photo[0] = 9
    mask = np.zeros((4, 4), bool)
    mask[2:] = True  # known: one row of 9, one of 0
    photo[mask] = 200
    filled = mean(photo, mask)
    assert (filled[2:] == 4).all()  # 4.5 rounds to the even neighbour


def test_unfit_arguments_are_refused():
    photo, mask = pattern(0), a_mask()
    with pytest.raises(PhotoError):
        mean(photo.astype(float), mask)
    with pytest.raises(MaskSizeError):
        mean(photo, mask[:-1])
    with pytest.raises(MaskSizeError):
        mean(photo, mask.astype(np.uint8))
    with pytest.raises(EmptyMaskError):
        mean(photo, np.zeros_like(mask))
    with pytest.raises(FullMaskError):
        mean(photo, np.ones_like(mask))


def test_missing_opencv_tells_what_to_install(monkeypatch):
    real = builtins.__import__

    def without_opencv(name, *args, **kwargs):
        if name == "cv2":
            raise ModuleNotFoundError("No module named 'cv2'")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_opencv)
    for name in ("telea", "navier-stokes"):
        with pytest.raises(MissingDependencyError, match="pip install opencv-python-headless"):
            METHODS[name](pattern(0), a_mask())
        with pytest.raises(MissingDependencyError):
            require_opencv([name])
    require_opencv(["biharmonic", "mean"])
    METHODS["biharmonic"](pattern(0), a_mask())
