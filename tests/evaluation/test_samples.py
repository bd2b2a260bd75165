import numpy as np
import pytest
from PIL import Image

from sair_core.errors import ConfigError, DataError
from sair_core.evaluation.samples import centre_square, list_samples
from tests.evaluation.conftest import pattern


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


def test_photos_are_loaded_whole_or_as_squares(photo_folder):
    sample = list_samples(photo_folder)[1]
    assert np.array_equal(sample.load(), pattern(1))
    assert np.array_equal(sample.load(32), centre_square(pattern(1), 32))
