import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from sair_core.coords import (
    axis_coords,
    cell_of,
    four_neighbours,
    grid_coords,
    pixel_coords,
    sample,
    sample_lanczos,
)


def test_pixels_sit_at_cell_centres():
    assert axis_coords(4).tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert axis_coords(1).tolist() == [0.0]
    grid = grid_coords((2, 4))
    assert grid.shape == (2, 4, 2)
    assert grid[1, 0].tolist() == [0.5, -0.75]  # (y, x)


def test_pixel_coords_agree_with_the_grid():
    rows, columns = torch.tensor([0, 2, 4]), torch.tensor([6, 0, 3])
    assert torch.equal(pixel_coords(rows, columns, (5, 7)), grid_coords((5, 7))[rows, columns])


def test_cell_is_the_footprint_of_a_pixel():
    assert cell_of((4, 8)).tolist() == [0.5, 0.25]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 7), (8, 8)])
def test_cell_centred_round_trip(size):
    picture = torch.rand(2, 3, *size)
    coords = grid_coords(size).flatten(0, 1).expand(2, -1, -1)
    back = sample(picture, coords).transpose(1, 2).unflatten(2, size)
    torch.testing.assert_close(back, picture, atol=1e-5, rtol=0)


def test_sample_takes_y_before_x():
    picture = torch.arange(4.0).expand(1, 1, 3, 4)  # value = column
    assert sample(picture, torch.tensor([[[0.9, -0.75]]])).item() == 0.0


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 4)])
def test_local_ensemble_is_bilinear_interpolation(size):
    features = torch.rand(1, 2, *size)
    coords = torch.rand(1, 200, 2) * 2 - 1
    index, offset, weight = four_neighbours(coords, size)
    torch.testing.assert_close(weight.sum(-1), torch.ones(1, 200))
    assert (weight >= 0).all()
    gathered = features.flatten(2)[0, :, index[0]]  # (C, N, 4)
    ensemble = (gathered * weight).sum(-1).T[None]
    grid = coords.flip(-1)[:, None]
    expected = F.grid_sample(features, grid, padding_mode="border", align_corners=False)[:, :, 0].transpose(
        1, 2
    )
    torch.testing.assert_close(ensemble, expected, atol=1e-5, rtol=1e-5)


def test_offsets_point_from_the_cell_to_the_query_in_cells():
    index, offset, _ = four_neighbours(torch.tensor([[[-0.75 + 0.1, 0.25]]]), (4, 4))  # 0.2 cells below row 0
    first = (index[0, 0] == 2).nonzero()[0, 0]  # row 0, column 2
    torch.testing.assert_close(offset[0, 0, first], torch.tensor([0.2, 0.0]), atol=1e-6, rtol=0)


def test_sampling_by_lanczos_is_pillows():
    picture = np.random.default_rng(0).random((9, 12), dtype=np.float32)
    large = Image.fromarray(picture).resize((60, 45), Image.Resampling.LANCZOS)
    found = sample_lanczos(torch.from_numpy(picture)[None, None], grid_coords((45, 60)).flatten(0, 1)[None])
    inner = np.s_[15:-15, 15:-15]  # Pillow leaves out what lies beyond the border instead of repeating it
    np.testing.assert_allclose(found.view(45, 60).numpy()[inner], np.asarray(large)[inner], atol=2e-6)


def test_sampling_by_lanczos_meets_the_pixels():
    picture = torch.rand(2, 3, 5, 7)
    found = sample_lanczos(picture, grid_coords((5, 7)).flatten(0, 1).expand(2, -1, -1))
    torch.testing.assert_close(found.transpose(1, 2).view_as(picture), picture, atol=1e-5, rtol=0)
