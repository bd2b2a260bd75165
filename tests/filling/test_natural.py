"""Texture from the photo itself, through the pipeline."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sair_core.errors import CancelledError, ConfigError, EmptyMaskError, MaskSizeError
from sair_core.filling.natural import MIN_SOURCE_PX, SMOOTH, Sources, prefer_named
from sair_core.filling.texture import TextureConfig
from sair_core.pipeline import InpaintPipeline
from tests.conftest import disc

MASK = disc((96, 128), (48, 64), 14)


@pytest.fixture(scope="module")
def natural(tiny_pipe) -> InpaintPipeline:
    """An untrained model's fill as the guide: texture does not need a good one to be texture."""
    return InpaintPipeline(tiny_pipe.model, device="cpu", texture=TextureConfig(rounds=(1, 2)))


def halves(height: int = 96, width: int = 128) -> np.ndarray:
    """Red noise on the left, blue noise on the right."""
    noise = np.random.default_rng(0).integers(0, 120, (height, width))
    photo = np.zeros((height, width, 3), np.uint8)
    photo[:, : width // 2, 0] = 135 + noise[:, : width // 2]
    photo[:, width // 2 :, 2] = 135 + noise[:, width // 2 :]
    return photo


def test_texture_is_the_default_of_a_sair_and_not_of_an_spn(tiny_pipe, spn_pipe):
    assert InpaintPipeline(tiny_pipe.model, device="cpu").texture is True and spn_pipe.texture is False
    photo = halves()
    textured = InpaintPipeline(tiny_pipe.model, device="cpu").fill(photo, MASK).photo.rgb
    left = MASK & (np.arange(128) < 56)
    plain = tiny_pipe.fill(photo, MASK).photo.rgb
    assert textured[left, 0].std() > 2 * plain[left, 0].std()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16"])
def test_known_pixels_are_the_photos_in_every_mode(natural, mode):
    photo = Image.fromarray(halves())
    if mode == "I;16":
        photo = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257 + 3)
    else:
        photo = photo.convert(mode)
    before, after = (
        np.atleast_3d(np.asarray(photo)),
        np.atleast_3d(np.asarray(natural.fill(photo, MASK).image)),
    )
    assert after.dtype == before.dtype and np.array_equal(after[~MASK], before[~MASK])
    assert not np.array_equal(after[MASK, 0], before[MASK, 0])
    if mode in ("RGBA", "LA"):
        assert np.array_equal(after[..., -1], before[..., -1])


def test_sixteen_bits_of_texture_stay_sixteen_bits(natural):
    deep = np.random.default_rng(1).integers(20_000, 50_000, (96, 128)).astype(np.uint16)
    filled = np.asarray(natural.fill(Image.fromarray(deep), MASK).image)[MASK]
    assert len(np.unique(filled)) > 300  # more than eight bits tell apart


def test_what_is_transparent_is_not_copied(natural):
    rgba = np.dstack([halves(), np.full((96, 128), 255, np.uint8)])
    rgba[:, 96:] = (0, 255, 0, 0)  # a colour that nobody sees
    filled = np.asarray(natural.fill(Image.fromarray(rgba), MASK).image)[MASK]
    assert filled[:, 1].max() < 128


def test_seeds_give_other_fills_and_each_the_same_again(natural):
    photo = halves()
    three = natural.variations(photo, MASK, 3, seed=5)
    assert [one.seed for one in three] == [5, 6, 7] and natural.draws
    again = natural.fill(photo, MASK, seed=6).photo.rgb
    assert np.array_equal(three[1].photo.rgb, again)
    for one, other in zip(three, three[1:]):
        assert not np.array_equal(one.photo.rgb, other.photo.rgb)


def test_a_source_is_all_that_is_taken_from(natural):
    photo, source = halves(), np.zeros((96, 128), bool)
    source[:, :56] = True  # the red half, and some of the hole
    filled = natural.fill(photo, MASK, source=source, texture=TextureConfig(screening=10)).photo.rgb[MASK]
    assert np.median(filled[:, 0]) > 100 and np.median(filled[:, 2]) < 50


def test_masks_may_lie_as_their_photo_is_stored(natural):
    """A mask and a source that were made by a program that passes over the orientation of photos."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[274] = 6
    Image.fromarray(halves()).save(file, "PNG", exif=exif)
    source = np.zeros((96, 128), bool)
    source[:, :56] = True
    stored = natural.fill(file.getvalue(), MASK, source=source).photo
    upright = natural.fill(file.getvalue(), np.rot90(MASK, -1), source=np.rot90(source, -1)).photo
    assert stored.size_px == (128, 96) and np.array_equal(stored.rgb, upright.rgb)


def test_a_source_that_cannot_be_used_is_refused(natural):
    photo = halves()
    with pytest.raises(EmptyMaskError, match="outside the hole"):
        natural.fill(photo, MASK, source=MASK)
    with pytest.raises(MaskSizeError):
        natural.fill(photo, MASK, source=np.ones((10, 30), bool))
    with pytest.raises(ConfigError, match="takes none"):
        natural.fill(photo, MASK, source=~MASK, texture=False)


def test_named_sources_are_taken_where_there_are_enough():
    named = np.zeros((40, 40), bool)
    named[:20] = True
    assert prefer_named(named, Sources(), "grass").pixels is named
    few = named & (np.arange(1600).reshape(40, 40) < MIN_SOURCE_PX - 1)
    found = prefer_named(few, Sources(), "grass")
    assert found.pixels is None and "grass" in found.note
    brushed = prefer_named(named, Sources(np.roll(named, 8, axis=0)), "grass")
    assert np.count_nonzero(brushed.pixels) == 12 * 40 and not brushed.note


def test_all_hole_but_a_rim_stays_smooth_and_says_so(natural):
    hole = np.ones((96, 128), bool)
    hole[:2] = False
    result = natural.fill(halves(), hole)
    assert result.note == SMOOTH
    assert np.array_equal(result.photo.rgb[:2], halves()[:2])


@pytest.mark.parametrize("after", [0, 1, 3, 6])
def test_a_fill_is_cancelled_at_every_stage(natural, after):
    asked = []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) > after

    with pytest.raises(CancelledError):
        natural.fill(halves(), MASK, cancelled=cancelled)
    assert len(asked) == after + 1  # and nobody goes on


def test_progress_rises_to_one(natural):
    shares: list[float] = []
    natural.variations(halves(), MASK, 2, progress=lambda share, text: shares.append(share))
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) > 4


def test_a_view_shows_the_same_fill(natural):
    photo = halves()
    view = np.asarray(natural.view(photo, MASK, scale=1.0, size_px=(96, 128)))
    assert np.array_equal(view, natural.fill(photo, MASK).photo.rgb)
