"""Files whose attachments are malformed, doubled or in an odd place: the picture opens as it is meant."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, features

from sair_core.errors import PhotoError
from sair_core.photos.containers import strip_attachments
from sair_core.photos.photo import load_photo
from sair_core.photos.tiff import ASCII, RATIONAL, SHORT, Tag, write_directory
from tests.photos.test_metadata import file_of, picture, png_with

TAGS = {0x0110: Tag(ASCII, b"Cam X\0", "<"), 0x0112: Tag(SHORT, struct.pack("<H", 6), "<")}
TURNED = b"II*\0" + struct.pack("<I", 8) + write_directory(TAGS, "<", 8)
RAW_PROFILE = b"\nexif\n%8d\n" % (6 + len(TURNED)) + (b"Exif\0\0" + TURNED).hex().encode()


def jpeg_with(*segments):
    data = file_of("JPEG", quality=95)
    made = (b"\xff" + bytes([m]) + struct.pack(">H", len(p) + 2) + p for m, p in segments)
    return data[:2] + b"".join(made) + data[2:]


@pytest.mark.parametrize(
    "data",
    [
        jpeg_with((0xE1, b"Exif\0\0"), (0xE1, b"Exif\0\0" + TURNED)),
        jpeg_with((0xE1, b"Exif\0\0garbage"), (0xE1, b"Exif\0\0" + TURNED)),
        jpeg_with((0xE1, b"Exif\0\xff" + TURNED)),
        png_with((b"eXIf", b"no block"), (b"eXIf", TURNED)),
        png_with((b"zTXt", b"Raw profile type APP1\0\0" + zlib.compress(RAW_PROFILE))),
        png_with((b"tEXt", b"Raw profile type exif\0" + RAW_PROFILE)),
    ],
    ids=[
        "an empty block first",
        "garbage first",
        "another end of the name",
        "two chunks",
        "as APP1",
        "as text",
    ],
)
def test_the_first_sound_exif_block_counts(data):
    photo = load_photo(data)
    assert photo.orientation == 6 and photo.size_px == (24, 16)
    assert photo.exif is not None and b"Cam X" in photo.exif


@pytest.mark.parametrize("length", [1, 5, 7])
def test_a_transparent_colour_of_a_wrong_size_does_not_take_a_png(length):
    data = png_with((b"tRNS", bytes(length)), image=picture())
    np.testing.assert_array_equal(load_photo(data).rgb, np.asarray(picture()))


GIF = file_of("GIF", picture(mode="P"))
BEHIND_COLOURS = 13 + 3 * 2 ** ((GIF[10] & 7) + 1)


@pytest.mark.parametrize(
    "extension",
    [
        b"\x21\xf9\x01\x01\0",
        b"\x21\xf9\0",
        b"\x21\xff\x0bNETSCAPE2.0\x01\x01\0",
        b"\x21\xfe\x02ab\0",
        b"\x21\x99\0",
    ],
)
def test_an_odd_extension_does_not_take_a_gif(extension):
    odd = GIF[:BEHIND_COLOURS] + extension + GIF[BEHIND_COLOURS:]
    np.testing.assert_array_equal(load_photo(odd).rgb, load_photo(GIF).rgb)
    assert strip_attachments(odd) == GIF


def test_a_gif_without_its_extensions_keeps_what_is_transparent():
    image = picture(mode="P")
    clear = file_of("GIF", image, transparency=int(np.asarray(image)[0, 0]))
    assert load_photo(strip_attachments(clear)).mode == "RGBA"


@pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow reads no JPEG 2000")
@pytest.mark.parametrize(
    "box",
    [
        b"res x",
        b"colr\2\0\0no profile",
        b"uuid" + bytes(9),
        b"xml <",
        b"res " + struct.pack(">I4s", 8, b"resc"),
    ],
)
def test_an_odd_box_does_not_take_a_jpeg_2000(box):
    sound = file_of("JPEG2000")
    at = sound.index(b"jp2h") - 4
    size = int.from_bytes(sound[at : at + 4], "big")
    made = struct.pack(">I", len(box) + 4) + box
    inner = (
        sound[:at]
        + struct.pack(">I", size + len(made))
        + sound[at + 4 : at + size]
        + made
        + sound[at + size :]
    )
    outer = sound[:at] + made + sound[at:]
    for data in (inner, outer):
        np.testing.assert_array_equal(load_photo(data).rgb, load_photo(sound).rgb)
        np.testing.assert_array_equal(load_photo(strip_attachments(data)).rgb, load_photo(sound).rgb)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
def test_what_is_odd_in_an_avif_takes_neither_its_other_tags_nor_a_pixel():
    exif = Image.Exif()
    exif[0x0112], exif[0x0110], exif[0x010F] = 6, "Cam X", "Cameras"
    xmp = b"<x:xmpmeta>tiff:Orientation='3'</x:xmpmeta>"
    sound = file_of("AVIF", exif=exif, xmp=xmp, quality=100)
    odd = sound.replace(struct.pack(">HHI", 0x010F, ASCII, 8), struct.pack(">HHI", 0x010F, RATIONAL, 1))
    assert odd != sound
    photo, stripped = load_photo(odd), strip_attachments(sound)
    assert photo.orientation == 6, "a property of the picture says so"
    assert b"Cam X" in photo.exif
    np.testing.assert_array_equal(photo.rgb, load_photo(sound).rgb)
    assert len(stripped) == len(sound)
    info = Image.open(io.BytesIO(stripped)).info
    assert "xmp" not in info and b"Cam X" not in info.get("exif", b"")
    np.testing.assert_array_equal(load_photo(stripped).rgb, load_photo(sound).rgb)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
def test_damaged_boxes_end():
    sound = file_of("AVIF", exif=b"Exif\0\0" + TURNED)
    random = np.random.default_rng(0)
    meta = sound.index(b"meta")
    for _ in range(300):
        data = bytearray(sound)
        for place in random.integers(meta, meta + 250, 4):
            data[place] = random.integers(0, 256)
        assert len(strip_attachments(bytes(data))) == len(sound)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_file_that_is_cut_off_anywhere_is_opened_or_refused_in_words(format):
    whole = file_of(format)
    for end in range(1, min(len(whole), 120)):
        strip_attachments(whole[:end])
        with pytest.raises(PhotoError):
            load_photo(whole[:end])
