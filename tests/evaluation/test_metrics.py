import math
import subprocess
import sys

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sair_core.errors import PhotoError
from sair_core.evaluation import l1, psnr, ssim
from sair_core.evaluation.metrics import gradient, l1_inside, psnr_inside, ssim_inside


def test_hand_values():
    a = np.full((16, 16, 3), 100, dtype=np.uint8)
    b = a.copy()
    b[:8] += 10  # half of the pixels differ by 10: mean square 50, mean absolute 5
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / 50))
    assert l1(a, b) == pytest.approx(5 / 255)
    assert psnr(b, a) == psnr(a, b)


def test_differences_do_not_wrap_around():
    black, white = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8)
    assert psnr(black, white) == pytest.approx(0)
    assert l1(white, black) == pytest.approx(1)


def test_identical_pictures():
    a = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert psnr(a, a) == math.inf
    assert l1(a, a) == 0
    assert ssim(a, a) == pytest.approx(1)


def test_ssim_of_flat_pictures_is_the_luminance_term():
    a, b = np.full((24, 24, 3), 100, np.uint8), np.full((24, 24, 3), 120, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1), abs=1e-9)


def test_ssim_uses_the_gaussian_window():
    """One pixel against the formula of Wang et al., written out with an 11 x 11 Gaussian of sigma 1.5."""
    rng = np.random.default_rng(1)
    a, b = (rng.integers(0, 256, (11, 11), dtype=np.uint8) for _ in range(2))
    r = np.arange(-5, 6)
    weights = np.exp(-(r[:, None] ** 2 + r[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    x, y = a.astype(float), b.astype(float)
    mx, my = (weights * x).sum(), (weights * y).sum()
    vx, vy = (weights * x * x).sum() - mx**2, (weights * y * y).sum() - my**2
    covariance = (weights * x * y).sum() - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * mx * my + c1) * (2 * covariance + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert ssim(a, b) == pytest.approx(expected, abs=1e-6)


def test_figures_are_those_of_scikit_image():
    rng = np.random.default_rng(2)
    a = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    b = np.clip(a + rng.normal(0, 20, a.shape), 0, 255).astype(np.uint8)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b), abs=1e-9)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    assert ssim(a, b) == pytest.approx(structural_similarity(a, b, channel_axis=2, **window), abs=1e-9)
    hole = rng.random((40, 50)) < 0.3
    assert psnr_inside(a, b, hole) == pytest.approx(peak_signal_noise_ratio(a[hole], b[hole]), abs=1e-9)


@pytest.mark.parametrize("measure", [psnr, l1, ssim])
def test_unfit_pictures_are_refused(measure):
    a = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(PhotoError, match="shapes"):
        measure(a, np.zeros((16, 17, 3), np.uint8))
    with pytest.raises(PhotoError, match="float32"):
        measure(a, a.astype(np.float32))
    with pytest.raises(PhotoError):
        measure(a[:0], a[:0])


def test_ssim_refuses_pictures_smaller_than_its_window():
    with pytest.raises(PhotoError, match="11 x 11"):
        ssim(np.zeros((10, 30, 3), np.uint8), np.zeros((10, 30, 3), np.uint8))


def test_import_is_cheap():
    code = "import sys, sair_core.evaluation; print({'cv2', 'skimage', 'torch'} & set(sys.modules) or 'none')"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "none"


def test_gradient_of_a_step_and_of_a_ramp():
    ramp = np.tile(np.arange(0, 160, 10, dtype=np.uint8), (16, 1))  # 10 a pixel, to the right
    mask = np.zeros((16, 16), bool)
    mask[4:8, 4:8] = True
    assert gradient(ramp, mask) == pytest.approx(10 / 255)
    assert gradient(np.dstack([ramp.T] * 3), mask) == pytest.approx(10 / 255)
    assert gradient(ramp + ramp.T, mask) == pytest.approx(10 * math.sqrt(2) / 255)
    assert gradient(np.full((16, 16, 3), 90, np.uint8), mask) == 0 == gradient(ramp, mask & False)
    ramp[mask] = 200  # a plain fill with an edge all around
    assert gradient(ramp, mask) == 0


def test_l1_of_the_hole_alone():
    a, b = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 100, np.uint8)
    b[:4], b[8:] = 120, 0
    mask = np.zeros((16, 16), bool)
    mask[:8] = True
    assert l1_inside(a, b, mask) == pytest.approx(10 / 255)


def test_psnr_and_ssim_of_the_hole_alone():
    a = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    mask = np.zeros((32, 32), bool)
    mask[:8] = True
    b = np.where(mask[..., None], a // 2, a)
    inside = float(np.mean((a[:8].astype(float) - b[:8]) ** 2))
    assert psnr_inside(a, b, mask) == pytest.approx(10 * math.log10(255**2 / inside))
    assert psnr_inside(a, b, mask) == pytest.approx(
        psnr(a, b) - 10 * math.log10(4)
    )  # a quarter of the pixels
    assert psnr_inside(a, b, ~mask) == math.inf
    assert ssim_inside(a, b, mask) < ssim(a, b) < 1
    far = np.zeros_like(mask)
    far[20:] = True  # further than half a window away
    assert ssim_inside(a, b, far) == pytest.approx(1)
