"""Mask tools, keys, ways in, messages, narrow windows."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import PHOTO
from tests.browser.editor import MOUNTED, Editor


def test_brush_eraser_undo_redo(opened):
    opened.stroke((100, 100), (200, 100))
    first = opened.mask()
    opened.act("erase")
    opened.stroke((150, 60), (150, 140))
    second = opened.mask()
    assert first[100, 150] and not second[100, 150] and second[100, 105]
    opened.act("undo")
    assert np.array_equal(opened.mask(), first)
    opened.act("redo")
    assert np.array_equal(opened.mask(), second)
    opened.page.keyboard.press("Control+z")
    opened.page.keyboard.press("Control+z")
    assert not opened.mask().any()
    opened.page.keyboard.press("Control+y")
    assert np.array_equal(opened.mask(), first)


def test_sources_are_painted_beside_the_hole(opened):
    opened.stroke((100, 100), (200, 100))
    hole = opened.mask()
    opened.page.keyboard.press("s")
    opened.stroke((100, 140), (200, 140))
    source = opened.mask("source")
    assert source[140, 150] and not source[100, 150] and np.array_equal(opened.mask(), hole)
    tint = opened.picture("source")
    assert tint[tint[..., 3] == 255][0, 1] > 150  # green, and the hole is red
    opened.act("erase")
    opened.stroke((150, 60), (150, 180))
    assert not opened.mask()[100, 150] and not opened.mask("source")[140, 150]
    opened.act("undo")
    assert np.array_equal(opened.mask(), hole) and np.array_equal(opened.mask("source"), source)
    opened.act("undo")
    assert np.array_equal(opened.mask(), hole) and not opened.mask("source").any()
    opened.act("redo")
    opened.press("mask-clear")
    assert not opened.mask().any() and not opened.mask("source").any()
    opened.act("undo")
    assert np.array_equal(opened.mask(), hole) and np.array_equal(opened.mask("source"), source)


def test_the_tools_stand_in_one_row_of_a_wide_window(opened):
    boxes = [tool.bounding_box() for tool in opened.root.locator(".tools [data-act]").all()]
    assert max(box["y"] for box in boxes) < min(box["y"] + box["height"] for box in boxes)


def test_mask_tools(opened, png):
    opened.stroke((100, 100), (200, 100))
    painted = opened.mask()
    for action, compare in (("grow", np.greater), ("shrink", np.less)):
        count = opened.mask().sum()
        opened.press(f"mask-{action}")
        opened.status("info", "Mask ")
        opened.idle()
        assert compare(opened.mask().sum(), count)
    opened.act("undo")
    opened.act("undo")
    assert np.array_equal(opened.mask(), painted)
    name, data = opened.download("mask-save")
    saved = np.asarray(Image.open(io.BytesIO(data)))
    assert (
        name == "sair-mask.png"
        and np.array_equal(saved == 255, painted)
        and set(np.unique(saved)) == {0, 255}
    )
    opened.press("mask-invert")
    assert np.array_equal(opened.mask(), ~painted)
    opened.press("mask-clear")
    assert not opened.mask().any()
    opened.choose(data, field="mask-file")
    opened.status("info", "Mask opened")
    assert np.array_equal(opened.mask(), painted)


def test_keys(opened):
    page, start = opened.page, opened.brush
    page.keyboard.press("]")
    assert opened.brush > start
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert opened.brush < start
    page.keyboard.press("e")
    assert opened.root.locator("[data-act=erase]").get_attribute("aria-pressed") == "true"
    page.keyboard.press("b")
    page.keyboard.press("h")
    assert page.locator("dialog.sair-help").is_visible()
    page.keyboard.press("h")
    assert not page.locator("dialog.sair-help").is_visible()
    opened.stroke((100, 100), (200, 100))
    page.keyboard.press("Enter")
    opened.wait_for_result()
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+Enter")
    opened.wait_for_result()
    assert len(opened.cards()) == 3


def test_tab_held_shows_the_original(opened):
    opened.stroke((100, 100), (200, 100))
    opened.fill()
    opened.press("use-as-photo")
    shown = opened.picture("before")
    opened.page.keyboard.down("Tab")
    original = opened.picture("before")
    assert (shown != original).any() and opened.root.get_attribute("data-holding") == "true"
    opened.page.keyboard.up("Tab")
    assert np.array_equal(opened.picture("before"), shown)


def test_the_photo_stays_in_view_while_its_settings_are_scrolled_through(opened):
    page, photo = opened.page, opened.stage.bounding_box()
    page.locator("#download-button").scroll_into_view_if_needed()
    assert page.evaluate("window.scrollY") > 100  # there is more than fits
    box = opened.stage.bounding_box()
    assert box["y"] >= 0 and box["height"] == photo["height"]
    assert box["y"] + box["height"] <= page.viewport_size["height"]
    opened.stroke((100, 100), (200, 100))
    assert opened.mask()[100, 150]


def test_tab_reaches_the_buttons(opened):
    opened.page.locator("#mask-grow").focus()
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.id") == "mask-shrink"


def test_keys_do_nothing_while_typing(opened):
    start = opened.brush
    field = opened.page.locator("#mask-radius input[type=number]")
    field.focus()
    for key in ("h", "]", "e"):
        opened.page.keyboard.press(key)
    assert opened.brush == start and not opened.page.locator("dialog.sair-help").is_visible()
    assert opened.root.locator("[data-act=brush]").get_attribute("aria-pressed") == "true"


def test_zoom_paints_where_the_photo_is(opened):
    opened.page.keyboard.press("+")
    opened.page.keyboard.press("+")
    opened.stroke((190, 120), (200, 120))
    ys, xs = np.nonzero(opened.mask())
    assert abs(ys.mean() - 120) < 1.5 and abs(xs.mean() - 195) < 1.5
    opened.page.keyboard.press("0")
    assert opened.on_screen((0, 0))[1] >= opened.stage.bounding_box()["y"]


def test_divider(opened):
    opened.stroke((100, 100), (200, 100))
    opened.fill()
    opened.stroke((10, 100), (192, 100))
    assert opened.view == "compare" and len(opened.cards()) == 2
    at = int(opened.root.locator(".divider").get_attribute("aria-valuenow"))
    assert 45 <= at <= 55


def give(editor: Editor, event: str, target: str = "body") -> None:
    """Drop or paste PHOTO on an element of the page."""
    editor.page.evaluate(
        """async ([event, bytes, target]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "photo.jpg", { type: "image/jpeg" }));
            const carried = { dataTransfer: transfer, clipboardData: transfer };
            const options = { bubbles: true, cancelable: true, ...carried };
            const Kind = event === "drop" ? DragEvent : ClipboardEvent;
            document.querySelector(target).dispatchEvent(new Kind(event, options));
        }""",
        [event, list(PHOTO.read_bytes()), target],
    )


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_photo_can_be_dropped_and_pasted(editor, event):
    give(editor, event)
    editor.status("info", "384 x 384 px")


def test_what_is_pasted_into_a_field_opens_no_photo(editor):
    uploads = []
    editor.page.on(
        "request", lambda request: uploads.append(request.url) if "/upload" in request.url else None
    )
    for field in ("#fill-words :is(input, textarea)", "#mask-radius input[type=number]"):
        give(editor, "paste", field)
    assert editor.root.get_attribute("data-state") == "empty"
    give(editor, "paste", "#canvas .size input")  # nobody types into a slider
    editor.status("info", "384 x 384 px")
    assert len(uploads) == 1


def test_a_photo_that_comes_during_a_fill_is_told_to_wait(opened):
    opened.evaluate("(editor) => editor.setBusy(true, 'Filling')")
    give(opened, "drop")
    opened.status("warn", "Wait until the fill is done.")
    opened.evaluate("(editor) => editor.setBusy(false)")
    give(opened, "drop")
    opened.status("info", "384 x 384 px")


def test_results_are_not_left_without_a_question(opened):
    page, asked = opened.page, []
    page.on("dialog", lambda dialog: [asked.append(dialog.type), dialog.accept()])

    def reload():
        page.reload()
        page.wait_for_selector(MOUNTED)

    opened.stroke((100, 100), (200, 100))
    reload()
    assert not asked
    opened.open(PHOTO)
    opened.stroke((100, 100), (200, 100))
    opened.fill()
    opened.download()
    assert not asked
    reload()
    assert asked == ["beforeunload"]


def test_an_example_opens_with_one_click(editor):
    editor.root.locator(".examples button").first.click()
    editor.page.wait_for_selector("#canvas .sair[data-state=open][data-busy=false]")
    editor.status("info", "Brush over what should go")


def test_messages_say_what_to_do(editor, png):
    editor.press("fill-button")
    editor.status("warn", "Open a photo first")
    editor.press("mask-clear")
    editor.status("warn", "Open a photo first")
    editor.choose(b"this is no picture", "notes.png")
    editor.status("error", "try again")
    large = io.BytesIO()
    Image.new("1", (9000, 7000)).save(large, "PNG")
    editor.choose(large.getvalue(), "large.png")
    editor.status("error", "63.0 megapixels")
    assert editor.root.get_attribute("data-state") == "empty"

    editor.open(PHOTO)
    editor.press("fill-button")
    editor.status("warn", "Nothing is marked yet")
    editor.press("download-button")
    editor.status("warn", "There is no result to save yet")
    editor.choose(png(np.full((90, 60), 255, np.uint8)), field="mask-file")
    editor.status("error", "60 x 90")
    assert not editor.mask().any()
    editor.press("mask-invert")
    editor.press("fill-button")
    editor.status("warn", "Everything is marked")
    editor.act("undo")
    editor.stroke((100, 100), (120, 100))
    editor.fill()


def test_narrow_window(narrow_page):
    editor = Editor(narrow_page)
    assert narrow_page.evaluate("document.documentElement.scrollWidth") <= 420
    editor.open(PHOTO)
    box = narrow_page.locator("#fill-button").bounding_box()
    assert box["x"] >= 0 and 320 < box["width"] <= 420 - box["x"] and box["y"] + box["height"] <= 860
    narrow_page.touchscreen.tap(*editor.on_screen((150, 100)))
    assert editor.mask()[100, 150]
    editor.stroke((150, 100), (200, 100))
    editor.fill()
    assert editor.download()[0] == "sair-result-1.png"
    assert narrow_page.evaluate("document.documentElement.scrollWidth") <= 420
