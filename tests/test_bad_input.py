"""Files that people really send: each gives the right photo or mask, or an error that says what to do."""

from __future__ import annotations

import dataclasses
import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from benchmarks import fuzz
from benchmarks.attachments import ORIENTATION, XMP, attached
from benchmarks.bodies import odd_body
from benchmarks.damage import FORMATS
from benchmarks.drawn import drawn_map, drawn_mask
from sair_core.errors import MaskError, MaskSizeError, PhotoError
from sair_core.photos.masks import as_mask
from sair_core.photos.photo import load_photo
from sair_core.photos.write import encode_image
from tests.photos.test_photo import PNG_START, bare_png, file_of


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(kind: bytes, data: bytes) -> bytes:
    """A good 4 x 3 px PNG with one more chunk behind its header."""
    good = file_of(Image.new("RGB", (4, 3), (1, 2, 3)))
    header = len(PNG_START) + 25
    return good[:header] + chunk(kind, data) + good[header:]


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_files_of_several_pictures_give_the_first_and_say_so(format):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    photo = load_photo(file_of(frames[0], format, save_all=True, append_images=frames[1:]))
    assert photo.first_of_several and photo.rgb[0, 0, 0] > 240
    assert not load_photo(file_of(frames[0], format)).first_of_several
    assert not load_photo(frames[0]).first_of_several


def test_a_damaged_second_frame_does_not_matter():
    frames = [Image.new("L", (8, 6), value) for value in (0, 255)]
    data = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:])
    second = data.rindex(b",\x00\x00\x00\x00")  # where its description begins
    assert load_photo(data[: second + 6]).rgb.max() == 0


@pytest.mark.parametrize(
    "start", [b"BM", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"II*\0", b"RIFF", b"xyz"]
)
def test_a_file_of_any_few_bytes_is_refused(start):
    for length in range(1, 24):
        data = (start + bytes(range(24)))[:length]
        for read, kind in ((load_photo, PhotoError), (as_mask, MaskError)):
            with pytest.raises(kind):
                read(data)


def test_values_of_a_float_tiff_are_refused_with_a_way_out():
    values = Image.fromarray(np.linspace(0, 255, 12, dtype=np.float32).reshape(3, 4))
    with pytest.raises(PhotoError, match="save it with 8 or 16 bits"):
        load_photo(file_of(values, "TIFF"))


def test_sixteen_bits_a_colour_are_read_with_eight():
    rows = b"".join(b"\0" + struct.pack(">6H", 65535, 0, 257 * 9, 0, 65535, 0) for _ in range(3))
    header = struct.pack(">IIBBBBB", 2, 3, 16, 2, 0, 0, 0)
    data = PNG_START + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    photo = load_photo(data)
    assert photo.mode == "RGB" and photo.rgb[2].tolist() == [[255, 0, 9], [0, 255, 0]]


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1)])
def test_very_long_photos(size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    photo = load_photo(file_of(Image.fromarray(pixels)))
    mask = np.zeros(size, bool)
    mask[0, 0] = True
    after = np.asarray(photo.composite(np.zeros((1, 3), np.float32), mask).to_image())
    np.testing.assert_array_equal(after[~mask], pixels[~mask])


def test_a_huge_exif_block_is_no_obstacle():
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif[ExifTags.Base.ImageDescription] = "x" * 5_000_000
    photo = load_photo(file_of(Image.new("RGB", (4, 3), (1, 2, 3)), exif=exif))
    assert photo.rgb[0, 0].tolist() == [1, 2, 3] and b"Camera" in photo.exif
    written = load_photo(encode_image(photo.to_image(), "JPEG"))
    assert b"Camera" in written.exif and len(written.exif) < 1000, "the caption is not written again"


@pytest.mark.parametrize(
    ("kind", "start"), [(b"zTXt", b"key\0\0"), (b"iTXt", b"key\0\1\0\0\0"), (b"iCCP", b"name\0\0")]
)
def test_texts_and_profiles_that_unpack_to_a_bomb(kind, start):
    bomb = start + zlib.compress(bytes(80_000_000))
    try:
        photo = load_photo(png_with(kind, bomb))
    except PhotoError as error:
        assert "save it as PNG" in str(error)
    else:
        assert photo.rgb[0, 0].tolist() == [1, 2, 3] and photo.icc_profile is None


def test_icons_are_refused_because_they_hide_their_size():
    inside = bare_png(9_000, 9_000)
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inside), 22)
    icon = struct.pack("<HHH", 0, 1, 1) + entry + inside
    for read in (load_photo, as_mask):
        with pytest.raises((PhotoError, MaskError), match="PNG"):
            read(icon)


def test_the_content_counts_and_not_the_suffix(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(file_of(Image.new("RGB", (4, 3), (9, 9, 9)), "BMP"))
    photo = load_photo(path)
    assert photo.format == "BMP" and photo.rgb[0, 0, 0] == 9


@pytest.mark.parametrize("format", ["TIFF", "BMP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16"])
def test_formats_of_folders_are_written_exactly(mode, format):
    from tests.photos.test_photo import pixels_of

    pixels = pixels_of(mode)
    if mode in ("RGBA", "LA"):
        pixels[..., -1] = 255
    written = load_photo(encode_image(Image.fromarray(pixels), format))
    assert written.format == format
    np.testing.assert_array_equal(written.rgb, load_photo(pixels).rgb)
    if format == "TIFF":
        np.testing.assert_array_equal(np.asarray(written.to_image()), pixels)


def test_masks_are_looked_at_before_they_are_decoded(tmp_path):
    Image.new("1", (4000, 4000)).save(tmp_path / "bomb.png")
    with pytest.raises(MaskSizeError, match="4000 x 4000 px, far larger than the photo"):
        as_mask(tmp_path / "bomb.png", (90, 120))
    with pytest.raises(MaskSizeError, match="far larger"):
        as_mask(bare_png(12_000, 9_000), (90, 120))
    Image.new("L", (33, 90)).save(tmp_path / "other.png")
    with pytest.raises(MaskSizeError, match="same proportions"):
        as_mask(tmp_path / "other.png", (90, 120))


def test_masks_are_pictures_and_nothing_that_is_run(tmp_path):
    path = tmp_path / "secret-place.png"
    for data in (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"<svg/>", b"", PNG_START):
        path.write_bytes(data)
        with pytest.raises(MaskError, match="Use a PNG") as caught:
            as_mask(path)
        assert "secret-place" not in str(caught.value)


def test_empty_full_and_inverted_masks_are_what_they_say():
    some = Image.new("L", (6, 4))
    some.putpixel((1, 2), 255)
    turned = Image.eval(some, lambda value: 255 - value)
    assert np.array_equal(as_mask(file_of(turned)), ~as_mask(file_of(some)))
    for value in (0, 255):
        for mode in ("1", "L", "RGB", "RGBA", "P"):
            mask = as_mask(file_of(Image.new("L", (6, 4), value).convert(mode)))
            assert mask.shape == (4, 6) and (mask == bool(value)).all()


def test_damaged_files_of_all_formats():
    """In a process of its own, because its memory is looked at."""
    command = [sys.executable, fuzz.__file__, "--files", "60"]
    done = subprocess.run(command, capture_output=True, text=True)
    out = done.stdout
    assert done.returncode == 0, out + done.stderr
    assert "60 files, seed 0" in out and all(format in out for format in FORMATS)


def test_odd_attachments_of_all_formats():
    for index in range(200):
        case = attached(0, index)
        outcome = fuzz.opened_with_attachments(case.data, case.orientation)
        assert outcome == (fuzz.OPENED, ""), (index, case.format, outcome)
    wrong = attached(0, 1)
    kind, _ = fuzz.opened_with_attachments(wrong.data, 9 - wrong.orientation)
    assert kind == fuzz.TURNED
    assert fuzz.opened_with_attachments(b"no picture", 1)[0] == fuzz.LOST


def test_masks_open_as_what_was_drawn():
    for index in range(140):
        case = drawn_mask(0, index)
        assert fuzz.opened_as_drawn(case) == (fuzz.OPENED, ""), (index, case.format)
    other = dataclasses.replace(case, meant=~case.meant)
    assert fuzz.opened_as_drawn(other)[0] == fuzz.WRONG
    assert fuzz.opened_as_drawn(dataclasses.replace(case, data=b"no picture"))[0] == fuzz.LOST


def test_label_maps_open_as_what_was_drawn_or_not_at_all():
    for index in range(100):
        case = drawn_map(0, index)
        kind, text = fuzz.opened_as_label_map(case)
        assert kind == (fuzz.REJECTED if case.meant is None else fuzz.OPENED), (index, text)
    sound = next(case for index in range(9) if (case := drawn_map(0, index)).meant is not None)
    for meant in (None, sound.meant + 1):
        assert fuzz.opened_as_label_map(dataclasses.replace(sound, meant=meant))[0] == fuzz.WRONG
    assert fuzz.opened_as_label_map(dataclasses.replace(sound, data=b"no map"))[0] == fuzz.LOST


def test_odd_requests_are_the_same_each_time():
    endpoints = {"/view": [{"path": "a"}, 1], "/fill": [{"path": "a"}, {"path": "b"}]}
    bodies = [odd_body(0, index, endpoints) for index in range(200)]
    assert bodies == [odd_body(0, index, endpoints) for index in range(200)]
    assert bodies != [odd_body(1, index, endpoints) for index in range(200)]
    assert {body.endpoint for body in bodies} == set(endpoints)
    assert {b"null"} & {body.data for body in bodies} and len({body.data for body in bodies}) > 150


def test_the_orientation_of_an_avif_file_is_that_of_its_own_property():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    for said, options in ((6, {"exif": exif}), (1, {"xmp": XMP % 6})):
        buffer = io.BytesIO()
        Image.new("RGB", (20, 10)).save(buffer, "AVIF", **options)
        assert load_photo(buffer.getvalue()).orientation == said


def test_the_fuzzer_sees_what_it_looks_for(capsys, monkeypatch):
    outcomes = [fuzz.Outcome(i, "PNG", kind, 0.1, "text") for i, kind in enumerate(("opened", *fuzz.BAD))]
    assert fuzz.show(outcomes[:1], 0.1, 0) == 0 and fuzz.show(outcomes[:1], 1.6, 0) == 1
    for outcome in outcomes[1:]:
        assert fuzz.show([outcome], 0.1, 0) == 1
    assert "--one 3" in capsys.readouterr().out

    def broken(data):
        raise RuntimeError("a bug")

    monkeypatch.setattr(fuzz, "load_photo", broken)
    assert fuzz.opened(b"") == ("untyped error", "RuntimeError: a bug")
    assert fuzz.mutated(1, 7) == fuzz.mutated(1, 7) != fuzz.mutated(2, 7)
