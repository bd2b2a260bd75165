"""Guided exemplar synthesis: what must come out where the right answer is known, and what must never."""

import weakref

import numpy as np
import pytest
import torch

from sair_core.errors import CancelledError, ConfigError, MaskSizeError
from sair_core.filling.texture import TextureConfig, synthesis, synthesize
from sair_core.filling.texture.synthesis import NOWHERE


def disc(size_px, centre, radius_px):
    y, x = np.ogrid[: size_px[0], : size_px[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius_px**2


def noise(size_px, seed=0, channels=3, colour=(0.5, 0.5, 0.5), strength=0.2):
    draw = np.random.default_rng(seed)
    values = np.asarray(colour)[:channels] + strength * (draw.random((*size_px, channels)) - 0.5)
    return values.astype(np.float32)


def waves(size_px=(96, 112), period_px=(12, 16)):
    y, x = np.mgrid[: size_px[0], : size_px[1]]
    rows, columns = (np.sin(2 * np.pi * i / n) for i, n in zip((y, x), period_px))
    return np.stack(
        [0.5 + 0.2 * rows + 0.2 * columns, 0.5 + 0.4 * rows * columns, 0.5 - 0.3 * columns], -1
    ).astype(np.float32)


def filled(photo, hole, **options):
    """The filled photo. What lies in the hole is hidden first, so no test can pass by looking there."""
    hidden = photo.copy()
    hidden[hole] = 7.0
    result = synthesize(hidden, hole, **options)
    hidden[hole] = result.colours
    return hidden, result


SKY_AND_GRASS = (96, 80)


def sky_and_grass():
    """A smooth blue upper half, a grainy green lower one."""
    photo = np.concatenate(
        [
            noise((48, 80), 1, colour=(0.4, 0.6, 0.9), strength=0.02),
            noise((48, 80), 2, colour=(0.3, 0.5, 0.1)),
        ]
    )
    return photo, disc(SKY_AND_GRASS, (48, 40), 17)


def test_a_periodic_texture_goes_on_without_a_step():
    photo = waves()
    hole = disc(photo.shape[:2], (50, 55), 20)
    out, result = filled(photo, hole)
    assert result.possible
    for channel in range(3):
        assert np.corrcoef(out[hole][:, channel], photo[hole][:, channel])[0, 1] > 0.98
    assert np.abs(np.diff(out, axis=0)).max() < 1.5 * np.abs(np.diff(photo, axis=0)).max()


def test_two_textures_keep_the_line_between_them():
    photo, hole = sky_and_grass()
    out, _ = filled(photo, hole)
    blue = out[..., 2] > 0.5
    assert blue[:44][hole[:44]].mean() > 0.97
    assert blue[52:][hole[52:]].mean() < 0.03


def test_the_guide_says_which_colours_belong_where():
    """A hole wholly inside the sky, where the guide expects grass, and with it off."""
    photo, _ = sky_and_grass()
    hole = disc(SKY_AND_GRASS, (22, 40), 12)
    guide = photo.copy()
    guide[hole] = (0.3, 0.5, 0.1)
    inside = disc(SKY_AND_GRASS, (22, 40), 6)
    guided, _ = filled(photo, hole, guide01=guide[hole], config=TextureConfig(colour_guide=2.0))
    alone, _ = filled(photo, hole, guide01=guide[hole], config=TextureConfig(colour_guide=0.0))
    assert guided[inside].mean(axis=0)[2] < 0.5
    assert alone[inside].mean(axis=0)[2] > 0.8


def test_semantics_say_which_region_texture_comes_from():
    """Two regions of the same colours, one of them grainy; the hole lies in the smooth one."""
    photo = np.concatenate([noise((64, 60), 1, strength=0.0), noise((64, 60), 2, strength=0.6)], axis=1)
    hole = disc((64, 120), (32, 30), 12)
    grainy = hole.copy()
    grainy[:, 60:] = True  # what the embedding knows of the right half, and expects in the hole
    meant = np.stack([~grainy, grainy]).astype(np.float32)
    grain = {}
    for weight in (0.0, 5.0):
        config = TextureConfig(semantic_guide=weight, texture_energy=0.0)
        out, _ = filled(photo, hole, semantics=torch.from_numpy(meant), config=config)
        grain[weight] = out[disc((64, 120), (32, 30), 8)].std()
    assert grain[0.0] < 0.02 < 0.1 < grain[5.0]


def test_nothing_is_taken_from_outside_the_sources():
    photo, hole = sky_and_grass()
    sources = np.zeros(hole.shape, bool)
    sources[60:90, 5:75] = True
    _, result = filled(photo, hole, sources=sources)
    assert result.possible
    assert sources[tuple(result.source_yx.T)].all()


@pytest.mark.parametrize("places", [[(100, 1100, 90)], [(10, 1300, 40), (600, 1000, 60)]])
def test_sources_far_from_the_hole_are_reached(places):
    photo = noise((700, 1400))
    hole = disc(photo.shape[:2], (320, 120), 25)
    sources = np.zeros(hole.shape, bool)
    for top, left, side in places:
        sources[top : top + side, left : left + side] = True
    _, result = filled(photo, hole, sources=sources, semantics=torch.rand(4, 7, 14))
    assert result.possible
    assert sources[tuple(result.source_yx.T)].all()


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_taken_from_any_hole_or_from_what_has_no_colours(seed):
    photo = noise((90, 90), seed, strength=0.5)
    hole = disc((90, 90), (30, 30), 12) | disc((90, 90), (60, 70), 9)
    valid = np.ones((90, 90), bool)
    valid[:, :14] = False
    photo[~valid] = np.nan  # would spread to anything that reads it
    _, result = filled(photo, hole, valid=valid, seed=seed)
    assert not hole[tuple(result.source_yx.T)].any()
    assert valid[tuple(result.source_yx.T)].all()
    assert np.isfinite(result.colours).all()


def test_a_seed_means_one_fill_and_other_seeds_others():
    photo = noise((80, 80), 3, strength=0.6)
    hole = disc((80, 80), (40, 40), 14)
    first, again, other = (synthesize(photo, hole, seed=seed).colours for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert np.abs(first - other).mean() > 0.05


def test_cancelling_stops_before_any_round_of_the_search():
    photo, hole = sky_and_grass()
    shares = []
    synthesize(photo, hole, progress=lambda share, text: shares.append(share))
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) > 5
    for stop_at in range(len(shares) - 1):
        asked = iter(range(len(shares)))
        with pytest.raises(CancelledError):
            synthesize(photo, hole, cancelled=lambda: next(asked) >= stop_at)  # noqa: B023
        assert next(asked) == stop_at + 1


HOLES = {
    "one pixel": lambda h, w: np.eye(h, w, dtype=bool) & disc((h, w), (20, 20), 0),
    "edge": lambda h, w: disc((h, w), (h - 1, w // 2), 13),
    "corner": lambda h, w: disc((h, w), (0, 0), 17),
    "wire": lambda h, w: np.arange(w)[None].repeat(h, 0) == np.arange(h)[:, None] + 5,
    "three blobs, two of which touch": lambda h, w: (
        disc((h, w), (20, 20), 9) | disc((h, w), (20, 37), 8) | disc((h, w), (60, 60), 7)
    ),
    "from edge to edge": lambda h, w: (np.abs(np.arange(h) - 40) < 8)[:, None].repeat(w, 1),
}


@pytest.mark.parametrize("name", HOLES)
def test_holes_of_every_kind_are_filled_with_the_texture_around_them(name):
    photo = waves((84, 92))
    hole = HOLES[name](84, 92)
    out, result = filled(photo, hole)
    assert result.possible
    assert np.array_equal(out[~hole], photo[~hole])
    assert np.abs(out[hole] - photo[hole]).mean() < 0.03


def test_a_hole_that_leaves_only_a_rim_says_so_and_keeps_the_guide():
    photo = noise((60, 70))
    hole = np.ones((60, 70), bool)
    hole[:3] = False
    guide = np.full_like(photo, 0.25)
    _, result = filled(photo, hole, guide01=guide[hole])
    assert not result.possible and not result.filled.any()
    assert (result.source_yx == NOWHERE).all()
    assert np.array_equal(result.colours, guide[hole])


def test_a_photo_smaller_than_a_patch_says_so():
    hole = np.zeros((5, 5), bool)
    hole[2, 2] = True
    assert not synthesize(noise((5, 5)), hole).possible


def test_a_constant_photo_stays_constant():
    photo = np.full((50, 50, 3), 0.3, np.float32)
    out, result = filled(photo, disc((50, 50), (25, 25), 10))
    assert result.possible
    assert np.abs(out - 0.3).max() < 1e-4


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_channels_and_depth_are_the_photos_own(channels):
    """Grey, grey with alpha, RGBA; steps far finer than 8 bits arrive in the hole."""
    y, x = np.mgrid[:72, :72]
    grey = 0.5 + 0.002 * np.sin(2 * np.pi * (y + x) / 9)
    photo = np.repeat(grey[..., None], channels, axis=2).astype(np.float32)
    hole = disc((72, 72), (36, 36), 12)
    out, _ = filled(photo, hole)
    assert out.shape == photo.shape
    assert np.abs(out - photo)[hole].max() < 1 / 65535 * 20


def test_light_that_changes_across_the_photo_leaves_no_step():
    """The same texture under a gradient of light: copied colours are wrong, copied differences right."""
    photo = waves((96, 96)) * 0.5 + np.linspace(0, 0.4, 96, dtype=np.float32)[None, :, None]
    hole = disc((96, 96), (48, 48), 16)
    out, _ = filled(photo, hole)
    assert np.abs(out - photo)[hole].mean() < 0.03


def test_sizes_that_differ_are_refused():
    photo = noise((40, 40))
    with pytest.raises(MaskSizeError):
        synthesize(photo, np.zeros((40, 41), bool))
    with pytest.raises(MaskSizeError):
        synthesize(photo, np.zeros((40, 40), bool), sources=np.ones((39, 40), bool))


@pytest.mark.parametrize(
    "options", [{"patch_px": 8}, {"rounds": ()}, {"components": 0}, {"joint": -1.0}, {"screening": 0.0}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        TextureConfig(**options)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_fills_as_the_cpu_does():
    photo = waves()
    hole = disc(photo.shape[:2], (50, 55), 20)
    cpu, gpu = (synthesize(photo, hole, device=device).colours for device in ("cpu", "cuda"))
    assert np.abs(cpu - gpu).mean() < 0.01


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_whole_numbers_are_read_as_the_colours_that_they_stand_for(dtype):
    photo = (waves() * np.iinfo(dtype).max).astype(dtype)
    hole = disc(photo.shape[:2], (50, 55), 20)
    own = synthesize(photo, hole)
    floats = synthesize(photo.astype(np.float32) / np.iinfo(dtype).max, hole)
    np.testing.assert_array_equal(own.colours, floats.colours)
    np.testing.assert_array_equal(own.source_yx, floats.source_yx)


def test_a_guide_for_another_hole_is_refused():
    with pytest.raises(MaskSizeError, match="guide"):
        synthesize(noise((40, 40)), disc((40, 40), (20, 20), 5), guide01=np.zeros((3, 3), np.float32))


def test_a_level_is_searched_without_the_pictures_that_it_was_laid_out_from(monkeypatch):
    build, improve = synthesis.build_pyramid, synthesis._improve
    scenes, alive = [], []

    def remember(*given):
        built = build(*given)
        scenes[:] = [weakref.ref(scene) for scene in built]
        return built

    def count(*given):
        alive.append([scene() is not None for scene in scenes])
        return improve(*given)

    monkeypatch.setattr(synthesis, "build_pyramid", remember)
    monkeypatch.setattr(synthesis, "_improve", count)
    photo = noise((96, 112))
    filled(photo, disc(photo.shape[:2], (48, 56), 18), guide01=None)
    levels = len(scenes)
    assert levels > 1
    assert alive == [[level < now for level in range(levels)] for now in reversed(range(levels))]
