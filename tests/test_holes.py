import numpy as np
import pytest
import torch

from sair_core.holes import check_shapes, hole_share, to_hole01, to_rgb01
from sair_core.photos.photo import load_photo


def test_a_photo_and_its_hole_as_tensors():
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    photo = load_photo(rgb)
    rgb01, hole01 = to_rgb01(photo.rgb), to_hole01(rgb[..., 0] > 99)
    assert rgb01.shape == (1, 3, 5, 7) and hole01.shape == (1, 1, 5, 7)
    assert rgb01.dtype == hole01.dtype == torch.float32
    np.testing.assert_array_equal(rgb01[0].permute(1, 2, 0).numpy(), rgb.astype(np.float32) / 255)
    np.testing.assert_array_equal(hole01[0, 0].numpy(), (rgb[..., 0] > 99).astype(np.float32))
    rgb01.zero_()
    np.testing.assert_array_equal(photo.rgb, rgb, "the photo's pixels are its own")


def test_the_share_of_hole_in_a_cell():
    hole = np.zeros((4, 6), bool)
    hole[:2, :3] = True
    np.testing.assert_allclose(hole_share(to_hole01(hole), (2, 2))[0, 0], [[1, 0], [0, 0]])
    np.testing.assert_allclose(hole_share(to_hole01(hole), (1, 3))[0, 0], [[0.5, 0.25, 0]])


@pytest.mark.filterwarnings("error")
def test_a_mask_that_is_read_only_is_no_matter():
    hole = np.eye(3, dtype=bool)
    hole.setflags(write=False)
    hole01 = to_hole01(hole)
    hole01.zero_()
    assert hole.trace() == 3


def test_pictures_and_holes_that_do_not_belong_together_are_refused():
    rgb01 = torch.zeros(2, 3, 4, 6)
    check_shapes(rgb01, torch.zeros(2, 1, 4, 6))
    for rgb, hole in (
        (rgb01[0], torch.zeros(2, 1, 4, 6)),
        (rgb01[:, :1], torch.zeros(2, 1, 4, 6)),
        (rgb01, torch.zeros(1, 1, 4, 6)),
        (rgb01, torch.zeros(2, 1, 6, 4)),
        (rgb01, torch.zeros(2, 4, 6)),
    ):
        with pytest.raises(ValueError, match=r"want rgb01 \(B, 3, H, W\) and hole01 \(B, 1, H, W\)"):
            check_shapes(rgb, hole)
