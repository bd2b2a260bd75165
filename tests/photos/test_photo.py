"""Photos in and out: exactness in every mode, orientation, limits and bad files."""

import dataclasses
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from sair_core.errors import ConfigError, MaskSizeError, PhotoError, PhotoTooLargeError
from sair_core.photos.alpha import SOLID
from sair_core.photos.photo import load_photo
from sair_core.photos.write import encode_image

SHAPES = {"RGB": (3,), "RGBA": (4,), "L": (), "LA": (2,), "I;16": ()}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PNG_START = b"\x89PNG\r\n\x1a\n"


def pixels_of(mode, size_px=(13, 17), seed=0):
    dtype = np.uint16 if mode == "I;16" else np.uint8
    shape = (*size_px, *SHAPES[mode])
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def file_of(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def reopened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def hole_of(size_px=(13, 17)):
    return np.random.default_rng(1).random(size_px) < 0.3


def exif_of(orientation=None, gps=False):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    if gps:
        exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return exif


def bare_png(width, height):
    """A PNG whose header promises more pixels than its data could hold."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((13, header), (0, b"IDAT"), (0, b"IEND"))
    return PNG_START + b"".join(
        struct.pack(">I", n) + c + struct.pack(">I", zlib.crc32(c)) for n, c in chunks
    )


@pytest.mark.parametrize("mode", SHAPES)
def test_known_pixels_and_alpha_are_bit_identical(mode):
    pixels, hole = pixels_of(mode), hole_of()
    photo = load_photo(file_of(Image.fromarray(pixels)))
    assert photo.mode == mode and photo.format == "PNG"
    fill01 = np.random.default_rng(2).random((hole.sum(), 3), dtype=np.float32)
    image = photo.composite(fill01, hole).to_image()
    assert image.mode == mode and image.size == (17, 13)
    after = np.asarray(reopened(encode_image(image, "PNG")))
    np.testing.assert_array_equal(after[~hole], pixels[~hole])
    if mode in ("RGBA", "LA"):
        np.testing.assert_array_equal(after[..., -1], pixels[..., -1])
    assert (after[hole] != pixels[hole]).any()
    np.testing.assert_array_equal(np.asarray(photo.to_image()), pixels)


@pytest.mark.parametrize("mode", SHAPES)
def test_fill_values_arrive_in_order_and_at_native_depth(mode):
    photo, hole = load_photo(pixels_of(mode)), hole_of()
    fill01 = np.random.default_rng(2).uniform(-0.2, 1.2, (hole.sum(), 3)).astype(np.float32)
    after = np.asarray(photo.composite(fill01, hole).to_image())[np.nonzero(hole)]
    clipped = fill01.clip(0, 1).astype(np.float64)
    luma = clipped @ [0.299, 0.587, 0.114]
    if mode.startswith("RGB"):
        assert np.abs(after[:, :3] - clipped * 255).max() <= 0.501
    elif mode == "I;16":
        assert np.abs(after - luma * 65535).max() <= 0.51
        assert len(np.unique(after % 257)) > 20  # more than 8 bits were written
    else:
        assert np.abs((after[:, 0] if mode == "LA" else after) - luma * 255).max() <= 0.501


def test_white_and_black_reach_the_ends_of_the_range():
    mask = np.ones((1, 2), bool)
    for mode, top in (("L", 255), ("I;16", 65535)):
        photo = load_photo(pixels_of(mode, (1, 2)))
        image = photo.composite(np.float32([[0] * 3, [1] * 3]), mask).to_image()
        np.testing.assert_array_equal(image, [[0, top]])


def test_filling_with_what_the_model_saw_changes_nothing():
    for mode in ("RGB", "RGBA", "L", "LA"):
        photo = load_photo(pixels_of(mode))
        everything = np.ones(photo.size_px, bool)
        image = photo.composite(photo.rgb.reshape(-1, 3).astype(np.float32) / 255, everything).to_image()
        shown = np.ones(photo.size_px, bool) if photo.alpha is None else photo.alpha >= 255 * SOLID
        np.testing.assert_array_equal(np.asarray(image)[shown], pixels_of(mode)[shown])


@pytest.mark.parametrize("mode", SHAPES)
def test_model_sees_rgb(mode):
    pixels, photo = pixels_of(mode), load_photo(pixels_of(mode))
    assert photo.rgb.shape == (13, 17, 3) and photo.rgb.dtype == np.uint8
    if mode.startswith("RGB"):
        expected = pixels[..., :3]
    elif mode == "I;16":
        expected = np.rint(pixels / 257)[..., None].repeat(3, axis=2)
    else:
        expected = pixels.reshape(13, 17, -1)[..., :1].repeat(3, axis=2)
    shown = np.ones(photo.size_px, bool) if photo.alpha is None else photo.alpha >= 255 * SOLID
    np.testing.assert_array_equal(photo.rgb[shown], expected[shown])


@pytest.mark.parametrize("mode", SHAPES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations(mode, orientation):
    pixels = pixels_of(mode)
    data = file_of(Image.fromarray(pixels), exif=exif_of(orientation))
    photo = load_photo(data)
    expected = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a),
    }[orientation](pixels)
    assert photo.size_px == expected.shape[:2]
    np.testing.assert_array_equal(np.asarray(photo.to_image()), expected)
    # The file that is written says nothing about turning any more, and still names the camera.
    exif = reopened(encode_image(photo.to_image(), "PNG")).getexif()
    assert dict(exif) == {ExifTags.Base.Make: "Camera"}


def test_orientation_of_a_tiff_is_applied_once():
    pixels = pixels_of("RGB")
    photo = load_photo(file_of(Image.fromarray(pixels), "TIFF", exif=exif_of(6)))
    np.testing.assert_array_equal(photo.rgb, np.rot90(pixels, -1))
    exif = reopened(encode_image(photo.to_image(), "JPEG")).getexif()
    assert exif[ExifTags.Base.Make] == "Camera" and ExifTags.Base.StripOffsets not in exif


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_profile_and_exif_survive_the_round_trip_without_gps(format):
    data = file_of(Image.fromarray(pixels_of("RGB")), "JPEG", icc_profile=SRGB, exif=exif_of(gps=True))
    photo = load_photo(data)
    assert photo.icc_profile == SRGB
    image = photo.composite(np.zeros((hole_of().sum(), 3), np.float32), hole_of()).to_image()
    written = reopened(encode_image(image, format))
    assert written.info["icc_profile"] == SRGB
    assert written.getexif()[ExifTags.Base.Make] == "Camera"
    assert photo.exif is not None and b"Camera" in photo.exif
    assert not written.getexif().get_ifd(ExifTags.IFD.GPSInfo)


def test_preview_of_the_original_is_not_carried_along():
    # A second directory holds a thumbnail, which would show what was removed.
    exif = exif_of().tobytes()[6:]
    preview = b"\xff\xd8preview\xff\xd9"
    entries = struct.pack("<HHHIIHHIII", 2, 513, 4, 1, len(exif) + 30, 514, 4, 1, len(preview), 0)
    if exif.startswith(b"MM"):
        entries = struct.pack(">HHHIIHHIII", 2, 513, 4, 1, len(exif) + 30, 514, 4, 1, len(preview), 0)
    order = ">" if exif.startswith(b"MM") else "<"
    first = struct.unpack_from(order + "I", exif, 4)[0]
    count = struct.unpack_from(order + "H", exif, first)[0]
    chained = bytearray(exif + entries + preview)
    struct.pack_into(order + "I", chained, first + 2 + 12 * count, len(exif))
    data = file_of(Image.fromarray(pixels_of("RGB")), "JPEG", exif=b"Exif\x00\x00" + bytes(chained))
    assert preview in data
    photo = load_photo(data)
    assert photo.exif is not None and b"Camera" in photo.exif and preview not in photo.exif
    assert preview not in encode_image(reopened(data), "JPEG")


def test_every_kind_of_source_gives_the_same_photo(tmp_path):
    pixels = pixels_of("RGB")
    image = Image.fromarray(pixels)
    path = tmp_path / "photo.png"
    path.write_bytes(file_of(image))
    sources = [
        pixels,
        image,
        path,
        str(path),
        path.read_bytes(),
        bytearray(path.read_bytes()),
        pixels / 255.0,
    ]
    for source in [*sources, (pixels / 255.0).astype(np.float32)]:
        photo = load_photo(source)
        np.testing.assert_array_equal(photo.rgb, pixels)
        assert photo.mode == "RGB"
    assert load_photo(photo) is photo
    assert load_photo(path).format == "PNG" and load_photo(pixels).format is None


def test_array_shapes_and_types():
    grey = pixels_of("L")
    for array, mode in (
        (grey, "L"),
        (grey[..., None], "L"),
        (grey / 255.0, "L"),
        (grey > 99, "L"),
        (pixels_of("LA"), "LA"),
        (pixels_of("RGBA"), "RGBA"),
        (pixels_of("I;16"), "I;16"),
        (pixels_of("I;16").astype(">u2"), "I;16"),
    ):
        photo = load_photo(array)
        assert photo.mode == mode
        expected = array * 255 if array.dtype in (bool, float) else array
        np.testing.assert_array_equal(
            np.asarray(photo.to_image()), np.rint(expected).reshape(13, 17, *SHAPES[mode])
        )


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 40, 50), np.uint8), "transpose"),
        (np.zeros(7, np.uint8), r"\(H, W\)"),
        (np.zeros((4, 4, 3), np.uint32), "or uint16"),
        (np.zeros((4, 4, 3), np.int64), "uint8"),
        (np.full((4, 4, 3), 200.0), r"\[0, 1\]"),
        (np.full((4, 4), np.nan), r"\[0, 1\]"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.zeros((4, 4, 0), np.uint8), "cannot be used"),
    ],
)
def test_arrays_that_are_no_photo_say_why(array, words):
    with pytest.raises(PhotoError, match=words):
        load_photo(array)


def test_photo_is_independent_of_its_source_and_read_only():
    pixels = pixels_of("RGB")
    photo = load_photo(pixels)
    pixels[:] = 0
    assert photo.rgb.any()
    with pytest.raises(ValueError, match="read-only"):
        photo.rgb[0, 0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        photo.mode = "L"
    before = photo.rgb.copy()
    image = photo.composite(np.ones((13 * 17, 3), np.float32), np.ones((13, 17), bool)).to_image()
    image.putpixel((0, 0), (1, 2, 3))
    np.testing.assert_array_equal(photo.rgb, before)


def test_loading_leaves_a_pillow_image_as_it_was():
    image = reopened(file_of(Image.fromarray(pixels_of("RGB")), exif=exif_of(6)))
    load_photo(image)
    encode_image(image, "JPEG")
    assert image.size == (17, 13) and image.getexif()[ExifTags.Base.Orientation] == 6


def test_print_colours_and_black_and_white():
    red = load_photo(file_of(Image.new("CMYK", (4, 3), (0, 255, 255, 0)), "JPEG", quality=100))
    assert red.mode == "RGB"
    assert np.abs(red.rgb[0, 0] - np.int16([255, 0, 0])).max() <= 6
    bits = load_photo(file_of(Image.fromarray(hole_of())))
    np.testing.assert_array_equal(bits.rgb[..., 0], hole_of() * 255)


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "green", "blue")]
    for format in ("GIF", "PNG", "WEBP"):
        data = file_of(frames[0], format, save_all=True, append_images=frames[1:])
        rgb = load_photo(data).rgb
        assert rgb.shape == (6, 8, 3) and rgb[0, 0, 0] > 240 and rgb[0, 0, 1] < 15


def test_size_is_checked_before_anything_is_decoded():
    with pytest.raises(
        PhotoTooLargeError, match=r"9000 x 9000 px \(81\.0 megapixels\).*50 megapixels.*smaller"
    ):
        load_photo(bare_png(9_000, 9_000))
    with pytest.raises(PhotoTooLargeError, match="smaller"):
        load_photo(bare_png(100_000, 100_000))  # Pillow's own limit


def test_size_limit_holds_for_every_source():
    pixels = pixels_of("RGB", (100, 101))
    for source in (pixels, Image.fromarray(pixels), file_of(Image.fromarray(pixels)), load_photo(pixels)):
        with pytest.raises(PhotoTooLargeError, match="101 x 100 px"):
            load_photo(source, max_megapixels=0.01)
        assert load_photo(source, max_megapixels=0.0101).size_px == (100, 101)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_truncated_files_are_reported(format):
    data = file_of(Image.fromarray(pixels_of("RGB", (64, 64))), format)
    for share in (0.05, 0.5, 0.9):
        with pytest.raises(PhotoError, match="again|save it as"):
            load_photo(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG.*PNG"),
        (b"\n  <svg/>", "SVG.*PNG"),
        (b"%PDF-1.7", "PDF.*PNG"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "HEIC.*JPEG"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00", "video.*PNG"),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01", "no readable photo"),
        (b"\xff\x0a\xfa\x7f", "JPEG XL.*PNG"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL.*PNG"),
        (b"8BPS\x00\x01", "Photoshop.*PNG"),
        (b"PK\x03\x04\x14\x00", "archive.*PNG"),
        (b"hello, this is text", "save it as PNG or JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "save it as PNG or JPEG"),
        (PNG_START, "again"),
    ],
)
def test_files_that_are_no_photo_say_what_to_do(data, words, tmp_path):
    path = tmp_path / "file.png"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(PhotoError, match=words):
            load_photo(source)


def test_missing_files_folders_and_other_things(tmp_path):
    with pytest.raises(PhotoError, match="no file .*nothing.png"):
        load_photo(tmp_path / "nothing.png")
    with pytest.raises(PhotoError, match="folder"):
        load_photo(tmp_path)
    with pytest.raises(PhotoError, match="null"):
        load_photo("name\0.png")
    with pytest.raises(PhotoError, match="NoneType"):
        load_photo(None)


def test_one_pixel():
    photo = load_photo(file_of(Image.new("RGB", (1, 1), (1, 2, 3))))
    image = photo.composite(np.ones((1, 3), np.float32), np.ones((1, 1), bool)).to_image()
    assert photo.size_px == (1, 1) and image.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", SHAPES)
def test_a_composite_is_a_photo_as_if_opened_from_its_image(mode):
    """So nothing is lost or changed where a result is edited again."""
    profile = SRGB if mode.startswith("RGB") else b"a grey profile"
    data = file_of(Image.fromarray(pixels_of(mode)), icc_profile=profile, exif=exif_of(6))
    photo, hole = load_photo(data), hole_of((17, 13))
    found = photo.composite(np.random.default_rng(2).random((hole.sum(), 3), np.float32), hole)
    again = load_photo(found.to_image())
    assert found.mode == mode and found.format is None and not found.first_of_several
    assert (
        (found.icc_profile, found.exif) == (again.icc_profile, again.exif) == (photo.icc_profile, photo.exif)
    )
    np.testing.assert_array_equal(found.rgb, again.rgb)
    np.testing.assert_array_equal(np.asarray(found.to_image()), np.asarray(again.to_image()))
    same = ~hole if photo.alpha is None else ~hole & (photo.alpha >= 255 * SOLID)
    np.testing.assert_array_equal(found.rgb[same], photo.rgb[same])
    assert not found.rgb.flags.writeable and (found.rgb[hole] != photo.rgb[hole]).any()


def test_composite_refuses_what_does_not_fit():
    photo = load_photo(pixels_of("RGB"))
    with pytest.raises(MaskSizeError, match="13 x 17 px but the photo is 17 x 13 px"):
        photo.composite(np.zeros((0, 3), np.float32), np.zeros((17, 13), bool))
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        mask = np.zeros((13, 17), bool)
        mask[0, :2] = True
        photo.composite(np.zeros((3, 3), np.float32), mask)


def test_lossless_webp_is_exact_even_under_full_transparency():
    pixels = pixels_of("RGBA")
    pixels[:5, :, 3] = 0
    data = encode_image(Image.fromarray(pixels), "webp", quality=100)
    np.testing.assert_array_equal(np.asarray(reopened(data)), pixels)
    assert len(encode_image(Image.fromarray(pixels), "WEBP", quality=30)) < len(data)


@pytest.mark.parametrize("mode", SHAPES)
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_every_mode_can_be_written_in_every_format(mode, format):
    values = np.linspace(0.2, 0.8, 64)
    grey = np.broadcast_to(values, (64, 64))
    pixels = np.stack([grey] * (SHAPES[mode] or (1,))[0], axis=-1).reshape(64, 64, *SHAPES[mode])
    pixels = np.rint(pixels * (65535 if mode == "I;16" else 255)).astype(
        np.uint16 if mode == "I;16" else np.uint8
    )
    if mode in ("RGBA", "LA"):
        pixels[..., -1] = 255
    image = reopened(encode_image(Image.fromarray(pixels), format, quality=95))
    assert image.format == format and image.size == (64, 64)
    if format == "PNG":
        np.testing.assert_array_equal(np.asarray(image), pixels)
    else:
        assert np.abs(np.asarray(image.convert("L")) - grey * 255).max() < 6


def test_jpeg_quality_counts_and_transparency_turns_white():
    noise = Image.fromarray(pixels_of("RGB", (64, 64)))
    assert len(encode_image(noise, "JPEG", quality=30)) < len(encode_image(noise, "jpg", quality=95)) / 2
    clear = reopened(encode_image(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "JPEG"))
    assert clear.mode == "RGB" and clear.getpixel((4, 4)) == (255, 255, 255)


def test_writing_refuses_what_it_cannot_do():
    image = Image.new("RGB", (4, 4))
    with pytest.raises(ConfigError, match="'GIF'.*PNG, JPEG, WEBP, TIFF or BMP"):
        encode_image(image, "GIF")
    for quality in (0, 101):
        with pytest.raises(ConfigError, match="1 to 100"):
            encode_image(image, "JPEG", quality=quality)
    with pytest.raises(PhotoTooLargeError, match="16383.*PNG"):
        encode_image(Image.new("L", (16_384, 1)), "WEBP")


def test_a_caption_too_long_for_any_file_goes_and_the_camera_stays():
    exif = exif_of()
    exif[ExifTags.Base.ImageDescription] = "x" * 70_000
    photo = load_photo(file_of(Image.fromarray(pixels_of("RGB")), exif=exif))
    for format in ("JPEG", "PNG", "TIFF", "WEBP"):
        written = reopened(encode_image(photo, format)).getexif()
        assert written[ExifTags.Base.Make] == "Camera" and ExifTags.Base.ImageDescription not in written
