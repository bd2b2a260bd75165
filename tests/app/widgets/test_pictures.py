import io

import numpy as np
import pytest
from PIL import Image

from app.widgets import pictures as display
from app.widgets.pictures import (
    describe_labels,
    encode_map,
    encode_mask,
    encode_patches,
    encode_preview,
    fit_display,
    reduce_mask,
)
from sair_core.photos.alpha import SOLID
from sair_core.photos.masks import as_mask, mask_to_image
from sair_core.photos.photo import load_photo
from sair_core.semantics.map import SemanticMap


def decode(picture):
    return np.asarray(Image.open(io.BytesIO(picture.data)))


def test_only_huge_photos_are_reduced_for_display():
    assert fit_display((3000, 4000)) == (3000, 4000)
    height, width = fit_display((7000, 7000))
    assert height == width and height * width <= display.MAX_DISPLAY_PIXELS


def test_preview_shows_the_very_pixels_and_the_profile(noise):
    image = Image.fromarray(noise)
    image.info["icc_profile"] = b"some profile"
    picture = encode_preview(load_photo(image))
    assert np.array_equal(decode(picture), noise)
    assert Image.open(io.BytesIO(picture.data)).info["icc_profile"] == b"some profile"


def test_preview_keeps_transparency(noise):
    rgba = np.dstack([noise, np.tile(np.arange(120, dtype=np.uint8), (90, 1))])
    preview = decode(encode_preview(load_photo(rgba)))
    np.testing.assert_array_equal(preview[..., 3], rgba[..., 3])
    shown = rgba[..., 3] >= 255 * SOLID  # elsewhere the colours beside it go on
    np.testing.assert_array_equal(preview[shown], rgba[shown])


def test_large_previews_are_jpeg(monkeypatch, noise):
    monkeypatch.setattr(display, "MAX_LOSSLESS_PIXELS", 100)
    assert encode_preview(load_photo(noise)).suffix == "jpg"


@pytest.mark.parametrize("blobs", [1, 3, 60])
def test_patches_cover_every_hole_with_a_margin(blobs):
    rng = np.random.default_rng(blobs)
    photo = load_photo(rng.integers(0, 256, (700, 900, 3), dtype=np.uint8))
    mask = np.zeros((700, 900), bool)
    for y, x in zip(rng.integers(0, 690, blobs), rng.integers(0, 890, blobs), strict=True):
        mask[y : y + 9, x : x + 9] = True
    shown = np.zeros((700, 900), bool)
    found = encode_patches(photo, mask)
    for one in found:
        box = slice(one.y, one.y + one.height), slice(one.x, one.x + one.width)
        assert np.array_equal(decode(one), photo.rgb[box])
        shown[box] = True
    assert shown[mask].all() and len(found) <= display.MAX_PATCHES
    ys, xs = np.nonzero(mask)
    assert shown[np.clip(ys - 4, 0, 699), np.clip(xs + 4, 0, 899)].all()


def test_a_mask_is_cut_to_its_painted_part():
    mask = np.zeros((50, 60), bool)
    mask[10:20, 30:45] = True
    mask[12, 33] = False
    picture = encode_mask(mask)
    assert (picture.x, picture.y, picture.width, picture.height) == (30, 10, 15, 10)
    assert np.array_equal(decode(picture)[..., -1] > 0, mask[10:20, 30:45])
    assert encode_mask(np.zeros((5, 5), bool)) is None


@pytest.mark.parametrize("have, shown", [((97, 131), (40, 54)), ((50, 60), (50, 60)), ((9, 9), (8, 5))])
def test_a_reduced_mask_covers_all_that_it_was(have, shown):
    mask = np.random.default_rng(0).random(have) < 0.03
    small = reduce_mask(mask, shown)
    assert small.shape == shown
    large = as_mask(mask_to_image(small).resize(have[::-1], Image.Resampling.NEAREST))
    assert large[mask].all() and large.sum() <= mask.sum() * np.ceil(np.divide(have, shown)).prod()
    assert not reduce_mask(np.zeros(have, bool), shown).any()


def test_a_map_travels_with_its_confidence_and_is_bounded(monkeypatch):
    ids = np.repeat(np.arange(4, dtype=np.uint8), 50)[:, None].repeat(300, axis=1)
    confidence = np.linspace(0, 1, 300, dtype=np.float32)[None].repeat(200, axis=0)
    found = SemanticMap(tuple("abcd"), ids, confidence, np.zeros((1, 1, 1), np.float16))
    picture = encode_map(found)
    assert np.array_equal(decode(picture)[..., 0], ids)
    assert np.abs(decode(picture)[..., 1] / 255 - confidence).max() < 0.003
    monkeypatch.setattr(display, "MAX_MAP_PIXELS", 200 * 300 // 4)
    small = encode_map(found)
    assert decode(small).shape == (100, 150, 3) and (small.width, small.height) == (300, 200)
    assert np.array_equal(decode(small)[..., 0], ids[1::2, 1::2])
    assert [one["label"] for one in describe_labels(found)] == list("abcd")
    assert all(one["share"] == 0.25 and one["colour"].startswith("#") for one in describe_labels(found))
