"""Sixteen bits a channel: read, filled, exported and written as they are."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from sair_core.errors import ConfigError, MaskError, PhotoError
from sair_core.filling.result import FillResult
from sair_core.photos.deep import encode_png
from sair_core.photos.masks import as_mask
from sair_core.photos.photo import load_photo
from sair_core.photos.write import encode_image
from sair_core.pipeline import _digest

SHAPES = {"I;16": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}


def deep(mode, size_px=(24, 32), seed=0):
    return np.random.default_rng(seed).integers(1, 65536, (*size_px, *SHAPES[mode])).astype(np.uint16)


def tiff(pixels, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, metadata=None, **options)
    return buffer.getvalue()


def deep_files(mode):
    pixels = deep(mode)
    kind = {"photometric": "rgb" if mode.startswith("RGB") else "minisblack"}
    if mode.endswith("A"):
        kind["extrasamples"] = ["unassalpha"]
    yield "PNG", encode_png(pixels) if pixels.ndim == 3 else encode_image(load_photo(pixels), "PNG")
    for order in "<>":
        yield f"TIFF {order}", tiff(pixels, byteorder=order, **kind)
    for compression in ("zlib", "lzw"):
        yield compression, tiff(pixels, compression=compression, predictor=True, **kind)
    yield "tiled", tiff(pixels, tile=(16, 16), **kind)
    yield "big", tiff(pixels, bigtiff=True, **kind)
    if pixels.ndim == 3:
        planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
        yield "planes", tiff(planes, planarconfig="separate", **kind)


@pytest.mark.parametrize("mode", SHAPES)
def test_every_layout_is_read_and_written_bit_by_bit(mode):
    pixels = deep(mode)
    for name, data in deep_files(mode):
        photo = load_photo(data)
        assert (photo.mode, photo.bits) == (mode, 16), name
        np.testing.assert_array_equal(photo.pixels, pixels, err_msg=name)
        for format in ("PNG", "TIFF"):
            np.testing.assert_array_equal(load_photo(encode_image(photo, format)).pixels, pixels)
        for format in ("JPEG", "WEBP", "BMP"):
            assert load_photo(encode_image(photo, format)).bits == 8


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_white_is_zero_is_no_negative_at_any_depth(bits):
    ramp = np.tile(np.linspace(0, 2**bits - 1, 32).round(), (8, 1))
    stored = (2**bits - 1 - ramp).astype(np.uint16)
    if bits == 1:
        buffer = io.BytesIO()
        Image.fromarray(ramp.astype(bool)).save(buffer, "TIFF", tiffinfo={262: 0})
        data = buffer.getvalue()
    else:
        data = tiff(stored.astype(f"u{bits // 8}"), photometric="miniswhite")
    rgb = load_photo(data).rgb[0, :, 0]
    assert rgb[0] == 0 and rgb[-1] == 255 and (np.diff(rgb.astype(int)) >= 0).all()


def test_premultiplied_colours_are_divided():
    pixels = deep("RGBA")
    pixels[..., 3] = 32768
    pixels[..., :3] //= 2
    photo = load_photo(tiff(pixels, photometric="rgb", extrasamples=["assocalpha"]))
    assert np.abs(photo.pixels[..., :3].astype(int) - 2 * pixels[..., :3].astype(int)).max() <= 2


def test_an_extra_channel_that_is_no_transparency_is_left_out():
    photo = load_photo(tiff(deep("RGBA"), photometric="rgb", extrasamples=["unspecified"]))
    assert photo.mode == "RGB"
    np.testing.assert_array_equal(photo.pixels, deep("RGBA")[..., :3])


def test_print_colours_of_sixteen_bits_become_rgb():
    red = np.zeros((4, 5, 4), np.uint16)
    red[..., 1:3] = 65535
    assert load_photo(tiff(red, photometric="separated")).rgb[0, 0].tolist() == [255, 0, 0]


FLOATS = {
    "grey": ("I;16", {"photometric": "minisblack"}),
    "white is zero": ("I;16", {"photometric": "miniswhite"}),
    "with alpha": ("LA", {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
    "colours": ("RGB", {"photometric": "rgb"}),
    "colours predicted": ("RGB", {"photometric": "rgb", "compression": "zlib", "predictor": 3}),
    "colours with alpha": ("RGBA", {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "multiplied with alpha": ("RGBA", {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
}


@pytest.mark.parametrize("type", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", FLOATS)
def test_floats_in_0_to_1_open_with_sixteen_bits_and_as_a_mask(name, type):
    mode, options = FLOATS[name]
    if type == np.float16 and "predictor" in options:
        pytest.skip("tifffile writes no such file")
    pixels = deep(mode).astype(np.float64) / 65535
    if mode.endswith("A"):
        pixels[..., -1] = 0.5 if options["extrasamples"] == ["assocalpha"] else 1
    stored = pixels.copy()
    if options["photometric"] == "miniswhite":
        stored = 1 - stored
    if options.get("extrasamples") == ["assocalpha"]:
        stored[..., :3] *= 0.5
    data = tiff(stored.astype(type), **options)
    photo = load_photo(data)
    assert (photo.mode, photo.bits) == (mode, 16)
    np.testing.assert_allclose(photo.pixels / 65535, pixels, atol=2e-3 if type == np.float16 else 2e-5)
    sure = (
        np.abs((pixels if pixels.ndim == 2 else pixels[..., : 3 if mode != "LA" else 1].max(axis=2)) - 0.5)
        > 0.01
    )
    bright = photo.rgb.max(axis=2) >= 128
    np.testing.assert_array_equal(as_mask(data)[sure], bright[sure])


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((8, 8), 200.0, np.float32),
        np.full((8, 8, 3), 4.0, np.float32),
        np.full((8, 8), np.nan, np.float32),
        np.full((8, 8), 3, np.int16),
        np.full((8, 8, 3), 3, np.int8),
        np.full((8, 8, 3), 2**31, np.uint32),
        np.full((8, 8), 1j, np.complex64),
    ],
    ids=lambda pixels: f"{pixels.dtype} {pixels.shape}",
)
def test_numbers_that_are_no_colours_are_refused_with_what_to_do(pixels):
    with pytest.raises(PhotoError, match="save it with 8 or 16 bits"):
        load_photo(tiff(pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack"))


@pytest.mark.parametrize("tags", [{277: 1}, {258: 100, 277: 1}], ids=["one channel", "no such depth"])
def test_pixels_that_are_not_there_are_refused(tags):
    data = bytearray(tiff(deep("RGB"), photometric="rgb", byteorder="<"))
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    for place in range(first + 2, first + 2 + 12 * count, 12):
        (number,) = struct.unpack_from("<H", data, place)
        if number in tags:
            struct.pack_into("<HII", data, place + 2, 3, 1, tags[number])
    with pytest.raises(PhotoError, match="damaged or incomplete"):
        load_photo(bytes(data))
    with pytest.raises(MaskError, match="damaged or incomplete"):
        as_mask(bytes(data))


@pytest.mark.parametrize("type", [np.uint8, np.uint16])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha"])
def test_grey_with_alpha_opens_as_it_looks(type, photometric, alpha):
    top = np.iinfo(type).max
    pixels = (deep("LA") // (65535 // top)).astype(type)
    pixels[..., 1] = top
    stored = pixels.copy()
    if photometric == "miniswhite":
        stored[..., 0] = top - stored[..., 0]
    photo = load_photo(tiff(stored, photometric=photometric, planarconfig="contig", extrasamples=[alpha]))
    np.testing.assert_array_equal(photo.pixels, pixels)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_an_array_of_sixteen_bits_is_a_photo_in_either_byte_order(channels):
    pixels = deep("RGBA")[..., :channels]
    for order in "<>":
        photo = load_photo(pixels.astype(f"{order}u2"))
        assert photo.bits == 16
        np.testing.assert_array_equal(photo.pixels, pixels)


@pytest.mark.parametrize("mode", SHAPES)
def test_a_fill_keeps_the_depth_and_every_known_pixel(mode):
    photo, hole = load_photo(next(deep_files(mode))[1]), np.zeros((24, 32), bool)
    hole[4:9, 5:20] = True
    filled = photo.composite(np.full((hole.sum(), 3), 0.123456, np.float32), hole)
    assert (filled.mode, filled.bits) == (mode, 16)
    np.testing.assert_array_equal(filled.pixels[~hole], photo.pixels[~hole])
    colours = filled.pixels[hole] if mode in ("I;16", "RGB") else filled.pixels[hole][:, :-1]
    assert np.abs(colours.astype(int) - round(0.123456 * 65535)).max() <= 1
    if mode.endswith("A"):
        np.testing.assert_array_equal(filled.pixels[..., -1], photo.pixels[..., -1])


@pytest.mark.parametrize("mode", SHAPES)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_an_export_keeps_the_depth(tiny_pipe, tmp_path, mode, suffix):
    ys, xs = np.mgrid[:48, :64]
    ramp = 20_000 + 137 * ys + 211 * xs
    pixels = (
        np.stack([ramp] * (SHAPES[mode] or (1,))[0], axis=-1).reshape(48, 64, *SHAPES[mode]).astype(np.uint16)
    )
    photo = load_photo(encode_png(pixels) if pixels.ndim == 3 else pixels)
    path = tmp_path / f"out{suffix}"
    tiny_pipe.export(photo, path, scale=1.0)
    np.testing.assert_array_equal(load_photo(path).pixels, pixels)
    tiny_pipe.export(photo, path, scale=2.0)
    larger = load_photo(path)
    assert larger.bits == 16 and larger.size_px == (96, 128)
    assert len(np.unique(larger.pixels % 257)) > 200, "more than 8 bits were written"
    tiny_pipe.export(photo, path, scale=0.5)
    smaller = load_photo(path)
    expected = pixels.reshape(24, 2, 32, 2, -1).mean(axis=(1, 3)).reshape(smaller.pixels.shape)
    inner = slice(3, -3), slice(3, -3)
    assert np.abs(smaller.pixels[inner] - expected[inner]).max() < 60


def test_photos_that_differ_in_their_low_bits_are_not_taken_for_each_other(tiny_pipe):
    hole = np.zeros((24, 32), bool)
    hole[4:9, 5:20] = True
    for mode in SHAPES:
        photo = load_photo(next(deep_files(mode))[1])
        other = photo.composite(np.full_like(np.atleast_3d(photo.colours)[~hole], 0.5, np.float32), ~hole)
        twin = photo.pixels.copy()
        twin[0, 0] ^= 1
        one = load_photo(encode_png(twin) if twin.ndim == 3 else twin)
        np.testing.assert_allclose(one.rgb.astype(int), photo.rgb, atol=1)
        assert len({_digest(p, hole) for p in (photo, one, other)}) == 3
        assert _digest(photo, hole) == _digest(load_photo(photo), hole)


@pytest.mark.parametrize("mode", SHAPES)
def test_a_result_is_saved_in_its_own_depth(tmp_path, mode):
    photo = load_photo(next(deep_files(mode))[1])
    result = FillResult(photo, np.zeros(photo.size_px, bool), 0.0, 0)
    for name in ("a.png", "a.tif"):
        result.save(tmp_path / name)
        np.testing.assert_array_equal(load_photo(tmp_path / name).pixels, photo.pixels)
    result.save(tmp_path / "a.jpg", quality=90)
    assert load_photo(tmp_path / "a.jpg").format == "JPEG"
    assert load_photo(result.image).bits == (16 if mode == "I;16" else 8), "as its docstring says"
    with pytest.raises(ConfigError, match="must end in"):
        result.save(tmp_path / "a.xyz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.png", "a.tif"]
