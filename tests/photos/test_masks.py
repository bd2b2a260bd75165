import io

import numpy as np
import pytest
from PIL import Image

from sair_core.errors import MaskError, MaskSizeError
from sair_core.photos.deep import encode_png
from sair_core.photos.masks import (
    BINS,
    as_mask,
    bin_name,
    bounding_box,
    grow,
    hole_ratio,
    irregular_mask,
    mask_to_image,
    shrink,
)  # fmt: skip
from sair_core.photos.photo import load_photo
from sair_core.photos.reader import turn_upright


@pytest.fixture
def square():
    mask = np.zeros((20, 30), bool)
    mask[5:10, 8:16] = True
    return mask


@pytest.mark.parametrize(
    "make",
    [
        lambda m: m,
        lambda m: m.astype(np.uint8),
        lambda m: m.astype(np.uint8) * 255,
        lambda m: m.astype(np.float32),
        lambda m: np.repeat(m[..., None].astype(np.uint8) * 255, 3, axis=2),
        lambda m: m[..., None],
        lambda m: m.astype(np.uint16) * 65535,
        mask_to_image,
        lambda m: mask_to_image(m).convert("1"),
        lambda m: mask_to_image(m).convert("RGB"),
        lambda m: mask_to_image(m).convert("P"),
        lambda m: Image.fromarray(
            np.dstack([np.full((*m.shape, 3), 255, np.uint8), m.astype(np.uint8) * 255])
        ),
    ],
    ids="bool 01 255 float rgb hw1 uint16 L 1 RGB P painted-RGBA".split(),
)
def test_every_way_to_give_a_mask(square, make):
    assert np.array_equal(as_mask(make(square), (20, 30)), square)


def test_mask_from_file_and_bytes(square, tmp_path):
    path = tmp_path / "m.png"
    mask_to_image(square).save(path)
    assert np.array_equal(as_mask(path), square)
    assert np.array_equal(as_mask(str(path)), square)
    assert np.array_equal(as_mask(path.read_bytes()), square)


def test_grey_is_hole_from_128_up():
    assert as_mask(np.array([[127, 128, 255]], np.uint8)).tolist() == [[False, True, True]]


def test_same_proportions_are_resized_nearest(square):
    doubled = np.kron(square, np.ones((2, 2), bool))
    assert np.array_equal(as_mask(doubled, square.shape), square)
    assert np.array_equal(as_mask(square, doubled.shape), doubled)


def test_other_proportions_are_refused(square):
    with pytest.raises(MaskSizeError, match="30 x 20 px.*20 x 30 px"):
        as_mask(square, (30, 20))


@pytest.mark.parametrize("bad", [b"", b"not an image", np.zeros(3), np.zeros((2, 2, 2)), np.zeros((0, 3))])
def test_unreadable_masks(bad):
    with pytest.raises(MaskError):
        as_mask(bad)


def test_missing_file(tmp_path):
    with pytest.raises(MaskError, match="Use a PNG"):
        as_mask(tmp_path / "none.png")


def test_grow_and_shrink(square):
    grown = grow(square, 3)
    assert grown[2:13, 8:16].all() and grown[5:10, 5:19].all()
    assert not grown[1].any() and not grown[2, 5]  # round corners
    assert np.array_equal(shrink(grown, 3) & square, square)
    assert np.array_equal(grow(square, 0), square)
    assert not grow(np.zeros((4, 4), bool), 2).any()
    assert shrink(np.ones((9, 9), bool), 2).all()  # the picture's edge does not eat the hole
    assert not shrink(square, 3).any()


def test_grow_equals_plain_distance(square):
    rng = np.random.default_rng(0)
    mask = rng.random((60, 80)) > 0.99
    ys, xs = np.nonzero(mask)
    gy, gx = np.mgrid[:60, :80]
    nearest = np.min((gy[..., None] - ys) ** 2 + (gx[..., None] - xs) ** 2, axis=-1)
    assert np.array_equal(grow(mask, 4), nearest <= 16)


def test_ratio(square):
    assert hole_ratio(square) == 40 / 600


BOXES = {
    "nothing": ((5, 6), [], 0, None),
    "a pixel": ((5, 6), [(2, 3)], 0, (slice(2, 3), slice(3, 4))),
    "two far ones": ((5, 6), [(0, 5), (4, 1)], 0, (slice(0, 5), slice(1, 6))),
    "with a margin": ((9, 9), [(4, 5)], 2, (slice(2, 7), slice(3, 8))),
    "with a margin at the edge": ((5, 6), [(0, 5)], 3, (slice(0, 4), slice(2, 6))),
}


@pytest.mark.parametrize("case", BOXES)
def test_a_bounding_box_is_tight_and_stays_in_the_picture(case):
    size_px, marked, margin_px, expected = BOXES[case]
    mask = np.zeros(size_px, bool)
    for place in marked:
        mask[place] = True
    assert bounding_box(mask, margin_px) == expected
    assert bounding_box(np.pad(mask, 1)[1:-1, 1:-1], margin_px) == expected, "a part of a larger array"


@pytest.mark.parametrize("seed", range(5))
def test_no_marked_pixel_lies_outside_its_bounding_box_and_each_side_touches_one(seed):
    mask = np.random.default_rng(seed).random((40, 50)) < 0.003
    rows, columns = bounding_box(mask)
    inside = mask[rows, columns]
    assert inside.sum() == mask.sum() > 0
    assert inside[[0, -1]].any(axis=1).all() and inside[:, [0, -1]].any(axis=0).all()


def test_bin_names():
    assert [bin_name(b) for b in BINS] == ["0-20", "20-40", "40-60"]


@pytest.mark.parametrize("ratio_range", BINS)
def test_irregular_masks_keep_their_share_and_their_seed(ratio_range):
    for seed in range(40):
        mask = irregular_mask(np.random.default_rng(seed), (64, 96), ratio_range)
        assert mask.shape == (64, 96) and mask.dtype == bool
        assert max(0.01, ratio_range[0]) <= hole_ratio(mask) <= ratio_range[1]
        again = irregular_mask(np.random.default_rng(seed), (64, 96), ratio_range)
        assert np.array_equal(mask, again)


@pytest.mark.parametrize("size_px", [(20, 700), (700, 20), (4, 4), (3, 90)])
def test_irregular_masks_of_strips_and_of_almost_nothing(size_px):
    for seed in range(100):
        mask = irregular_mask(np.random.default_rng(seed), size_px, (0.2, 0.4))
        assert mask.shape == size_px and 0.2 <= hole_ratio(mask) <= 0.4


def test_irregular_masks_differ_and_hold_thin_and_thick_parts():
    from scipy import ndimage

    masks = [irregular_mask(np.random.default_rng(s), (128, 128), (0.2, 0.4)) for s in range(60)]
    assert len({m.tobytes() for m in masks}) == 60
    thickness = np.array([2 * ndimage.distance_transform_edt(m).max() for m in masks])
    assert thickness.min() < 24 and thickness.max() > 48


def test_mask_image_round_trip_through_png(square):
    buffer = io.BytesIO()
    mask_to_image(square).save(buffer, format="PNG")
    assert np.array_equal(as_mask(buffer.getvalue()), square)


def painted(colours, alpha):
    return Image.fromarray(np.dstack([colours, alpha]).astype(np.uint8))


def strokes(square, colour, soft=False):
    """A stroke of a colour on clear ground, black beneath the ground."""
    alpha = square * 255.0
    if soft:
        from scipy import ndimage

        alpha = ndimage.gaussian_filter(alpha, 1.0)
    return painted(np.where(square[..., None], colour, 0), alpha)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (90, 90, 90)])
def test_paint_of_any_one_colour_on_clear_ground_is_hole(square, colour):
    assert np.array_equal(as_mask(strokes(square, colour)), square)
    soft = as_mask(strokes(square, colour, soft=True))
    assert soft[7, 11] and not soft[0, 0] and (soft != square).sum() <= 8


def test_black_and_white_on_clear_ground_are_what_they_are(square):
    colours = np.zeros((20, 30, 3))
    colours[square] = 255
    alpha = np.zeros((20, 30))
    alpha[3:15, 5:20] = 255
    assert np.array_equal(as_mask(painted(colours, alpha)), square)


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 0, 255), (0, 200, 0), (255, 255, 0)])
def test_colours_on_black_are_hole(square, colour):
    picture = Image.fromarray(np.where(square[..., None], colour, 0).astype(np.uint8))
    assert np.array_equal(as_mask(picture), square)
    assert np.array_equal(as_mask(picture.quantize(4)), square)


def test_a_transparent_palette_counts_as_paint(square):
    picture = Image.fromarray(square.astype(np.uint8), "P")
    picture.putpalette([0, 0, 0, 10, 10, 10])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", transparency=0)
    assert np.array_equal(as_mask(buffer.getvalue()), square)


def picture_of(square, paint, ground):
    colours = np.where(square[..., None], paint, np.broadcast_to(ground, 3))
    return Image.fromarray(colours.astype(np.uint8))


@pytest.mark.parametrize("opacity", [20, 64, 127, 128, 200, 255])
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 0, 0), (255, 255, 255)])
def test_a_brush_of_any_opacity_on_clear_ground_is_hole(square, colour, opacity):
    assert np.array_equal(as_mask(painted(np.broadcast_to(colour, (20, 30, 3)), square * opacity)), square)
    grey = Image.fromarray(np.dstack([square * 0, square * opacity]).astype(np.uint8))
    assert np.array_equal(as_mask(grey), square)


@pytest.mark.parametrize("colour", [(100, 0, 0), (0, 0, 127), (90, 60, 30), (50, 50, 50), (127, 127, 127)])
def test_dark_paint_on_black_is_hole(square, colour):
    assert np.array_equal(as_mask(picture_of(square, colour, 0)), square)


def test_a_dark_picture_without_paint_marks_nothing():
    noise = np.random.default_rng(0).integers(0, 6, (20, 30)).astype(np.uint8)
    for values in (noise, np.full((20, 30), 60, np.uint8), np.zeros((20, 30), np.uint8)):
        for mode in ("L", "RGB"):
            assert not as_mask(Image.fromarray(values).convert(mode)).any()
    faint = np.dstack([noise, noise, noise, noise])
    assert not as_mask(Image.fromarray(faint)).any()


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 0, 255), (0, 120, 0), (255, 255, 0), (255, 170, 190)])
@pytest.mark.parametrize("ground", [255, 235])
def test_coloured_paint_on_white_is_hole(square, colour, ground):
    big = np.kron(square, np.ones((8, 8), bool))
    picture = picture_of(big, colour, ground)
    assert np.array_equal(as_mask(picture), big)
    for options in ({"format": "PNG"}, {"format": "JPEG", "quality": 90}, {"format": "WEBP"}):
        buffer = io.BytesIO()
        picture.save(buffer, **options)
        assert (as_mask(buffer.getvalue()) != big).mean() < 0.01, options


def test_white_stays_hole_whatever_else_is_drawn(square):
    assert as_mask(picture_of(square, 255, 255)).all()
    assert as_mask(picture_of(np.ones_like(square), (255, 0, 0), 0)).all()
    assert np.array_equal(as_mask(picture_of(square, 0, 255)), ~square), "black on white leaves the black"
    both = np.asarray(picture_of(square, (255, 0, 0), 0)).copy()
    both[0] = 255
    assert np.array_equal(as_mask(both), square | (np.arange(20) == 0)[:, None])


@pytest.mark.parametrize("type", [np.float32, np.uint16, np.uint8])
def test_an_array_with_alpha_is_read_as_a_picture(square, type):
    top = 1 if type == np.float32 else np.iinfo(type).max
    assert np.array_equal(as_mask(np.dstack([np.full((20, 30, 3), top), square * top]).astype(type)), square)


def test_floats_may_overshoot_and_hold_nan(square):
    mask = square.astype(np.float32)
    mask[6, 9], mask[0, 0], mask[1, 1] = 1.08, -0.1, np.nan
    assert np.array_equal(as_mask(mask), square)
    assert not as_mask(np.full((4, 4), np.nan)).any()
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "TIFF")
    assert np.array_equal(as_mask(buffer.getvalue()), square)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_mask_is_turned_as_the_photo_is(square, orientation, format):
    exif = Image.Exif()
    exif[274] = orientation
    big = np.kron(square, np.ones((8, 8), bool))
    buffer = io.BytesIO()
    mask_to_image(big).convert("RGB").save(
        buffer, format, exif=exif, **({} if format == "TIFF" else {"quality": 95})
    )
    expected = load_photo(buffer.getvalue()).rgb[..., 0] >= 128
    for source in (buffer.getvalue(), Image.open(io.BytesIO(buffer.getvalue()))):
        assert np.array_equal(as_mask(source), expected)
    assert expected.shape == (big.shape if orientation < 5 else big.shape[::-1])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_lies_as_its_photo_is_shown_or_as_it_is_stored(orientation):
    stored = np.zeros((20, 30), bool)
    stored[2:6, 3:12] = True
    upright = np.asarray(turn_upright(stored, orientation))
    for size_px in (upright.shape, tuple(2 * side for side in upright.shape)):
        shown = as_mask(upright, size_px, orientation=orientation)
        assert np.array_equal(shown, as_mask(upright, size_px))
        if orientation >= 5:
            assert np.array_equal(as_mask(stored, size_px, orientation=orientation), shown)
            with pytest.raises(MaskSizeError, match="30 x 20 px, the photo"):
                as_mask(stored, size_px)
    with pytest.raises(MaskSizeError, match="11 x 7 px, the photo"):
        as_mask(stored[:7, :11], upright.shape, orientation=orientation)


def test_deep_masks(square):
    deep = square.astype(np.uint16) * 65535
    assert np.array_equal(as_mask(encode_png(np.dstack([deep] * 3))), square)
    assert np.array_equal(as_mask(encode_png(np.dstack([np.zeros_like(deep), deep]))), square)
