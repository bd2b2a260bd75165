import numpy as np
import pytest
from PIL import Image

from sair_core.errors import ConfigError, DataError
from sair_core.evaluation.samples import (
    bin_of,
    centre_square,
    drawn_masks,
    list_samples,
    mask_source,
    masks_from_folder,
)
from sair_core.photos.masks import BINS, hole_ratio, mask_to_image
from tests.evaluation.conftest import pattern


def save_mask(path, share: float, size: int = 100) -> None:
    mask = np.zeros((size, size), dtype=bool)
    mask[: round(share * size)] = True
    mask_to_image(mask).save(path)


def test_photos_are_sorted_and_label_maps_left_out(photo_folder):
    Image.fromarray(pattern(0)).save(photo_folder / "street.jpg")
    Image.fromarray(pattern(0)[..., 0]).save(photo_folder / "street.png")
    (photo_folder / "notes.txt").write_text("no photo")
    (photo_folder / "more").mkdir()
    Image.fromarray(pattern(1)).save(photo_folder / "more" / "z.WEBP")
    samples = list_samples(photo_folder)
    names = [sample.path.relative_to(photo_folder).as_posix() for sample in samples]
    assert names == ["a.png", "b.png", "c.png", "more/z.WEBP", "street.jpg"]
    assert [sample.index for sample in samples] == [0, 1, 2, 3, 4]


def test_limit_spreads_over_the_folder_and_keeps_indices(tmp_path):
    for i in range(10):
        (tmp_path / f"{i}.jpg").write_bytes(b"")
    limited = [(sample.index, sample.path.name) for sample in list_samples(tmp_path, 3)]
    assert limited == [(0, "0.jpg"), (3, "3.jpg"), (6, "6.jpg")]
    assert len(list_samples(tmp_path, 99)) == 10
    with pytest.raises(ConfigError):
        list_samples(tmp_path, 0)


def test_folders_without_photos_are_refused(tmp_path):
    with pytest.raises(DataError, match="no photo"):
        list_samples(tmp_path)
    with pytest.raises(DataError, match="not a folder"):
        list_samples(tmp_path / "missing")


def test_centre_square_takes_the_middle_and_antialiases():
    rgb = np.zeros((64, 192, 3), np.uint8)
    rgb[:, 64:128] = 100
    assert (centre_square(rgb, 32) == 100).all()
    assert (centre_square(rgb.transpose(1, 0, 2), 32) == 100).all()
    checkers = np.indices((256, 256)).sum(axis=0) % 2 * 255
    reduced = centre_square(np.stack([checkers] * 3, axis=-1).astype(np.uint8), 32)
    assert np.abs(reduced.astype(int) - 127).max() <= 3  # without antialiasing: 0 or 255


def test_drawn_masks_depend_on_seed_photo_and_bin_only():
    first, again = drawn_masks(0, 64), drawn_masks(0, 64)
    forward = {(i, b): first(i, b) for i in range(4) for b in range(3)}
    backward = {(i, b): again(i, b) for i in reversed(range(4)) for b in reversed(range(3))}
    assert all(np.array_equal(forward[key], backward[key]) for key in forward)
    for (_, b), mask in forward.items():
        assert mask.shape == (64, 64) and mask.dtype == bool
        assert BINS[b][0] <= hole_ratio(mask) <= BINS[b][1]
    assert not np.array_equal(forward[0, 1], forward[1, 1])
    assert not np.array_equal(forward[0, 1], drawn_masks(1, 64)(0, 1))


def test_bins_include_their_upper_bound():
    shares = {0: None, 0.001: 0, 0.2: 0, 0.21: 1, 0.4: 1, 0.6: 2, 0.61: None, 1: None}
    assert {share: bin_of(share) for share in shares} == shares


def test_masks_of_a_folder_go_by_their_share_not_their_name(tmp_path):
    save_mask(tmp_path / "a_50-60.png", 0.1)
    save_mask(tmp_path / "b_50-60.png", 0.2)
    save_mask(tmp_path / "c_00-10.png", 0.5)
    save_mask(tmp_path / "d_00-10.png", 0.9)  # belongs to no bin
    save_mask(tmp_path / "e_00-10.png", 0.0)
    pick = masks_from_folder(tmp_path, 50)
    shares = [hole_ratio(pick(i, 0)) for i in range(5)]
    assert shares == pytest.approx([0.1, 0.2, 0.1, 0.2, 0.1])  # cycled over the photos
    assert pick(3, 0).shape == (50, 50)
    assert pick(0, 1) is None
    assert hole_ratio(pick(7, 2)) == pytest.approx(0.5)


def test_masks_are_cut_at_128_and_resized_without_grey(tmp_path):
    grey = np.zeros((10, 10), np.uint8)
    grey[:2], grey[2:] = 128, 127
    Image.fromarray(grey).save(tmp_path / "m.png")
    mask = masks_from_folder(tmp_path, 40)(0, 0)
    assert mask[:8].all() and not mask[8:].any()


def test_unusable_mask_sources_are_refused(tmp_path):
    with pytest.raises(DataError, match="no PNG"):
        mask_source(str(tmp_path), 0, 64)
    save_mask(tmp_path / "all.png", 1.0)
    with pytest.raises(DataError, match="No mask"):
        mask_source(str(tmp_path), 0, 64)
    with pytest.raises(ConfigError, match="size"):
        mask_source("irregular", 0, 8)
    with pytest.raises(ConfigError, match="seed"):
        mask_source("irregular", -1, 64)
