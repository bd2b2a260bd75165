"""What a file has attached to its picture: what is kept, what is left out, and what damage must not take."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin, features

from sair_core.photos.photo import load_photo
from sair_core.photos.tiff import ASCII, RATIONAL, SHORT, Tag, TiffBlock, write_directory
from sair_core.photos.write import encode_image

SECRET = b"REMOVED-PERSON"
ORDERS = {"<": b"II*\0", ">": b"MM\0*"}
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_block(tags, order="<"):
    return b"Exif\0\0" + ORDERS[order] + struct.pack(order + "I", 8) + write_directory(tags, order, 8)


def short(value, order="<"):
    return Tag(SHORT, struct.pack(order + "H", value), order)


def picture(size=(24, 16), mode="RGB"):
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(values).convert(mode)


def file_of(format, image=None, **options):
    buffer = io.BytesIO()
    (image or picture()).save(buffer, format, **options)
    return buffer.getvalue()


def png_with(*chunks, image=None):
    data = file_of("PNG", image)
    made = b"".join(
        struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))
        for name, payload in chunks
    )
    return data[:33] + made + data[33:]


ODD_TAGS = {
    "text for a fraction": {0x011A: Tag(ASCII, b"72/1\0", "<")},
    "fraction for a text": {0x010F: Tag(RATIONAL, struct.pack("<II", 3, 4), "<")},
    "division by zero": {0x011A: Tag(RATIONAL, bytes(8), "<"), 0x829A: Tag(RATIONAL, bytes(8), "<")},
    "a pointer to nowhere": {0x8769: Tag(4, b"\xff\xff\xff\xff", "<"), 0x8825: Tag(4, b"\1\0\0\0", "<")},
    "floats that are none": {0xC61A: Tag(12, struct.pack("<d", float("nan")), "<")},
    "bytes for a date": {0x0132: Tag(7, b"\xff" * 30, "<")},
}


@pytest.mark.parametrize("format", ("JPEG", "PNG", "WEBP"))
@pytest.mark.parametrize("odd", ODD_TAGS)
def test_an_odd_tag_takes_neither_the_orientation_nor_the_other_tags(odd, format):
    tags = {0x0110: Tag(ASCII, b"Cam X\0", "<"), 0x0112: short(6), **ODD_TAGS[odd]}
    photo = load_photo(file_of(format, exif=exif_block(tags)))
    assert photo.size_px == (24, 16) and photo.orientation == 6
    assert photo.exif is not None and b"Cam X" in photo.exif
    for written in FORMATS:
        again = load_photo(encode_image(photo, written))
        assert again.size_px == (24, 16) and again.exif is not None and b"Cam X" in again.exif


def test_a_cut_off_block_has_what_stands_before_the_cut():
    block = exif_block({0x010F: Tag(ASCII, b"Maker of cameras\0", "<"), 0x0112: short(8)})
    for end in range(len(block) - 1, 6 + 8 + 2 + 2 * 12 - 1, -1):
        assert load_photo(file_of("PNG", exif=block[:end])).orientation == 8


@pytest.mark.parametrize("order", ORDERS)
def test_a_block_of_many_tags_in_either_byte_order(order):
    tags = {n: Tag(ASCII, b"x\0", order) for n in range(0x9000, 0x9200)}
    block = exif_block({0x0112: short(3, order), 0x8298: Tag(ASCII, b"A. Maker\0", order), **tags}, order)
    photo = load_photo(file_of("JPEG", exif=block))
    assert photo.orientation == 3
    assert load_photo(encode_image(photo, "TIFF")).exif == photo.exif


XMP = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
    b"<rdf:Description %s/></rdf:RDF></x:xmpmeta>"
)


@pytest.mark.parametrize("quoted", [b'tiff:Orientation="6"', b"tiff:Orientation='6'"])
def test_orientation_in_xmp_counts_where_exif_has_none(quoted):
    packet = XMP % quoted
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", packet.decode(), zip=True)
    for data in (
        file_of("JPEG", xmp=packet),
        file_of("WEBP", xmp=packet),
        file_of("PNG", pnginfo=text),
        file_of("TIFF", tiffinfo={700: packet}),
    ):
        assert load_photo(data).size_px == (24, 16)
    both = file_of("JPEG", xmp=packet, exif=exif_block({0x0112: short(1)}))
    assert load_photo(both).size_px == (16, 24)


def test_over_long_and_damaged_chunks_do_not_take_the_photo():
    long = zlib.compress(bytes(80 * 2**20))
    pixels = np.asarray(picture())
    for name, payload in {
        b"iCCP": b"profile\0\0" + long,
        b"zTXt": b"Comment\0\0" + long,
        b"iTXt": b"Comment\0\1\0\0\0" + long,
        b"pHYs": b"\0",
        b"gAMA": b"\1",
        b"cHRM": b"\1\2\3",
        b"sRGB": b"",
        b"eXIf": b"MM",
        b"acTL": b"\0\0",
        b"tEXt": b"\xff" * 99,
    }.items():
        photo = load_photo(png_with((name, payload), image=picture()))
        np.testing.assert_array_equal(photo.rgb, pixels, err_msg=str(name))
        assert photo.icc_profile is None


def test_gamma_chromaticity_resolution_and_profile_come_back():
    chromaticity = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
    data = png_with(
        (b"gAMA", struct.pack(">I", 100_000)),
        (b"cHRM", struct.pack(">8I", *(round(v * 1e5) for v in chromaticity))),
        (b"pHYs", struct.pack(">IIB", 11811, 11811, 1)),
    )
    written = Image.open(io.BytesIO(encode_image(load_photo(data).to_image(), "PNG")))
    assert written.info["gamma"] == 1.0 and written.info["chromaticity"] == chromaticity
    assert written.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    for format in FORMATS:
        again = load_photo(encode_image(load_photo(data), format))
        assert again.metadata.dpi == pytest.approx((300, 300), abs=0.1), format
        profiled = load_photo(file_of("PNG", icc_profile=SRGB))
        assert load_photo(encode_image(profiled, format)).icc_profile == SRGB


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_the_resolution_is_turned_with_the_photo(format):
    for orientation in (1, 3, 6):
        exif = Image.Exif()
        exif[274] = orientation
        photo = load_photo(file_of(format, exif=exif, dpi=(200, 100)))
        assert photo.metadata.dpi == pytest.approx((100, 200) if orientation == 6 else (200, 100), abs=0.1)


def test_a_profile_of_grey_is_not_written_beside_colours():
    grey = SRGB[:16] + b"GRAY" + SRGB[20:]
    photo = load_photo(file_of("PNG", picture(mode="L"), icc_profile=grey))
    for format, kept in {"PNG": grey, "JPEG": grey, "TIFF": grey, "WEBP": None}.items():
        assert load_photo(encode_image(photo, format)).icc_profile == kept, format


def test_what_the_colours_mean_is_kept_by_fills_and_exports(tiny_pipe, tmp_path):
    chromaticity = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
    data = png_with(
        (b"gAMA", struct.pack(">I", 100_000)),
        (b"cHRM", struct.pack(">8I", *(round(v * 1e5) for v in chromaticity))),
        image=picture((48, 40)),
    )
    hole = np.zeros((40, 48), bool)
    hole[10:20, 10:20] = True
    tiny_pipe.fill(data, hole).save(tmp_path / "filled.png")
    tiny_pipe.export(data, tmp_path / "enlarged.png", scale=2)
    for name in ("filled.png", "enlarged.png"):
        metadata = load_photo(tmp_path / name).metadata
        assert (metadata.gamma, metadata.chromaticity) == (1.0, chromaticity), name
    for format in ("JPEG", "TIFF", "WEBP"):  # which have no place for them: only a profile says so there
        assert load_photo(encode_image(load_photo(data), format)).metadata.gamma is None


def private_files():
    """A file of every kind with a private part of every kind that says what has been painted out."""
    exif = Image.Exif()
    exif[ExifTags.Base.Copyright] = "A. Maker"
    exif[ExifTags.Base.ImageDescription] = exif[ExifTags.Base.Software] = SECRET.decode()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = SECRET
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = SECRET
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSAreaInformation] = SECRET
    xmp = XMP % (b'xmpMM:History="' + SECRET + b'"')
    jpeg = file_of("JPEG", exif=exif, xmp=xmp, comment=SECRET)
    blocks = b"Photoshop 3.0\x008BIM" + SECRET
    multi = b"MPF\0" + SECRET
    jpeg = jpeg[:2] + b"".join(
        b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload
        for marker, payload in ((0xED, blocks), (0xE2, multi))
    ) + jpeg[2:] + SECRET  # fmt: skip
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode())
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    tags = {700: xmp, 34377: b"8BIM" + SECRET, 37724: b"8BIM" + SECRET, 50341: SECRET, 270: SECRET.decode()}
    return {
        "JPEG": jpeg,
        "PNG": file_of("PNG", exif=exif, pnginfo=text),
        "WEBP": file_of("WEBP", exif=exif, xmp=xmp),
        "TIFF": file_of("TIFF", tiffinfo={**tags, 33432: "A. Maker"}),
        **({"AVIF": file_of("AVIF", exif=exif, xmp=xmp)} if features.check("avif") else {}),
    }


@pytest.mark.parametrize("kind", private_files())
@pytest.mark.parametrize("format", (*FORMATS, "BMP"))
def test_nothing_of_before_the_fill_is_written(kind, format):
    data = private_files()[kind]
    assert SECRET in data
    photo = load_photo(data)
    opened = Image.open(io.BytesIO(data))
    for source in (photo, photo.to_image(), opened):
        for keep_gps in (False, True):
            written = encode_image(source, format, keep_gps=keep_gps)
            assert SECRET not in written
    if format != "BMP":
        assert b"A. Maker" in encode_image(photo, format)


def test_the_place_is_kept_only_where_asked_for():
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    photo = load_photo(file_of("JPEG", exif=exif))
    for format in FORMATS:
        for keep in (False, True):
            written = Image.open(io.BytesIO(encode_image(photo, format, keep_gps=keep))).getexif()
            assert bool(written.get_ifd(ExifTags.IFD.GPSInfo)) == keep
            assert written[ExifTags.Base.Make] == "Camera"


def test_directories_are_read_within_bounds():
    assert TiffBlock.open(b"II*\0") is None and TiffBlock.open(b"") is None
    circle = ORDERS["<"] + struct.pack("<I", 8) + struct.pack("<HI", 0, 8)
    assert len(list(TiffBlock.open(circle).directories())) == 1
    far = ORDERS["<"] + struct.pack("<I", 2**32 - 1)
    assert dict(next(TiffBlock.open(far).directories()).tags) == {}
    random = np.random.default_rng(0)
    for _ in range(300):
        block = TiffBlock.open(ORDERS["<"] + struct.pack("<I", 8) + random.bytes(200))
        for directory in block.directories():
            for tag in directory.tags.values():
                assert len(tag.integers) <= 64 and len(tag.rationals) <= 64


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
def test_an_odd_tag_does_not_take_an_avif():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = 6, "Cameras"
    data = file_of("AVIF", exif=exif)
    text = struct.pack(">HHI", ExifTags.Base.Make, ASCII, 8)
    assert text in data
    photo = load_photo(data.replace(text, struct.pack(">HHI", ExifTags.Base.Make, RATIONAL, 1)))
    assert photo.size_px == (24, 16) and photo.orientation == 6
    kept = load_photo(data)
    assert kept.size_px == (24, 16) and kept.exif is not None and b"Cameras" in kept.exif
