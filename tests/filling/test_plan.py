"""Crop plans: exact cover, sizes the encoder takes, sharing, cutting, how much is looked at."""

import numpy as np
import pytest

from sair_core.errors import ConfigError, MaskError
from sair_core.filling import plan as planning
from sair_core.filling.plan import Crop, plan_crops


def blank(height, width):
    return np.zeros((height, width), bool)


def add_disc(mask, y, x, radius_px):
    window = mask[max(y - radius_px, 0) : y + radius_px + 1, max(x - radius_px, 0) : x + radius_px + 1]
    rows, cols = np.ogrid[: window.shape[0], : window.shape[1]]
    window |= (rows - min(y, radius_px)) ** 2 + (cols - min(x, radius_px)) ** 2 <= radius_px**2
    return mask


def check(mask, plan, max_work_px=512):
    """What holds for every plan."""
    times_decoded = np.zeros(mask.shape, np.uint8)
    for crop, part in plan:
        assert 0 <= crop.top and crop.top + crop.height <= mask.shape[0]
        assert 0 <= crop.left and crop.left + crop.width <= mask.shape[1]
        assert part.shape == (crop.height, crop.width) and part.dtype == bool and part.any()
        times_decoded[crop.slices] += part
        for size, work in ((crop.height, crop.work_height), (crop.width, crop.work_width)):
            assert work % 16 == 0 and 32 <= work <= max_work_px
            assert work <= max(size, 32)  # never enlarged
        assert mask.all() or not mask[crop.slices].all()  # something to fill from
    assert np.array_equal(times_decoded, mask.view(np.uint8))
    return [crop for crop, _ in plan]


def scale_of(crop):
    return max(crop.work_height / crop.height, crop.work_width / crop.width)


def test_slices_cut_the_crop_out():
    crop = Crop(top=3, left=5, height=7, width=11, work_height=32, work_width=32)
    assert blank(40, 40)[crop.slices].shape == (7, 11)


def test_small_blob_gets_its_context_at_full_detail():
    mask = add_disc(blank(600, 800), 300, 400, 10)
    (crop,) = check(mask, plan_crops(mask))
    assert scale_of(crop) == 1
    assert (crop.height, crop.width) == (crop.work_height, crop.work_width)  # no pixel is resampled
    assert crop.top <= 290 - 48 and crop.top + crop.height >= 311 + 48
    assert crop.left <= 390 - 48 and crop.left + crop.width >= 411 + 48
    assert crop.height <= 21 + 2 * 48 + 16


def test_context_grows_with_thickness_not_with_length():
    thick, thin = blank(1000, 1000), blank(1000, 1000)
    thick[450:550, 450:550] = True
    thin[495:505, 400:600] = True
    (of_thick,) = check(thick, plan_crops(thick))
    (of_thin,) = check(thin, plan_crops(thin))
    assert of_thick.height >= 100 + 2 * 98
    assert of_thin.height <= 10 + 2 * 48 + 16
    (wider,) = check(thick, plan_crops(thick, context=2.0))
    assert wider.height >= 100 + 2 * 196


def test_thick_hole_is_reduced_until_the_model_sees_across():
    mask = blank(3000, 4000)
    mask[1000:1400, 1000:1400] = True
    (crop,) = check(mask, plan_crops(mask))
    assert 400 * scale_of(crop) <= 128 * 1.02
    assert crop.height >= 1200 - 16
    (half,) = check(mask, plan_crops(mask, max_hole_work_px=64))
    assert 400 * scale_of(half) <= 64 * 1.02
    (small,) = check(mask, plan_crops(mask, max_work_px=250), max_work_px=240)
    assert max(small.work_height, small.work_width) == 240


def test_work_size_keeps_the_proportions():
    mask = blank(3000, 4000)
    mask[1000:1300, 1000:1900] = True
    (crop,) = check(mask, plan_crops(mask))
    assert crop.work_height / crop.height == pytest.approx(crop.work_width / crop.width, rel=0.01)


@pytest.mark.parametrize("corner", [(0, 0), (0, 799), (599, 0), (599, 799)])
def test_crop_moves_inward_at_the_border(corner):
    mask = blank(600, 800)
    mask[corner] = True
    (crop,) = check(mask, plan_crops(mask))
    assert crop.height >= 1 + 2 * 48 and crop.width >= 1 + 2 * 48


def test_far_blobs_get_their_own_crops():
    mask = blank(3000, 4000)
    for y, x in ((300, 300), (300, 3600), (2600, 500), (2500, 3500)):
        add_disc(mask, y, x, 30)
    crops = check(mask, plan_crops(mask))
    assert len(crops) == 4
    assert all(scale_of(crop) == 1 and crop.height < 300 for crop in crops)


def test_near_blobs_share_a_crop():
    mask = blank(3000, 4000)
    add_disc(mask, 1000, 1000, 15)
    add_disc(mask, 1000, 1060, 15)
    assert len(check(mask, plan_crops(mask))) == 1


def test_blobs_that_touch_at_a_corner_are_one():
    mask = blank(300, 300)
    mask[100:120, 100:120] = mask[120:140, 120:140] = True
    assert len(check(mask, plan_crops(mask))) == 1


def test_blobs_whose_contexts_overlap_share_a_crop_when_that_is_cheaper():
    mask = blank(1000, 1000)
    mask[400:500, 200:300] = mask[400:500, 350:450] = True
    assert len(check(mask, plan_crops(mask))) == 1
    far = blank(1000, 1500)
    far[400:500, 200:300] = far[400:500, 1000:1100] = True
    assert len(check(far, plan_crops(far))) == 2


def test_small_blob_keeps_its_detail_beside_a_huge_one():
    mask = blank(3000, 4000)
    mask[1000:2000, 500:1500] = True
    add_disc(mask, 1500, 1800, 10)
    crops = check(mask, plan_crops(mask))
    assert sorted(round(scale_of(crop), 1) for crop in crops) == [0.1, 1.0]


def test_wire_is_cut_into_detailed_pieces():
    wire = blank(1000, 4000)
    wire[500:508] = True
    diagonal = blank(3000, 4000)
    for shift in range(8):
        diagonal[np.arange(3000), np.arange(3000) + shift] = True
    for mask in (wire, diagonal):
        crops = check(mask, plan_crops(mask))
        assert 4 <= len(crops) <= 10
        assert all(scale_of(crop) >= 0.5 for crop in crops)


def test_cut_goes_through_the_gap_of_a_dashed_line():
    mask = blank(200, 3000)
    mask[98:102] = True
    mask[:, 1450:1470] = False  # nearer than the context, so no reason of its own to cut
    plan = plan_crops(mask)
    check(mask, plan)
    ends = [crop.left + int(np.flatnonzero(part.any(axis=0))[-1]) for crop, part in plan]
    assert 1449 in ends


def test_elongated_but_thick_hole_stays_whole():
    mask = blank(3000, 4000)
    mask[:, 1500:2100] = True
    assert len(check(mask, plan_crops(mask))) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (33, 47), (250, 250), (10, 4000), (517, 301)])
def test_odd_sizes(size):
    full = np.ones(size, bool)
    one = blank(*size)
    one[-1, -1] = True
    middle = blank(*size)
    middle[size[0] // 3 : size[0] // 3 * 2 + 1, size[1] // 3 : size[1] // 3 * 2 + 1] = True
    for mask in (full, one, middle, ~one):
        plan = plan_crops(mask)
        check(mask, plan)
        assert len(plan) == int(mask.any())


def test_photo_side_that_is_no_multiple_of_16_loses_context_rather_than_scale():
    mask = blank(250, 250)
    mask[100:150, 100:150] = True
    (crop,) = check(mask, plan_crops(mask, context=3.0))
    assert (crop.height, crop.width, crop.work_height, crop.work_width) == (240, 240, 240, 240)


def test_empty_mask_has_no_crops():
    assert plan_crops(blank(100, 100)) == []
    assert plan_crops(blank(0, 0)) == []


def test_plan_does_not_depend_on_the_run():
    mask = np.random.default_rng(0).random((500, 700)) < 0.01
    first, second = plan_crops(mask), plan_crops(mask)
    assert [crop for crop, _ in first] == [crop for crop, _ in second]


@pytest.mark.parametrize("seed", range(8))
def test_any_mask_is_covered_exactly_once(seed):
    rng = np.random.default_rng(seed)
    mask = blank(*rng.integers(40, 1500, 2))
    for _ in range(rng.integers(1, 12)):
        y, x = rng.integers(0, mask.shape)
        height, width = rng.integers(1, 1 + rng.choice([5, 60, 400], 2))
        mask[y : y + height, x : x + width] = True
    if seed % 2:
        mask |= rng.random(mask.shape) < 1e-4
    work_px = int(rng.choice([64, 256, 500]))
    check(mask, plan_crops(mask, max_work_px=work_px, context=rng.uniform(0, 2)), work_px)


def test_twelve_megapixels_are_planned_on_a_coarse_grid_in_few_steps(monkeypatch):
    looked_at = []

    def watched(grid, *rest):
        looked_at.append(grid.hole.size)
        return region(grid, *rest)

    region = planning._region
    monkeypatch.setattr(planning, "_region", watched)
    sparse = blank(3000, 4000)
    for y, x, radius_px in (
        (300, 300, 60),
        (2500, 3500, 100),
        (1500, 2000, 200),
        (1520, 2300, 30),
        (90, 3900, 20),
    ):
        add_disc(sparse, y, x, radius_px)
    dust = np.random.default_rng(0).random((3000, 4000)) < 1e-4
    for mask in (sparse, dust):
        looked_at.clear()
        crops = check(mask, plan_crops(mask))
        assert max(looked_at) <= 1.05 * planning.GRID_CELLS
        assert len(looked_at) <= 4 * len(crops)  # each cut makes two regions of one, and a few are not made


def test_wrong_masks_and_limits_are_refused():
    with pytest.raises(MaskError, match="bool"):
        plan_crops(np.zeros((5, 5), np.uint8))
    with pytest.raises(MaskError, match=r"\(5, 5, 1\)"):
        plan_crops(np.zeros((5, 5, 1), bool))
    for limits in ({"context": -1}, {"min_context_px": 0}, {"max_work_px": 16}, {"max_hole_work_px": 0}):
        with pytest.raises(ConfigError):
            plan_crops(blank(5, 5), **limits)
