"""Colours under transparency, whole and partial."""

import io

import numpy as np
import pytest
from PIL import Image

from sair_core.photos.alpha import REACH_PX, SOLID
from sair_core.photos.photo import load_photo


def test_colours_under_transparency_are_those_beside_it():
    pixels = np.zeros((33, 47, 4), np.uint8)
    pixels[8:20, 10:30] = (240, 10, 30, 255)
    pixels[8, 10, 3] = 255
    photo = load_photo(pixels)
    assert (photo.rgb == (240, 10, 30)).all()
    np.testing.assert_array_equal(photo.pixels, pixels)
    clear = load_photo(np.zeros((5, 5, 4), np.uint8))
    assert not clear.rgb.any()


@pytest.mark.parametrize("type", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha01", [0.0, 0.004, 0.02])
def test_what_hardly_shows_is_not_seen(type, alpha01):
    top = np.iinfo(type).max
    pixels = np.full((24, 32, 4), top, type)
    pixels[:, 16:, :3] = 0  # black, where next to nothing of it shows
    pixels[:, 16:, 3] = round(alpha01 * top)
    photo = load_photo(pixels)
    seen = photo.colours if alpha01 == 0 else photo.colours[:, : 16 + REACH_PX]
    assert seen.min() >= (1 - 3 * alpha01 / SOLID) * top - 1
    np.testing.assert_array_equal(photo.pixels, pixels)


def test_colours_that_show_are_seen_as_they_are():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 4)).astype(np.uint8)
    pixels[..., 3] = np.maximum(pixels[..., 3], 255 * SOLID + 1)
    np.testing.assert_array_equal(load_photo(pixels).colours, pixels[..., :3])


def test_a_photo_that_hardly_shows_at_all_keeps_its_colours():
    pixels = np.full((9, 13, 4), 200, np.uint8)
    pixels[..., 3] = 2
    assert (load_photo(pixels).rgb == 200).all()


@pytest.mark.parametrize("scale", [1.0, 0.5, 3.0])
def test_an_export_has_no_rim_of_what_hardly_shows(tiny_pipe, tmp_path, scale):
    disc = np.hypot(*(np.mgrid[:48, :48] - 23.5)) < 15
    pixels = np.full((48, 48, 4), 240, np.uint8)
    pixels[~disc] = (0, 0, 0, 2)
    pixels[disc, 3] = 255
    tiny_pipe.export(load_photo(pixels), tmp_path / "x.png", scale=scale)
    written = np.asarray(Image.open(io.BytesIO((tmp_path / "x.png").read_bytes()))).astype(float)
    shown = written[..., :3] * written[..., 3:] / 255 + 240 * (1 - written[..., 3:] / 255)
    assert shown.min() > 230
