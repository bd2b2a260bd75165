"""The Select tool: a click becomes the mask of the thing under it."""

import numpy as np
import pytest

from tests.app.fakes import COLOURS, street
from tests.browser.editor import Editor, wait_for

STREET = street(240, 320)


def middle(name):
    """A point (x, y) well inside what has the colour of a name."""
    ys, xs = np.nonzero((STREET == COLOURS[name]).all(axis=-1))
    order = np.lexsort((ys, xs))
    place = order[len(order) // 2]
    return int(xs[place]), int(ys[place])


SMALLER = """({ marks, busy }, area) => {
    const { canvas } = marks.mask;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return !busy && data.filter((value, i) => i % 4 === 3 && value >= 128).length < area;
}"""
CAR, SKY = middle("car"), middle("sky")


@pytest.fixture
def select(fake_page, png):
    editor = Editor(fake_page)
    editor.open(png(STREET))
    return editor


def wait(select, points):
    """Until the selection is made of so many points."""
    wait_for(select.page, "canvas", "({ touch, busy }, points) => touch.answered === points && !busy", points)


def test_a_click_selects_the_thing_under_it(select):
    select.page.keyboard.press("v")
    select.click(CAR)
    select.status("info", "is selected")
    wait(select, 1)
    first = select.mask()
    assert first[CAR[::-1]] and not first[SKY[::-1]]
    select.click(SKY, "Shift")
    wait(select, 1)
    assert select.mask()[CAR[::-1]] and select.mask()[SKY[::-1]]
    select.act("undo")
    assert np.array_equal(select.mask(), first)
    select.act("undo")
    assert not select.mask().any()
    select.click(CAR, "Alt")
    select.status("warn", "Click what you want to select first")


def test_more_clicks_refine_a_selection_in_one_step(select):
    select.act("select")
    select.click(CAR)
    wait(select, 1)
    select.click(SKY)  # the same thing, as one says by clicking again
    wait(select, 2)
    both = select.mask()
    select.click(SKY, "Alt")  # it was none
    wait(select, 3)
    assert both[CAR[::-1]] and both[SKY[::-1]]
    assert select.mask()[CAR[::-1]] and not select.mask()[SKY[::-1]]
    select.act("undo")  # one thing, one step
    assert not select.mask().any()


def test_a_click_that_was_refused_is_forgotten(select):
    select.act("select")
    select.evaluate("({ timeline }) => { timeline.size = [3200, 2400]; timeline.scale = 0.1; }")
    select.click(CAR)  # arrives as a place outside the photo
    select.status("error", "outside the photo")
    select.idle()
    select.evaluate("({ timeline }) => { timeline.size = [320, 240]; timeline.scale = 1; }")
    select.click(CAR)
    wait(select, 1)
    assert select.mask()[CAR[::-1]] and not select.mask()[SKY[::-1]]


def test_another_margin_makes_the_last_selection_anew_and_nothing_else(select):
    margin = select.page.locator("#touch-grow input[type=number]")
    margin.fill("9")
    margin.press("Tab")
    select.click(CAR)  # with the brush: no selection that could be made anew
    painted = select.mask()
    select.act("select")
    select.click(SKY, "Shift")
    wait(select, 1)
    large = select.mask()
    margin.fill("0")
    margin.press("Tab")
    # The margin before may have come late, and have made the same selection anew: that is not the one.
    wait_for(select.page, "canvas", SMALLER, int(large.sum()))
    small = select.mask()
    assert (
        small.sum() < large.sum() and not (small & ~large).any() and (small & painted).sum() == painted.sum()
    )
    select.act("undo")  # both were one step
    assert np.array_equal(select.mask(), painted)
