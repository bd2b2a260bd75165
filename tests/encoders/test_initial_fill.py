import pytest
import torch

from sair_core.encoders.initial_fill import INITIAL_FILLS, pull_push, zero


@pytest.mark.parametrize("fill", INITIAL_FILLS.values(), ids=INITIAL_FILLS)
@pytest.mark.parametrize("size", [(1, 1), (1, 13), (37, 22), (64, 64)])
def test_known_pixels_stay_and_hidden_ones_are_never_used(fill, size):
    torch.manual_seed(0)
    rgb, hole = torch.rand(2, 3, *size), (torch.rand(2, 1, *size) > 0.5).float()
    other = torch.where(hole > 0, torch.rand_like(rgb), rgb)
    filled = fill(rgb, hole)
    assert torch.equal(filled * (1 - hole), rgb * (1 - hole))
    torch.testing.assert_close(filled, fill(other, hole))
    assert torch.isfinite(filled).all() and filled.min() >= 0 and filled.max() <= 1


def test_zero_is_the_papers_input():
    rgb, hole = torch.rand(1, 3, 4, 4), torch.ones(1, 1, 4, 4)
    assert zero(rgb, hole).abs().max() == 0


def test_pull_push_keeps_a_constant_and_follows_a_slope():
    hole = torch.zeros(1, 1, 64, 64)
    hole[..., 20:44, 20:44] = 1
    flat = torch.full((1, 3, 64, 64), 0.3)
    torch.testing.assert_close(pull_push(flat, hole), flat)
    slope = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    error = (pull_push(slope, hole) - slope).abs() * hole
    assert error.max() < 0.13  # a mean fill is wrong by 0.19 at the sides
    assert error.sum() / (3 * hole.sum()) < 0.06


def test_all_hole_is_black():
    assert pull_push(torch.rand(1, 3, 9, 9), torch.ones(1, 1, 9, 9)).abs().max() == 0
