import numpy as np
import pytest

from sair_core.semantics.edges import guided_coefficients, refine_edges
from tests.conftest import disc


def coarse_of(mask: np.ndarray, cells: int) -> np.ndarray:
    """Shares of a mask in cells of so many px."""
    height, width = mask.shape
    return mask.reshape(height // cells, cells, width // cells, cells).mean(axis=(1, 3))


def two_colours(mask: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None], (200, 60, 40), (60, 90, 160)).astype(np.uint8)


@pytest.mark.parametrize("shift", [0, 16])
def test_the_border_follows_the_colours(shift):
    mask = disc((240, 320), (120, 160), 70)
    rgb = two_colours(mask)
    guide01 = np.stack([coarse_of(rgb[..., c] / 255.0, 8) for c in range(3)], axis=-1)
    coarse = coarse_of(np.roll(mask, shift, axis=1), 8)
    refined = refine_edges(coarse, guide01, rgb)
    assert refined.shape == mask.shape and refined.dtype == bool
    plain = np.kron(coarse > 0.5, np.ones((8, 8), bool))
    assert (refined != mask).sum() < 0.3 * (plain != mask).sum()


def test_a_map_of_one_value_stays():
    rgb = two_colours(disc((24, 32), (12, 16), 5))
    for value in (0.0, 1.0):
        mask = refine_edges(np.full((12, 16), value), rgb[::2, ::2] / 255.0, rgb)
        assert mask.shape == (24, 32) and (mask == bool(value)).all()


def test_coefficients_give_the_map_back_where_it_is_linear_in_colour():
    guide01 = np.random.default_rng(0).random((20, 30, 3))
    share = guide01 @ np.array([0.2, -0.4, 0.3]) + 0.5
    *slope, offset = guided_coefficients(share, guide01)
    for plane, value in zip((*slope, offset), (0.2, -0.4, 0.3, 0.5)):
        assert plane == pytest.approx(value, abs=0.01)
