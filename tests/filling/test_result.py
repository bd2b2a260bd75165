import numpy as np

from sair_core.filling.result import FillResult
from sair_core.photos.photo import load_photo


def test_the_image_is_the_photos_and_stays_the_same_one():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 4), dtype=np.uint8)
    result = FillResult(load_photo(pixels), np.ones((8, 9), bool), 0.1, 3)
    assert result.image.mode == "RGBA" and np.array_equal(result.image, pixels)
    result.image.putpixel((0, 0), (1, 2, 3, 4))
    assert result.image.getpixel((0, 0)) == (1, 2, 3, 4), "it can be edited in place"
    assert np.array_equal(result.photo.to_image(), pixels), "which leaves the photo as it is"
