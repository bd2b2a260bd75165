"""Which picture of a file is opened: the photo, never its preview, and no raw file as one."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from sair_core.errors import PhotoError, PhotoTooLargeError
from sair_core.photos.photo import load_photo
from sair_core.photos.tiff import LONG, SHORT, Tag, write_directory

SMALL, LARGE = (np.full((*size, 3), value, np.uint8) for size, value in (((12, 16), 9), ((120, 160), 200)))


def pages(*written):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for pixels, options in written:
            file.write(pixels, photometric=options.pop("photometric", "rgb"), metadata=None, **options)
    return buffer.getvalue()


def test_a_preview_before_the_photo_is_passed_over():
    photo = load_photo(pages((SMALL, {"subfiletype": 1}), (LARGE, {})))
    assert photo.size_px == (120, 160) and photo.rgb[0, 0, 0] == 200 and not photo.first_of_several


def test_a_preview_or_a_mask_behind_the_photo_is_no_page():
    assert not load_photo(pages((LARGE, {}), (SMALL, {"subfiletype": 1}))).first_of_several
    assert load_photo(pages((LARGE, {}), (SMALL, {}))).first_of_several


def test_a_deep_photo_behind_a_preview():
    photo = load_photo(pages((SMALL, {"subfiletype": 1}), (LARGE.astype(np.uint16) * 257, {})))
    assert photo.size_px == (120, 160) and photo.bits == 16


RAW = {
    "DNG, the preview first": pages(
        (SMALL, {"subfiletype": 1, "subifds": 1, "extratags": [(50706, 1, 4, b"\1\4\0\0", True)]}),
        (LARGE[..., 0], {"photometric": 32803, "extratags": [(33421, 3, 2, (2, 2), True)]}),
    ),
    "the photo below the preview": pages((SMALL, {"subfiletype": 1, "subifds": 1}), (LARGE, {})),
    "mosaic data as the first page": pages(
        (LARGE[..., 0], {"photometric": 32803, "extratags": [(33421, 3, 2, (2, 2), True)]})
    ),
}


@pytest.mark.parametrize("name", RAW)
def test_raw_files_are_refused_with_what_to_do(name):
    with pytest.raises(PhotoError, match="raw file.*develop"):
        load_photo(RAW[name])


def test_chains_that_run_in_a_circle_or_out_of_the_file_end():
    tags = {256: Tag(SHORT, struct.pack("<H", 4), "<"), 257: Tag(SHORT, struct.pack("<H", 4), "<")}
    for next_place in (8, 10**6):
        directory = bytearray(write_directory({**tags, 330: Tag(LONG, struct.pack("<I", 8), "<")}, "<", 8))
        directory[-4:] = struct.pack("<I", next_place)
        with pytest.raises(PhotoError):
            load_photo(b"II*\0\x08\0\0\0" + bytes(directory))


def test_the_limit_can_be_raised_beyond_pillows_own(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for format in ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"):
        buffer = io.BytesIO()
        Image.fromarray(LARGE).save(buffer, format)
        assert load_photo(buffer.getvalue(), max_megapixels=1).size_px == (120, 160)
        with pytest.raises(PhotoTooLargeError):
            load_photo(buffer.getvalue(), max_megapixels=0.01)


@pytest.mark.parametrize(
    "options",
    [{"compression": "jpeg", "compressionargs": {"level": 95}}, {"compression": "lzw"}, {"tile": (16, 16)}],
)
def test_a_tiff_beyond_pillows_limit_looks_the_same(monkeypatch, options):
    image = np.asarray(Image.linear_gradient("L").resize((160, 120)))
    data = pages((np.dstack([image, image // 2, 255 - image]), options))
    buffer = io.BytesIO()
    Image.fromarray(image).quantize(200).save(buffer, "TIFF")
    plain, coloured = load_photo(data), load_photo(buffer.getvalue())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    np.testing.assert_allclose(load_photo(data).rgb.astype(int), plain.rgb, atol=2)
    np.testing.assert_array_equal(load_photo(buffer.getvalue()).rgb, coloured.rgb)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_an_animation_beyond_pillows_limit(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    buffer = io.BytesIO()
    frames = [Image.fromarray(LARGE), Image.fromarray(255 - LARGE)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], disposal=2)
    photo = load_photo(buffer.getvalue())
    assert photo.size_px == (120, 160) and photo.rgb[0, 0, 0] == 200 and photo.first_of_several
