import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sair_core.errors import ConfigError, DataError
from sair_core.evaluation.holes import FolderHoles, IrregularHoles, ObjectHoles, bin_of, hole_source
from sair_core.evaluation.objects import OBJECT_SHARE, SHARE
from sair_core.evaluation.samples import Sample, drawn_mask
from sair_core.photos.masks import BINS, hole_ratio, mask_to_image, share_bins

SIZE = (64, 64)


def photo(index: int, path: str = "photo.jpg") -> Sample:
    return Sample(index, Path(path))


def save_mask(path, share: float, size: int = 100) -> None:
    mask = np.zeros((size, size), dtype=bool)
    mask[: round(share * size)] = True
    mask_to_image(mask).save(path)


def test_drawn_masks_depend_on_seed_photo_and_bin_only():
    first, again = IrregularHoles(0), IrregularHoles(0)
    forward = {i: list(first(photo(i), SIZE)) for i in range(4)}
    backward = {i: list(again(photo(i, "other.png"), SIZE)) for i in reversed(range(4))}
    for i, holes in forward.items():
        assert [hole.bin for hole in holes] == ["0-20", "20-40", "40-60"]
        for (low, high), hole, same in zip(BINS, holes, backward[i]):
            assert np.array_equal(hole.mask, same.mask)
            assert hole.mask.shape == SIZE and hole.mask.dtype == bool
            assert low <= hole_ratio(hole.mask) <= high
    assert np.array_equal(forward[2][1].mask, drawn_mask(0, 2, 1, SIZE))
    assert not np.array_equal(forward[0][1].mask, forward[1][1].mask)
    assert not np.array_equal(forward[0][1].mask, list(IrregularHoles(1)(photo(0), SIZE))[1].mask)


def test_bins_include_their_upper_bound():
    shares = {0: None, 0.001: 0, 0.2: 0, 0.21: 1, 0.4: 1, 0.6: 2, 0.61: None, 1: None}
    assert {share: bin_of(share) for share in shares} == shares


def test_masks_of_a_folder_go_by_their_share_not_their_name(tmp_path):
    save_mask(tmp_path / "a_50-60.png", 0.1)
    save_mask(tmp_path / "b_50-60.png", 0.2)
    save_mask(tmp_path / "c_00-10.png", 0.5)
    save_mask(tmp_path / "d_00-10.png", 0.9)  # belongs to no bin
    save_mask(tmp_path / "e_00-10.png", 0.0)
    source = FolderHoles(tmp_path, 50)
    found = [dict(source(photo(i), (50, 50))) for i in range(8)]
    shares = [hole_ratio(holes["0-20"]) for holes in found[:5]]
    assert shares == pytest.approx([0.1, 0.2, 0.1, 0.2, 0.1])  # cycled over the photos
    assert found[3]["0-20"].shape == (50, 50)
    assert set(found[0]) == {"0-20", "40-60"}
    assert hole_ratio(found[7]["40-60"]) == pytest.approx(0.5)


def test_masks_below_a_folder_go_into_bins_of_ten_percent(tmp_path):
    for share in (0.05, 0.15, 0.55):
        (tmp_path / f"{share}").mkdir()
        save_mask(tmp_path / f"{share}" / "mask.png", share)
    source = FolderHoles(tmp_path, 50, share_bins(10))
    assert [hole.bin for hole in source(photo(0), (50, 50))] == ["0-10", "10-20", "50-60"]
    assert source.settings["count"] == {"0-10": 1, "10-20": 1, "50-60": 1}


def test_masks_are_cut_at_128_and_resized_without_grey(tmp_path):
    grey = np.zeros((10, 10), np.uint8)
    grey[:2], grey[2:] = 128, 127
    Image.fromarray(grey).save(tmp_path / "m.png")
    ((_, mask),) = FolderHoles(tmp_path, 40)(photo(0), (40, 40))
    assert mask[:8].all() and not mask[8:].any()


def test_unusable_mask_sources_are_refused(tmp_path):
    with pytest.raises(DataError, match="no PNG"):
        hole_source(str(tmp_path), 0, 64)
    save_mask(tmp_path / "all.png", 1.0)
    with pytest.raises(DataError, match="No mask"):
        hole_source(str(tmp_path), 0, 64)
    with pytest.raises(ConfigError, match="size"):
        hole_source("irregular", 0, 8)
    with pytest.raises(ConfigError, match="seed"):
        hole_source("irregular", -1, 64)
    with pytest.raises(ConfigError, match="leave --size out"):
        hole_source("objects", 0, 256)
    assert hole_source("objects", 3, None) == ObjectHoles(3) and hole_source("irregular", 3, 64).seed == 3


def test_objects_are_ellipses_where_nothing_is_labelled():
    shares, parts = [], []
    for i in range(40):
        ((name, mask),) = ObjectHoles(0)(photo(i), (60, 80))
        ((_, again),) = ObjectHoles(0)(photo(i, "elsewhere.png"), (60, 80))
        assert name == "objects" and mask.shape == (60, 80) and np.array_equal(mask, again)
        shares.append(hole_ratio(mask))
        parts.append(mask)
    assert SHARE[0] <= min(shares) < 0.1 and 0.18 < max(shares) <= SHARE[1]
    assert not np.array_equal(parts[0], parts[1])
    ((_, other),) = ObjectHoles(1)(photo(0), (60, 80))
    assert not np.array_equal(parts[0], other)


def test_objects_are_outlines_where_they_are_labelled(tmp_path):
    names = [{"id": 0, "name": "grass"}, {"id": 1, "name": "cow"}]
    (tmp_path / "classes.json").write_text(json.dumps({"classes": names}))
    ids = np.zeros((60, 80), np.uint8)
    ids[10:25, 5:20], ids[40:55, 50:70] = 1, 1
    Image.fromarray(ids).save(tmp_path / "a.png")
    cows = set()
    for i in range(12):
        ((_, mask),) = ObjectHoles(0)(photo(i, str(tmp_path / "a.jpg")), (60, 80))
        assert (mask[ids == 1]).any() and hole_ratio(mask) <= OBJECT_SHARE[1]
        covered = mask[15, 10], mask[45, 60]
        assert sum(covered) == 1  # one of the two, whole and a little more
        assert mask[ids == 1].sum() == (15 * 15, 15 * 20)[covered.index(True)]
        cows.add(covered)
    assert len(cows) == 2
    ((_, drawn),) = hole_source("ellipses", 0, None)(photo(0, str(tmp_path / "a.jpg")), (60, 80))
    assert np.array_equal(drawn, next(ObjectHoles(0)(photo(0), (60, 80))).mask)
    (tmp_path / "classes.json").unlink()
    ((_, drawn),) = ObjectHoles(0)(photo(0, str(tmp_path / "a.jpg")), (60, 80))
    assert np.array_equal(drawn, next(ObjectHoles(0)(photo(0), (60, 80))).mask)


def test_settings_say_what_holes_depend_on(tmp_path):
    save_mask(tmp_path / "a.png", 0.1)
    for source in (IrregularHoles(4), ObjectHoles(4), ObjectHoles(4, False), FolderHoles(tmp_path, 32)):
        assert json.loads(json.dumps(source.settings)) == source.settings
    assert ObjectHoles(4).settings["seed"] == 4 == IrregularHoles(4).settings["seed"]
