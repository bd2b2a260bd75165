import pytest
import torch
import torch.nn.functional as F

from sair_core.errors import ConfigError
from sair_core.models.selection import (
    CHANNELS,
    MAX_POINTS,
    Meaning,
    SelectionConfig,
    SelectionNet,
    click_maps,
)

TINY = SelectionConfig(widths=(16, 16, 16, 16), blocks=1, work_px=64)
THINGS, ALIKE, NAMED, COLOURED, NEAR, FAR = 3, 4, 5, 6, 7, 8  # channels; those of outside points follow
INSIDE = slice(4, 9)


@pytest.fixture
def rgb01() -> torch.Tensor:
    """Red on the left, green on the right, 32 x 48."""
    rgb01 = torch.zeros(3, 32, 48)
    rgb01[0, :, :24], rgb01[1, :, 24:] = 0.8, 0.8
    return rgb01


@pytest.fixture
def meaning() -> Meaning:
    """Two kinds of place, in cells 4 x 6: the left half is named by a thing, the right half by stuff."""
    vectors = torch.zeros(5, 4, 6)
    vectors[0, :, :3], vectors[1, :, 3:] = 1, 1
    return Meaning(vectors, vectors[:2].clone(), 1)


def test_maps_say_what_is_like_the_points(rgb01, meaning):
    maps = click_maps(rgb01, meaning, torch.tensor([[0.25, 0.5]]), torch.tensor([True]))
    assert maps.shape == (CHANNELS, 32, 48)
    assert torch.equal(maps[:3], rgb01 - 0.5)
    for channel in (THINGS, ALIKE, NAMED, COLOURED):
        assert maps[channel, :, :12].min() > 0.99, channel
        assert maps[channel, :, 36:].max() < 0.01, channel
    assert maps[NEAR].argmax() == 16 * 48 + 12 == maps[FAR].argmax()
    assert maps[NEAR].sum() < maps[FAR].sum()
    assert not maps[INSIDE.stop :].any()  # there is no point outside


def test_points_outside_have_maps_of_their_own(rgb01, meaning):
    places, inside = torch.tensor([[0.25, 0.5], [0.9, 0.1]]), torch.tensor([True, False])
    maps = click_maps(rgb01, meaning, places, inside)
    swapped = click_maps(rgb01, meaning, places, ~inside)
    assert torch.equal(maps[INSIDE], swapped[INSIDE.stop :])
    assert torch.equal(maps[INSIDE.stop :], swapped[INSIDE])


def test_many_points_cost_no_more(rgb01, meaning):
    places = torch.rand(1000, 2, generator=torch.Generator().manual_seed(0))
    every = torch.linspace(0, 999, MAX_POINTS).long()
    some = torch.ones(1000, dtype=torch.bool)
    few = click_maps(rgb01, meaning, places[every], some[every])
    assert torch.equal(click_maps(rgb01, meaning, places, some), few)


def test_a_part_of_a_meaning(meaning):
    y, x = torch.tensor([0.125, 0.375]), torch.tensor([1 / 12, 0.5, 11 / 12])
    part = meaning.sample(torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1))
    assert part.vectors.shape == (5, 2, 3) and part.things == 1
    assert torch.allclose(part.shares[0], torch.tensor([1, 0.5, 0]).expand(2, 3), atol=1e-5)
    assert torch.allclose(part.vectors.norm(dim=0), torch.ones(2, 3))


@pytest.mark.parametrize("size_px", [(16, 16), (32, 48)])
def test_a_logit_for_every_place(size_px):
    torch.manual_seed(0)
    model = SelectionNet(TINY).eval()
    assert model(torch.rand(2, CHANNELS, *size_px)).shape == (2, 1, *size_px)


def test_photos_are_searched_at_whole_multiples():
    model = SelectionNet(TINY)
    assert model.work_size((3000, 4000)) == (48, 64)
    assert model.work_size((1, 500)) == (16, 64) and model.work_size((1, 1)) == (16, 16)


def test_it_is_saved_and_loaded(tmp_path):
    torch.manual_seed(0)
    model = SelectionNet(TINY).eval()
    model.save_pretrained(tmp_path)
    again = SelectionNet.from_pretrained(tmp_path).eval()
    maps = torch.rand(1, CHANNELS, 16, 16)
    assert again.config == TINY and torch.equal(model(maps), again(maps))


@pytest.mark.parametrize(
    "wrong", [{"widths": (8, 8)}, {"widths": (16, 16, 16, 20)}, {"blocks": 0}, {"work_px": 8}]
)
def test_wrong_configurations(wrong):
    with pytest.raises(ConfigError):
        SelectionConfig(**wrong)


def test_vectors_of_any_dimension(rgb01):
    for dimension in (2, 300):
        vectors = F.normalize(torch.rand(dimension, 4, 6), dim=0)
        maps = click_maps(rgb01, Meaning(vectors, vectors[:2], 1), torch.rand(1, 2), torch.tensor([True]))
        assert maps.isfinite().all()
