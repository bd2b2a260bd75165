"""The parts of the synthesis against what they compute, written out."""

import dataclasses

import pytest
import torch

from sair_core.filling.texture import patches, search
from sair_core.filling.texture.canvas import build_canvas
from sair_core.filling.texture.coherence import refine
from sair_core.filling.texture.config import TextureConfig
from sair_core.filling.texture.patches import Descriptors, _principal
from sair_core.filling.texture.pyramid import Scene, grown
from sair_core.filling.texture.vote import sum_rows

CONFIG = TextureConfig(components=8)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def scene() -> Scene:
    wanted = torch.zeros(40, 52, dtype=torch.bool)
    wanted[14:25, 20:34] = True
    return Scene(draw(3, 40, 52), ~wanted, wanted, ~wanted, None, 11.0)


@pytest.mark.parametrize("values", [1_000_000, 700])  # one table, and one after another
def test_search_finds_the_nearest_both_ways(values, monkeypatch):
    monkeypatch.setattr(search, "TABLE_VALUES", values)
    targets, sources, handicap = draw(45, 12), draw(130, 12, seed=1), draw(130, seed=2)
    table = torch.cdist(targets, sources).square() + handicap
    matches, demands = search.search_all(targets, sources, handicap)
    assert torch.equal(matches.rows, table.argmin(dim=1))
    assert torch.equal(demands.rows, table.argmin(dim=0))
    torch.testing.assert_close(demands.costs, table.amin(dim=0))
    own = (targets - sources[matches.rows]).square().sum(dim=1)  # without the handicap
    torch.testing.assert_close(matches.costs, own)


@pytest.mark.parametrize("values", [1_000_000, 24])  # at once, and two pairs after the other
def test_differences_are_squared_distances(values, monkeypatch):
    monkeypatch.setattr(search, "TABLE_VALUES", values)
    targets, sources = draw(9, 12), draw(7, 12, seed=1)
    rows = torch.tensor([3, 0, 6, 6, 1, 2, 5, 4, 3])
    assert torch.equal(
        search.differences(targets, sources, rows), (targets - sources[rows]).square().sum(dim=1)
    )
    few = torch.tensor([8, 2, 2, 5])
    expected = (targets[few] - sources[rows[:4]]).square().sum(dim=1)
    assert torch.equal(search.differences(targets, sources, rows[:4], few), expected)
    assert search.differences(targets, sources, rows[:0]).shape == (0,)


@pytest.mark.parametrize("rows_at_once", [None, 3])
def test_descriptors_are_principal_components_of_patches(scene, rows_at_once, monkeypatch):
    if rows_at_once:
        monkeypatch.setattr(
            patches,
            "chunks",
            lambda count, _: [slice(i, i + rows_at_once) for i in range(0, count, rows_at_once)],
        )
    canvas = build_canvas(scene, CONFIG)
    colours, guides = canvas.place(scene.colours), draw(canvas.size, 2, seed=3)
    found = Descriptors(canvas, colours, guides, CONFIG.components)
    mean, basis = _principal(canvas, colours, CONFIG.components)
    for centres, described in (
        (canvas.sources, found.sources),
        (canvas.targets, found.of_targets(colours)),
    ):
        seen = colours[centres[:, None] + canvas.steps].flatten(1)
        expected = torch.cat([(seen - mean) @ basis, guides[centres]], dim=1)
        torch.testing.assert_close(described, expected, atol=1e-4, rtol=1e-4)


def test_sums_of_rows_are_weighted():
    table, weights = draw(30, 4), draw(9, 5, seed=1)
    rows = torch.randint(30, (9, 5), generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(sum_rows(table, rows, weights), (table[rows] * weights[..., None]).sum(dim=1))


def test_a_mask_grows_by_a_square():
    mask = torch.zeros(20, 20, dtype=torch.bool)
    mask[9, 11] = True
    expected = torch.zeros_like(mask)
    expected[6:13, 8:15] = True
    assert torch.equal(grown(mask, 3), expected)


def test_refinement_leaves_nothing_that_it_could_still_lower(scene):
    """It tries again only what depends on a change: a second run, which tries all, finds nothing more."""
    config = TextureConfig(components=8, coherence_sweeps=40)
    canvas = build_canvas(scene, config)
    colours = canvas.place(scene.colours)
    described = Descriptors(canvas, colours, colours[:, :0], config.components)
    targets = described.of_targets(colours)
    found, _ = search.search_all(targets, described.sources, torch.zeros(len(canvas.sources)))
    refined = refine(canvas, colours, targets, described.sources, found, config)
    assert (refined.rows != found.rows).any()
    # The cost of a joint is a share of the median cost, which has grown.
    share = config.fragment * float(found.costs.median() / refined.costs.median())
    config = dataclasses.replace(config, fragment=share)
    again = refine(canvas, colours, targets, described.sources, refined, config)
    assert torch.equal(again.rows, refined.rows)
