"""Alpha-expansion against what it minimises, written out."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from sair_core.filling.texture.canvas import build_canvas
from sair_core.filling.texture.coherence import refine
from sair_core.filling.texture.config import TextureConfig
from sair_core.filling.texture.expansion import expand, minimum_cut
from sair_core.filling.texture.pyramid import Scene
from sair_core.filling.texture.search import Matches, differences
from sair_core.filling.texture.synthesis import synthesize

CONFIG = TextureConfig(fragment=0.5, expansion_offsets=8)


def cost_of(x, rise, first, second, weight):
    return (rise * x).sum() + (weight * (1 - x[first]) * x[second]).sum()


@pytest.mark.parametrize("seed", range(20))
def test_a_cut_is_the_least_of_all_choices(seed):
    rng = np.random.default_rng(seed)
    rise, weight = rng.normal(size=9), rng.uniform(0, 0.8, 14)
    first, second = rng.integers(9, size=(2, 14))
    found = cost_of(minimum_cut(rise, first, second, weight).astype(int), rise, first, second, weight)
    every = (np.array(x) for x in itertools.product((0, 1), repeat=9))
    assert found == pytest.approx(min(cost_of(x, rise, first, second, weight) for x in every), abs=1e-6)


def test_nothing_moves_for_nothing():
    nothing = np.zeros(0, int)
    assert not minimum_cut(np.zeros(4), nothing, nothing, np.zeros(0)).any()
    assert minimum_cut(np.array([-1.0, 1.0]), nothing, nothing, np.zeros(0)).tolist() == [True, False]


@dataclasses.dataclass
class Level:
    """A level with a hole of 4 x 5 px, whose matches are drawn."""

    canvas: object
    colours: torch.Tensor
    targets: torch.Tensor
    sources: torch.Tensor
    found: Matches

    @property
    def free(self):
        return self.canvas.is_painted[self.canvas.targets].nonzero()[:, 0]

    def energy(self, found, fragment):
        """What the matches cost, pixel by pixel."""
        canvas, colours = self.canvas, self.colours
        at = {int(p): int(canvas.sources[r]) for p, r in zip(canvas.targets, found.rows)}
        painted = {int(canvas.targets[row]) for row in self.free}
        total = float(found.costs[self.free].sum())

        def apart(one, other):
            return float((colours[one] - colours[other]).square().sum())

        for place in painted:
            for step in (1, -1, canvas.width, -canvas.width):
                beside, here = place + step, at[place]
                if not canvas.is_painted[beside]:
                    total += 2 * CONFIG.joint * apart(here + step, beside)
                elif beside in painted and step > 0 and at[beside] - step != here:
                    there = at[beside]
                    total += fragment + CONFIG.joint * (apart(here + step, there) + apart(here, there - step))
        return total


@pytest.fixture
def level():
    generator = torch.Generator().manual_seed(4)
    colours = torch.rand(3, 24, 28, generator=generator)
    wanted = torch.zeros(24, 28, dtype=torch.bool)
    wanted[10:14, 12:17] = True
    scene = Scene(colours, ~wanted, wanted, ~wanted, None, 4.0)
    canvas = build_canvas(scene, dataclasses.replace(CONFIG, patch_px=3))
    targets = torch.rand(len(canvas.targets), 4, generator=generator)
    sources = torch.rand(len(canvas.sources), 4, generator=generator)
    rows = torch.randint(len(canvas.sources), (len(canvas.targets),), generator=generator)
    found = Matches(rows, differences(targets, sources, rows))
    return Level(canvas, canvas.place(colours), targets, sources, found)


def test_the_sum_falls_as_far_as_one_offset_can_lower_it(level):
    """Of one offset: whoever takes it, neither taking a pixel back nor adding one would cost less."""
    config = dataclasses.replace(CONFIG, expansion_offsets=1)
    fragment = float(config.fragment * level.found.costs.median())
    arguments = (level.canvas, level.colours, level.targets, level.sources)
    begun = level.energy(level.found, fragment)
    once = expand(*arguments, level.found, config)
    assert level.energy(once, fragment) < begun and not torch.equal(once.rows, level.found.rows)
    torch.testing.assert_close(once.costs, differences(level.targets, level.sources, once.rows))
    changed = (once.rows != level.found.rows).nonzero()[:, 0]
    offsets = level.canvas.sources[once.rows[changed]] - level.canvas.targets[changed]
    assert len(offsets.unique()) == 1
    # Neither taking a pixel back nor adding one lowers it further.
    for row in level.free:
        place = level.canvas.row_of_source(level.canvas.targets[row] + offsets[0])
        other = level.found.rows[row] if row in changed else place
        if other >= 0:
            rows = once.rows.clone()
            rows[row] = other
            tried = Matches(rows, differences(level.targets, level.sources, rows))
            assert level.energy(tried, fragment) >= level.energy(once, fragment) - 1e-4


def test_more_offsets_lower_it_further_and_refinement_continues(level):
    fragment = float(CONFIG.fragment * level.found.costs.median())
    arguments = (level.canvas, level.colours, level.targets, level.sources)
    sums = [level.energy(level.found, fragment)]
    for count in (1, 4, 8):
        config = dataclasses.replace(CONFIG, expansion_offsets=count)
        sums.append(level.energy(expand(*arguments, level.found, config), fragment))
    assert sums == sorted(sums, reverse=True) and sums[1] < sums[0] and sums[3] < sums[1]
    expanded = expand(*arguments, level.found, CONFIG)
    share = CONFIG.fragment * float(level.found.costs.median() / expanded.costs.median())
    refined = refine(*arguments, expanded, dataclasses.replace(CONFIG, fragment=share))
    assert level.energy(refined, fragment) <= sums[3] + 1e-4  # both count the same joints


@pytest.mark.parametrize("off", [{"expansion_offsets": 0}, {"expansion_px": 19}])
def test_it_can_be_left_out(level, off):
    arguments = (level.canvas, level.colours, level.targets, level.sources)
    assert expand(*arguments, level.found, dataclasses.replace(CONFIG, **off)) is level.found


def test_pieces_become_larger():
    """Of stripes that are torn in the photo: fewer neighbours in the fill come from different places."""
    rng = np.random.default_rng(2)
    photo = np.tile(rng.random((1, 96, 3), np.float32), (96, 1, 1))
    photo = (photo + rng.normal(0, 0.15, photo.shape)).clip(0, 1).astype(np.float32)
    hole = np.zeros((96, 96), bool)
    hole[34:62, 34:62] = True

    def joints(offsets):
        config = TextureConfig(expansion_offsets=offsets)
        source_yx = synthesize(photo, hole, config=config).source_yx - np.argwhere(hole)
        grid = source_yx.reshape(28, 28, 2)
        return (grid[1:] != grid[:-1]).any(axis=2).sum() + (grid[:, 1:] != grid[:, :-1]).any(axis=2).sum()

    assert joints(20) < 0.9 * joints(0)
