"""From a photo to a saved result."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

STROKE = ((150.0, 90.0), (200.0, 120.0), (230.0, 100.0))


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_open_brush_fill_compare_save_undo(opened, photo):
    opened.stroke(*STROKE)
    hole = opened.mask()
    assert 0.005 < hole.mean() < 0.3 and hole[90, 150] and hole[120, 200] and not hole[20, 20]

    opened.fill()
    before, after = opened.picture("before"), opened.picture("after")
    changed = (before != after).any(axis=2)
    painted = opened.picture("mask")[..., 3] > 0
    # The view scales the photo, which mixes neighbours: a few px around the stroke are left out.
    near = np.asarray(Image.fromarray(painted.astype(np.uint8)).filter(ImageFilter.MaxFilter(13))) > 0
    assert changed[painted].mean() > 0.5
    assert not changed[~near].any()

    name, data = opened.download()
    saved = pixels(data)
    assert name == "sair-result-1.png" and Image.open(io.BytesIO(data)).format == "PNG"
    assert saved.shape == photo.shape
    assert np.array_equal(saved[~hole], photo[~hole])
    assert (saved[hole] != photo[hole]).any(axis=1).mean() > 0.5

    opened.page.keyboard.press("Control+z")
    opened.status("info", "Fill undone")
    assert opened.view == "paint" and np.array_equal(opened.mask(), hole)
    opened.page.keyboard.press("Control+Shift+z")
    assert opened.view == "compare"
    opened.page.keyboard.press("Control+z")
    opened.page.keyboard.press("Control+z")
    assert not opened.mask().any()


def test_the_mask_stays_and_every_result_too(opened):
    opened.stroke((60, 60), (90, 60))
    first = opened.mask()
    opened.fill()
    assert np.array_equal(opened.mask(), first)
    opened.act("paint")
    opened.stroke((300, 200), (320, 200))
    opened.fill()
    assert [card.inner_text() for card in opened.cards()] == ["Original", "Result 1", "Result 2"]
    opened.cards()[1].click()
    assert opened.download()[0] == "sair-result-1.png"
    opened.cards()[0].click()
    assert opened.view == "paint"


def test_go_on_from_a_result(opened, photo):
    opened.stroke((60, 60), (90, 60))
    first = opened.mask()
    opened.fill()
    opened.press("use-as-photo")
    opened.status("info", "You now edit this result")
    assert not opened.mask().any()
    opened.stroke((300, 200), (320, 200))
    second = opened.mask()
    opened.fill()
    saved = pixels(opened.download()[1])
    known = ~(first | second)
    assert np.array_equal(saved[known], photo[known])
    assert (saved[first] != photo[first]).any() and (saved[second] != photo[second]).any()
    for _ in range(3):  # the fill, the stroke, and the step to the result
        opened.page.keyboard.press("Control+z")
    assert opened.view == "compare" and np.array_equal(opened.mask(), first)


@pytest.mark.parametrize("label, name, format", [("JPEG", "jpg", "JPEG"), ("WebP", "webp", "WEBP")])
def test_save_as(opened, photo, label, name, format):
    opened.stroke((60, 60), (90, 60))
    opened.fill()
    opened.page.click(f"#save-format label:has-text('{label}')")
    saved_name, data = opened.download()
    assert saved_name == f"sair-result-1.{name}" and Image.open(io.BytesIO(data)).format == format
    assert pixels(data).shape == photo.shape


def test_a_photo_from_a_phone_stands_upright(editor):
    picture = np.zeros((120, 200, 3), np.uint8)
    picture[:, :100] = (200, 60, 20)
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(picture).save(buffer, "JPEG", quality=95, exif=exif)
    editor.open(buffer.getvalue(), "phone.jpg")
    editor.status("info", "120 x 200 px")
    editor.stroke((40, 40), (60, 40))
    editor.fill()
    saved = Image.open(io.BytesIO(editor.download()[1]))
    assert saved.size == (120, 200) and not saved.getexif().get(0x0112)
    assert saved.getpixel((110, 10))[0] > 150 > saved.getpixel((110, 190))[0]


def test_texture_comes_from_where_it_is_marked(editor, png):
    photo = np.full((120, 240, 3), 120, np.uint8)
    photo[:, 160:] += np.uint8(60) * (np.arange(80) // 2 % 2).astype(np.uint8)[:, None]  # stripes of 2 px
    editor.open(png(photo))
    editor.stroke((60, 60), (70, 60))
    hole = editor.mask()
    editor.act("source")
    editor.stroke((185, 60), (215, 60))
    assert np.array_equal(editor.mask(), hole)
    editor.fill()
    filled = pixels(editor.download()[1])
    middle = filled[60, 55:75, 0].astype(int)
    assert np.abs(np.diff(middle)).max() > 30 and np.array_equal(filled[~hole], photo[~hole])
    # Another engine heeds no sources: they are not to be seen, and not to be painted.
    editor.page.click("#engine label:has-text('Smooth')")
    editor.act("paint")
    editor.page.wait_for_selector("#canvas .sair canvas.source", state="hidden")
    assert editor.root.locator("[data-act=source]").is_disabled()
    editor.page.keyboard.press("s")
    assert editor.evaluate("({ tool }) => tool") == "brush"
    editor.fill()
    assert np.abs(np.diff(pixels(editor.download()[1])[60, 55:75, 0].astype(int))).max() < 10


def test_transparency_and_16_bits_survive(editor, png):
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (90, 120, 4), dtype=np.uint8)
    grey = rng.integers(0, 65536, (90, 120), dtype=np.uint16)
    for native in (rgba, grey):
        editor.open(png(native))
        editor.stroke((30, 30), (60, 30))
        known = ~editor.mask()
        editor.fill()
        saved = pixels(editor.download()[1])
        assert saved.dtype == native.dtype and np.array_equal(saved[known], native[known])
        if native is rgba:
            assert np.array_equal(saved[..., 3], rgba[..., 3])


def test_twelve_megapixels_stay_twelve_megapixels(editor, png):
    ys, xs = np.mgrid[:3000, :4000]
    photo = np.dstack([ys // 12, xs // 16, (ys + xs) // 28]).astype(np.uint8)
    mask = np.zeros((3000, 4000), np.uint8)
    mask[1300:1500, 1900:2200] = 255
    editor.open(png(photo))
    editor.status("info", "4000 x 3000 px")
    editor.choose(png(mask), field="mask-file")
    editor.status("info", "Mask opened: 0.5%")
    editor.fill()
    saved = pixels(editor.download()[1])
    assert saved.shape == (3000, 4000, 3) and np.array_equal(saved[mask == 0], photo[mask == 0])
    assert np.abs(saved[mask > 0].astype(int) - photo[mask > 0]).mean() < 12
