import pytest
import torch

from sair_core.training.tasks.augment import CUT, NUMBERS, Augmentation

SIDE = 40


def numbers(**changes):
    """An augmentation that changes nothing but cuts a square out at the top left."""
    places = ["brightness", "saturation", "contrast", "down", "right", "top", "left"]
    values = dict.fromkeys(places, 0.5) | {"top": 0.0, "left": 0.0} | changes
    assert len(values) == NUMBERS
    return torch.tensor([[values[name] for name in places]])


def test_a_square_is_cut_out_and_the_rest_is_as_it_was():
    rgb = torch.rand(1, 3, SIDE, SIDE)
    seen = Augmentation(numbers()).colours(rgb)
    cut = round(CUT * SIDE)
    assert (seen[..., :cut, :cut] == 0).all()
    torch.testing.assert_close(seen[..., cut:, :], rgb[..., cut:, :])
    torch.testing.assert_close(seen[..., :, cut:], rgb[..., :, cut:])


def test_hole_and_photo_move_together():
    hole = torch.zeros(1, 1, SIDE, SIDE)
    hole[..., 20:24, 20:30] = 1
    augmentation = Augmentation(numbers(down=1.0, right=0.0))
    moved = augmentation.places(hole)
    assert (moved[..., 25:29, 15:25] == 1).all() and moved.sum() == 40
    seen = augmentation.colours(0.25 + 0.5 * hole.expand(1, 3, -1, -1))
    assert (seen[..., 25:29, 15:25] > 0.7).all() and (seen[..., 38, 34] < 0.3).all()
    assert (seen[..., 35:] == 0).all()  # nothing is left there


def test_colours_change_as_they_are_told():
    torch.manual_seed(0)
    rgb = torch.rand(1, 3, SIDE, SIDE)
    inside = (..., slice(20, None), slice(20, None))
    middle = rgb[inside].mean(1, keepdim=True)
    pale = Augmentation(numbers(saturation=0.0)).colours(rgb)[inside]
    torch.testing.assert_close(pale, torch.lerp(middle, rgb[inside], 0.8))
    strong = Augmentation(numbers(saturation=1.0)).colours(rgb)[inside]
    torch.testing.assert_close(strong, torch.lerp(middle, rgb[inside], 1.2))
    brighter = Augmentation(numbers(brightness=1.0)).colours(rgb)[inside]
    torch.testing.assert_close(brighter, rgb[inside] + 0.05)
    flat = Augmentation(numbers(contrast=0.0)).colours(rgb)[inside]
    assert flat.std().item() == pytest.approx(0.85 * rgb[inside].std().item(), rel=0.02)


def test_colours_stay_those_of_photos():
    """A generator copies what augmentation does to photos: a saturation that is doubled makes fills glow."""
    torch.manual_seed(0)
    rgb = 0.2 + 0.6 * torch.rand(1, 3, SIDE, SIDE)
    inside = (..., slice(20, None), slice(20, None))
    for end in (0.0, 1.0):
        told = numbers(brightness=end, saturation=end, contrast=end)
        seen = Augmentation(told).colours(rgb)[inside]
        assert (seen - rgb[inside]).abs().max() < 0.25


def test_gradients_reach_the_fill():
    rgb = torch.rand(2, 3, SIDE, SIDE, requires_grad=True)
    Augmentation(torch.rand(2, NUMBERS)).colours(rgb).square().sum().backward()
    assert (rgb.grad != 0).float().mean() > 0.5
