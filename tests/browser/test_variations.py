"""Several fills of one hole: choose the engine, see them, take one."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.app.fakes import GreyPainter
from tests.browser.conftest import PHOTO
from tests.browser.editor import Editor

STROKE = ((150.0, 90.0), (200.0, 120.0), (230.0, 100.0))


@pytest.fixture
def drawing(spn_page) -> Editor:
    """The editor with PHOTO open, something painted, and the painted engine chosen."""
    editor = Editor(spn_page)
    editor.open(PHOTO)
    editor.stroke(*STROKE)
    choose_painted(editor)
    return editor


def choose_painted(editor: Editor) -> None:
    editor.page.click("#engine label:has-text('Painted')")
    editor.page.wait_for_selector("body[data-sair-engine=painted]")


def ask(editor: Editor, count: int, seed: int = 0) -> None:
    """Press Fill with so many variations and wait for them."""
    editor.page.fill("#variations input[type=number]", str(count))
    editor.page.fill("#seed input", str(seed))
    editor.page.keyboard.press("Tab")
    editor.press("fill-button")
    editor.page.wait_for_selector("#canvas .sair[data-picking=true][data-busy=false]")


def captions(editor: Editor) -> list[str]:
    return editor.root.locator(".variations .card").all_inner_texts()


def test_ask_for_four_take_the_third_it_becomes_the_result(drawing, photo):
    hole = drawing.mask()
    ask(drawing, 4, seed=7)
    drawing.status("good", "4 variations in")
    assert captions(drawing) == ["Seed 7", "Seed 8", "Seed 9", "Seed 10"]
    drawing.root.locator(".variations .card").nth(2).click()
    drawing.wait_for_result()
    drawing.status("good", "You took seed 9")
    assert [card.inner_text() for card in drawing.cards()] == ["Original", "Result 1"]
    assert np.array_equal(drawing.mask(), hole)
    name, data = drawing.download()
    saved = np.asarray(Image.open(io.BytesIO(data)))
    assert name == "sair-result-1.png" and np.array_equal(saved[~hole], photo[~hole])
    assert (saved[hole] == GreyPainter.grey(9)).all()

    drawing.page.keyboard.press("Control+z")
    drawing.status("info", "Fill undone")
    assert np.array_equal(drawing.mask(), hole)


def test_pointing_shows_one_and_another_can_be_taken_later(drawing):
    ask(drawing, 3)
    hole = drawing.picture("mask")[..., 3] > 200
    assert (drawing.picture("after")[hole][:, 0] == GreyPainter.grey(0)).mean() > 0.8  # the first, at once
    cards = drawing.root.locator(".variations .card")
    cards.nth(1).hover()
    drawing.page.wait_for_selector("#canvas .sair[data-trying=true]")
    assert (drawing.picture("after")[hole][:, 0] == GreyPainter.grey(1)).mean() > 0.8
    drawing.page.mouse.move(5, 5)
    drawing.page.wait_for_selector("#canvas .sair[data-trying=false]")
    assert drawing.view == "paint"

    drawing.root.locator(".back").click()
    drawing.page.wait_for_selector("#canvas .sair[data-picking=false]")
    drawing.root.locator(".again").click()
    cards.nth(2).click()
    drawing.wait_for_result()
    drawing.root.locator(".again").click()
    cards.nth(0).click()
    drawing.status("good", "You took seed 0")
    assert [card.inner_text() for card in drawing.cards()] == ["Original", "Result 1", "Result 2"]


def test_nothing_moves_and_the_words_are_dimmed(drawing):
    height = "document.querySelector('#canvas .sair').offsetHeight"
    before = drawing.page.evaluate(height)
    ask(drawing, 8)
    assert drawing.page.evaluate(height) == before
    opacity = "id => Number(getComputedStyle(document.getElementById(id)).opacity)"
    assert (
        drawing.page.evaluate(opacity, "guide-panel") < 1 and drawing.page.evaluate(opacity, "drawing") == 1
    )
    drawing.page.click("#engine label:has-text('Smooth')")
    drawing.page.wait_for_selector("body[data-sair-engine=smooth]")
    drawing.fill()  # one result, as ever
    assert [card.inner_text() for card in drawing.cards()] == ["Original", "Result 1"]


def test_other_seeds_follow_and_one_fill_is_a_result_at_once(drawing):
    ask(drawing, 4)
    drawing.press("other-seeds")
    drawing.page.wait_for_function("document.querySelector('#seed input').value === '4'")
    drawing.page.fill("#variations input[type=number]", "1")
    drawing.page.keyboard.press("Tab")
    drawing.fill()
    drawing.status("good", "Filled with seed 4")


def test_a_fill_is_cancelled_where_it_was_started(drawing):
    assert not drawing.page.is_visible("#fill-cancel")
    drawing.page.fill("#variations input[type=number]", "8")
    drawing.page.keyboard.press("Tab")
    drawing.press("fill-button")
    drawing.press("fill-cancel")
    drawing.status("info", "Stopped. Nothing was changed.")
    assert drawing.page.is_visible("#fill-button") and not drawing.page.is_visible("#fill-cancel")
    assert [card.inner_text() for card in drawing.cards()] in ([], ["Original"])


def test_what_the_model_expects(drawing):
    page = drawing.page
    page.click("#priors-panel .label-wrap")
    page.click("#priors-button")
    page.wait_for_selector("#priors .sair[data-state=shown][data-working=false]")
    assert page.locator("#priors .grid canvas").count() == 8
    texts = page.locator("#priors .grid span").all_inner_texts()
    assert texts == ["", "Prior at 1/8", "Prior at 1/4", "Prior at 1/2", "Fill", "Seed 0", "Seed 1"]


def test_priors_of_nothing_say_what_to_do(spn_page):
    editor = Editor(spn_page)
    editor.open(PHOTO)
    spn_page.click("#priors-panel .label-wrap")
    spn_page.click("#priors-button")
    spn_page.wait_for_selector("#priors .status[data-level=warn] .text:has-text('Nothing is marked')")


def test_in_a_narrow_window(narrow_spn_page):
    editor = Editor(narrow_spn_page)
    editor.open(PHOTO)
    editor.stroke(*STROKE)
    choose_painted(editor)
    ask(editor, 8)
    assert editor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    editor.root.locator(".variations .card").nth(7).tap()
    editor.wait_for_result()
    editor.status("good", "You took seed 7")


def test_without_an_spn_nothing_of_it_is_shown(fake_page):
    engines = fake_page.locator("#engine label")
    engines.nth(1).wait_for()  # Gradio shows it some time after the editor
    assert engines.count() == 2
    assert not fake_page.locator("#priors, #engine label:has-text('Painted')").count()
