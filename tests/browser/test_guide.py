"""The guide: what the editor shows of a fill before the server has made it."""

import numpy as np
import pytest

from tests.app.fakes import gradient
from tests.browser.editor import Editor

BLACK = 8  # of the thing that is to go
MIDDLE = (512.0, 384.0)
STROKE = ((480.0, 384.0), (544.0, 384.0))
FIRST_ANSWER_MS = 400


@pytest.fixture
def drawing(open_page, slow_url, png) -> Editor:
    """The editor with a smooth photo of 1024 x 768 px open, a black thing in it that is painted over."""
    editor = Editor(open_page(slow_url, 1400))
    photo = gradient(768, 1024)
    photo[374:394, 470:554] = 0
    editor.open(png(photo))
    editor.evaluate("(editor) => editor.setDiameter(60)")
    editor.stroke(*STROKE)
    return editor


def black(frame: dict) -> bool:
    return max(frame["colour"]) <= BLACK


def test_a_fill_is_seen_at_once_and_becomes_the_result_without_a_jump(drawing):
    with drawing.watch(MIDDLE) as frames:
        drawing.fill()
    guided = [frame for frame in frames if frame["tried"]]
    first = guided[0]
    assert first["busy"] and not first["told"]  # before the server says anything
    assert first["ms"] < FIRST_ANSWER_MS
    red, green, blue = first["colour"]  # what the surroundings go on to
    assert abs(red - 128) < 24 and abs(green - 128) < 24 and abs(blue - 40) < 8
    # It stays until the result is there: the thing is never seen again, and nothing moves.
    assert not any(black(frame) for frame in frames[frames.index(first) :])
    assert all(frame["colour"] == first["colour"] for frame in guided)
    assert not frames[-1]["tried"] and not frames[-1]["busy"] and frames[-1]["colour"] != first["colour"]
    assert len({tuple(frame["stage"]) for frame in frames}) == 1


def test_the_guide_lies_in_the_hole_only(drawing):
    hole = drawing.mask()
    drawing.press("fill-button")
    drawing.page.wait_for_selector("#canvas .sair[data-trying=true]")
    before, guided = drawing.picture("before"), drawing.picture("after")
    drawing.wait_for_result()
    changed = (before != guided).any(axis=2)
    share = changed.sum() / changed.size / hole.mean()
    assert 0.3 < share < 1.2  # the stage shows some more than the photo
    rows, columns = np.nonzero(changed)
    scale = drawing.evaluate("({ view }) => view.scale")
    assert np.ptp(rows) <= np.ptp(np.nonzero(hole)[0]) * scale + 4
    assert np.ptp(columns) <= np.ptp(np.nonzero(hole)[1]) * scale + 4


def test_the_history_holds_the_fill_and_not_its_guide(drawing):
    hole = drawing.mask()
    drawing.fill()
    assert [card.inner_text() for card in drawing.cards()] == ["Original", "Result 1"]
    assert drawing.evaluate("({ timeline }) => [...timeline.entries.keys()]") == ["1"]
    drawing.page.keyboard.press("Control+z")
    drawing.status("info", "Fill undone")
    assert drawing.view == "paint" and np.array_equal(drawing.mask(), hole)
    drawing.page.keyboard.press("Control+z")
    assert not drawing.mask().any()


def test_a_cancelled_fill_leaves_nothing_of_its_guide(drawing):
    before, hole = drawing.picture("before"), drawing.mask()
    drawing.press("fill-button")
    drawing.page.wait_for_selector("#canvas .sair[data-trying=true]")
    drawing.page.locator("#fill-cancel").click()
    drawing.status("info", "Stopped. Nothing was changed.")
    assert drawing.root.get_attribute("data-trying") == "false" and drawing.view == "paint"
    assert np.array_equal(drawing.picture("before"), before) and np.array_equal(drawing.mask(), hole)
    assert drawing.evaluate("({ timeline }) => timeline.entries.size") == 0 and not drawing.cards()
