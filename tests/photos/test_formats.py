"""Modes, profiles and EXIF blocks: what is converted, what is kept, what is dropped."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from sair_core.errors import PhotoError, PhotoTooLargeError
from sair_core.photos.formats import (
    FORMAT_BY_SUFFIX,
    MODES,
    PHOTO_SUFFIXES,
    READABLE_FORMATS,
    WRITABLE_FORMATS,
    flatten_on_white,
    to_8_bit,
    to_photo_mode,
)
from sair_core.photos.metadata import drop_gps, read_metadata
from sair_core.photos.write import encode_image


def exif_block(**tags):
    exif = Image.Exif()
    for name, value in tags.items():
        exif[getattr(ExifTags.Base, name)] = value
    return exif


def read_exif(image):
    orientation, metadata = read_metadata(image.info, None, made=image)
    return orientation, metadata.exif


def parsed(block):
    exif = Image.Exif()
    exif.load(block)
    return exif


def test_one_table_of_formats_and_suffixes_that_pillow_agrees_with():
    known = Image.registered_extensions() | {".dib": "BMP"}  # a BMP without its file header, and read as one
    assert {suffix: known[suffix] for suffix in PHOTO_SUFFIXES} == {
        suffix: format.name for suffix, format in FORMAT_BY_SUFFIX.items()
    }
    assert set(WRITABLE_FORMATS) <= set(READABLE_FORMATS)
    for bands, mode in MODES.items():
        assert len(Image.new(mode, (1, 1)).getbands()) == bands


@pytest.mark.parametrize("name", WRITABLE_FORMATS)
def test_every_format_is_written_up_to_its_longest_side(name):
    longest = min(WRITABLE_FORMATS[name].max_side_px, 70_000)
    for size in ((longest, 1), (1, longest)):
        image = Image.open(io.BytesIO(encode_image(Image.new("L", size, 9), name)))
        assert image.size == size and image.format == name
    if longest < 70_000:
        with pytest.raises(PhotoTooLargeError, match="save it as PNG"):
            encode_image(Image.new("L", (longest + 1, 1)), name)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("1", "L"), ("L", "L"), ("LA", "LA"), ("La", "LA"), ("P", "RGB"), ("PA", "RGBA"), ("RGB", "RGB"),
        ("RGBA", "RGBA"), ("RGBa", "RGBA"), ("RGBX", "RGB"), ("CMYK", "RGB"), ("YCbCr", "RGB"),
        ("HSV", "RGB"), ("LAB", "RGB"), ("I", "I;16"), ("I;16", "I;16"), ("I;16B", "I;16"), ("I;16L", "I;16"),
    ],
)  # fmt: skip
def test_every_mode_of_pillow_has_a_photo_mode(mode, expected):
    image, _ = to_photo_mode(Image.new(mode, (5, 4)))
    assert image.mode == expected and image.size == (5, 4)


def test_sixteen_bits_are_kept_in_any_byte_order():
    values = np.arange(0, 65536, 13107, dtype=np.uint16).reshape(2, 3)
    for mode, dtype in (("I;16", "<u2"), ("I;16B", ">u2"), ("I", "<i4")):
        image = Image.frombytes(mode, (3, 2), values.astype(dtype).tobytes())
        np.testing.assert_array_equal(np.asarray(to_photo_mode(image)[0]), values)


def test_values_that_fit_no_photo_are_refused():
    with pytest.raises(PhotoError, match="32-bit"):
        to_photo_mode(Image.new("I", (2, 2), 70_000))
    with pytest.raises(PhotoError, match="floating-point"):
        to_photo_mode(Image.new("F", (2, 2)))


@pytest.mark.parametrize(
    ("mode", "key", "expected"), [("RGB", (1, 2, 3), "RGBA"), ("L", 7, "LA"), ("P", 0, "RGBA")]
)
def test_a_transparent_colour_becomes_alpha(mode, key, expected):
    image = Image.new(mode, (2, 1), key)
    image.putpixel((1, 0), (9, 9, 9) if mode == "RGB" else 1)
    image.info["transparency"] = key
    file = io.BytesIO()
    image.save(file, "PNG")
    converted, _ = to_photo_mode(Image.open(file))
    assert converted.mode == expected
    assert [pixel[-1] for pixel in (converted.getpixel((0, 0)), converted.getpixel((1, 0)))] == [0, 255]
    assert "transparency" not in converted.info


def test_profile_stays_with_its_colours_only():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode, kept in (("RGB", srgb), ("P", srgb), ("CMYK", None)):
        image = Image.new(mode, (2, 2))
        image.info["icc_profile"] = srgb
        assert to_photo_mode(image)[1] == kept


def test_lab_is_converted_by_colour():
    # L* 100 and neutral is white; Pillow alone cannot convert Lab.
    lab = Image.merge("LAB", [Image.new("L", (2, 2), value) for value in (255, 128, 128)])
    assert min(to_photo_mode(lab)[0].getpixel((0, 0))) >= 250


def test_unusable_print_profile_falls_back_to_plain_conversion():
    image = Image.new("CMYK", (2, 2), (0, 255, 255, 0))
    image.info["icc_profile"] = b"no profile"
    assert to_photo_mode(image)[0].getpixel((0, 0)) == (255, 0, 0)


def test_exif_loses_what_no_longer_holds():
    image = Image.new("RGB", (4, 4))
    image.info["exif"] = exif_block(Orientation=6, Make="Camera", ImageWidth=99, StripOffsets=8).tobytes()
    orientation, block = read_exif(image)
    assert orientation == 6
    assert dict(parsed(block)) == {ExifTags.Base.Make: "Camera"}


def test_no_exif_and_broken_exif_count_as_none():
    image = Image.new("RGB", (4, 4))
    assert read_exif(image) == (1, None)
    image.info["exif"] = b"Exif\x00\x00garbage that is no TIFF header"
    assert read_exif(image) == (1, None)
    turned = Image.new("RGB", (4, 4))
    turned.info["exif"] = exif_block(Orientation=3).tobytes()
    assert read_exif(turned) == (3, None)  # nothing else was in it


def test_gps_is_dropped_and_the_rest_kept():
    exif = exif_block(Make="Camera")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] = "Lens"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    block = exif.tobytes()
    assert parsed(block).get_ifd(ExifTags.IFD.GPSInfo)
    kept = parsed(drop_gps(block))
    assert not kept.get_ifd(ExifTags.IFD.GPSInfo)
    assert kept[ExifTags.Base.Make] == "Camera"
    assert kept.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] == "Lens"


def test_sixteen_to_eight_bits_is_rounded_and_inverts_the_widening():
    eight = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(to_8_bit(eight), eight)
    np.testing.assert_array_equal(to_8_bit(eight.astype(np.uint16) * 257), eight)
    np.testing.assert_array_equal(to_8_bit(np.uint16([[128, 129, 65535]])), [[0, 1, 255]])


def test_transparency_is_flattened_on_white():
    assert flatten_on_white(Image.new("RGBA", (1, 1), (10, 20, 30, 0))).getpixel((0, 0)) == (255, 255, 255)
    assert flatten_on_white(Image.new("RGBA", (1, 1), (10, 20, 30, 255))).getpixel((0, 0)) == (10, 20, 30)
    assert flatten_on_white(Image.new("LA", (1, 1), (10, 0))).getpixel((0, 0)) == 255
