import numpy as np
import pytest
from PIL import Image

from sair_core.errors import DataError
from sair_core.photos.masks import hole_ratio
from sair_core.training.data.masks import MaskFolder


@pytest.fixture
def mask_folder(tmp_path):
    """Masks of the left 10, 30, 50 and 90 %, of which the second is there five times, in folders below."""
    folder = tmp_path / "masks"
    for i, percent in enumerate((10, 30, 30, 30, 30, 30, 50, 90)):
        place = folder / f"{percent}"
        place.mkdir(parents=True, exist_ok=True)
        mask = np.zeros((100, 100), np.uint8)
        mask[:, :percent] = 255
        Image.fromarray(mask).save(place / f"{i}.png")
    return folder


def test_bins_are_drawn_in_equal_parts_whatever_the_folder_holds(mask_folder):
    masks, rng = MaskFolder(mask_folder), np.random.default_rng(0)
    shares = [hole_ratio(masks.draw(rng, 50)) for _ in range(300)]
    counts = [sum(abs(share - one) < 0.02 for share in shares) for one in (0.1, 0.3, 0.5)]
    assert sum(counts) == 300 and min(counts) > 70  # none hides 90 %


def test_masks_are_turned_and_mirrored_and_come_at_any_size(mask_folder):
    masks, rng = MaskFolder(mask_folder / "30"), np.random.default_rng(0)
    drawn = {masks.draw(rng, 64).tobytes() for _ in range(40)}
    assert len(drawn) == 4  # left, right, above, below
    assert masks.draw(rng, 300).shape == (300, 300)


def test_samples_have_the_masks_of_the_folder(mask_folder, samples):
    def holes():
        return [samples(masks=MaskFolder(mask_folder))[i]["hole01"] for i in range(8)]

    for hole, again in zip(holes(), holes()):
        assert (hole == again).all()
        assert min(abs(float(hole.mean()) - share) for share in (0.1, 0.3, 0.5)) < 0.03


def test_queries_are_drawn_evenly_where_nothing_else_is_said(fill_samples, mask_folder):
    masks = MaskFolder(mask_folder / "30")
    for spec in fill_samples(masks=masks, hole_share=None, queries=4000)[3]:
        assert abs(spec.mask.ravel()[spec.queries].mean() - 0.3) < 0.05


def test_folders_without_masks_to_train_with_are_refused(mask_folder, tmp_path):
    for folder in (mask_folder / "90", tmp_path / "nowhere"):
        with pytest.raises(DataError, match="holds no PNG mask that hides up to 60%"):
            MaskFolder(folder)
    (mask_folder / "broken.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match="broken.png cannot be trained with"):
        MaskFolder(mask_folder)
