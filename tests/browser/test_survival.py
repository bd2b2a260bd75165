"""Work survives: a reload, and a server that ends and comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import PHOTO, OpenWindow, find_port
from tests.browser.editor import MOUNTED, Editor

SECONDS = 60  # a busy machine
APP = ("-m", "tests.app.slow_app")
WORDS = "#fill-words :is(input, textarea)"
STROKE = ((150.0, 90.0), (200.0, 120.0))
KEPT = """async () => {
    const database = await new Promise((done) => {
        const request = indexedDB.open("sair-studio", 1);
        request.onupgradeneeded = () => request.result.createObjectStore("kept");
        request.onsuccess = () => done(request.result);
    });
    const store = database.transaction("kept").objectStore("kept");
    const read = (key) => new Promise((done) => {
        const request = store.get(key);
        request.onsuccess = () => done(request.result);
    });
    const [photo, marks] = await Promise.all(["photo", "marks"].map(read));
    database.close();
    return photo ? [photo.source.file.name, ...(marks ?? []).map(([layer]) => layer)] : [];
}"""
STORE = """async () => {
    localStorage.setItem("name", "local");
    sessionStorage.setItem("name", "session");
    document.cookie = "name=cookie";
    await caches.open("cache");
    await new Promise((done) => { indexedDB.open("database", 1).onsuccess = done; });
}"""
STORED = """async () => [
    ...await caches.keys(),
    ...document.cookie.split("=").slice(1),
    ...(await indexedDB.databases()).map(({ name }) => name),
    ...[localStorage, sessionStorage].map((one) => one.getItem("name")).filter(Boolean),
]"""
FULL = """IDBObjectStore.prototype.put = Storage.prototype.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
};"""
FORBIDDEN = """for (const name of ["indexedDB", "localStorage", "sessionStorage"])
    Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } });"""


class Window(Editor):
    """The editor in a window whose server may end."""

    def load(self) -> None:
        self.page.reload()
        self.page.wait_for_selector(MOUNTED)

    def keeps(self, *names: str) -> None:
        """Wait until just this photo and these layers of marks are kept in the browser."""
        until = time.monotonic() + SECONDS
        while (kept := self.page.evaluate(KEPT)) != [*names]:
            assert time.monotonic() < until, f"kept are {kept}"
            self.page.wait_for_timeout(50)

    def go_on(self) -> None:
        self.page.click("#canvas .kept .go-on")
        self.status("good", "Your work is back")

    def draw(self) -> np.ndarray:
        """Open PHOTO and mark something on it; return what is marked once it is kept."""
        self.open(PHOTO)
        self.stroke(*STROKE)
        self.keeps("bird.jpg", "mask")
        return self.mask()


@pytest.fixture
def window(open_window: OpenWindow) -> Iterator[Page]:
    """A window that may lose its server: errors of Gradio's own scripts are not ours."""
    problems: list[str] = []
    with open_window(1400, 900) as page:
        page.on("pageerror", lambda error: problems.append(error.stack) if "sair/" in error.stack else None)
        page.on("dialog", lambda dialog: dialog.accept())
        yield page
    assert not problems


def test_a_window_holds_nothing_of_those_before_it(open_window, fake_url):
    """Every other test relies on it: windows are tabs of one browsing context."""
    for _ in range(2):
        with open_window(1400, 900) as page:
            page.goto(f"{fake_url}theme.css")
            assert page.evaluate(STORED) == []
            page.evaluate(STORE)
            assert page.evaluate(STORED) == ["cache", "cookie", "database", "local", "session"]


def visit(page: Page, port: int) -> Window:
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_selector(MOUNTED)
    return Window(page)


def test_a_reload_in_mid_work(fake_page):
    window = Window(fake_page)
    hole = window.draw()
    window.act("source")
    window.stroke((300, 40), (320, 60))
    window.keeps("bird.jpg", "mask", "source")
    source = window.mask("source")
    window.page.click("#engine label:has-text('Smooth')")
    window.page.fill(WORDS, "sky")
    window.page.click("#engine label:has-text('Natural')")
    sent: list[str] = []
    window.page.on("request", lambda request: sent.append(request.url) if "/upload" in request.url else None)
    for _ in range(2):
        window.load()
        window.page.wait_for_selector("#canvas .kept .name:has-text('bird.jpg')")
        window.go_on()
        assert np.array_equal(window.mask(), hole) and np.array_equal(window.mask("source"), source)
        assert window.page.input_value(WORDS) == "sky"
        window.keeps("bird.jpg", "mask", "source")
    assert not sent  # the server has the photo's file
    window.fill()
    window.status("good", "Filled with sky")
    assert len(sent) == 2  # what is marked


def test_a_photo_is_sent_again_where_the_server_no_longer_has_it(window, fake_url):
    window.goto(fake_url)
    window.wait_for_selector(MOUNTED)
    editor = Window(window)
    hole = editor.draw()
    editor.load()
    sent: list[str] = []
    window.on("request", lambda request: sent.append(request.url) if "/upload" in request.url else None)
    window.route(
        "**/file=**bird.jpg",
        lambda route: route.fulfill(status=404) if route.request.method == "HEAD" else route.continue_(),
    )
    editor.go_on()
    assert len(sent) == 1
    assert np.array_equal(editor.mask(), hole)


def test_what_was_filled_before_is_marked_again(fake_page):
    window = Window(fake_page)
    first = window.draw()
    window.fill()
    window.press("use-as-photo")
    window.stroke((300, 40), (320, 60))
    window.keeps("bird.jpg", "mask", "mask")
    both = first | window.mask()
    window.page.on("dialog", lambda dialog: dialog.accept())  # results are gone with the page
    window.load()
    window.go_on()
    assert np.array_equal(window.mask(), both)


def test_what_is_offered_in_a_narrow_window_is_seen_whole(narrow_fake_page):
    window = Window(narrow_fake_page)
    window.draw()
    window.load()
    window.page.wait_for_selector("#canvas .kept .go-on")
    hidden = "({ stage }) => stage.querySelector('.empty').scrollHeight - stage.clientHeight"
    assert window.evaluate(hidden) <= 0
    window.go_on()
    assert window.mask().any()


def test_what_is_discarded_is_gone(fake_page):
    window = Window(fake_page)
    window.draw()
    window.page.fill(WORDS, "sky")
    window.load()
    window.page.click("#canvas .kept .discard")
    window.keeps()
    window.load()
    window.open(PHOTO)
    assert not window.mask().any() and window.page.input_value(WORDS) == ""


@pytest.mark.parametrize("script", [FULL, FORBIDDEN])
def test_a_browser_that_keeps_nothing(window, fake_url, script):
    window.add_init_script(script)
    window.goto(fake_url)
    window.wait_for_selector(MOUNTED)
    editor = Window(window)
    editor.open(PHOTO)
    editor.stroke(*STROKE)
    editor.page.fill(WORDS, "sky")
    editor.fill()
    editor.load()
    assert not window.is_visible("#canvas .kept")
    editor.open(PHOTO)


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_server_that_ends_in_a_fill(window, start_app, tmp_path, comes_back):
    port, begun = find_port(), tmp_path / "begun"
    first = start_app(port, *APP, "--begun", str(begun))
    editor = visit(window, port)
    hole = editor.draw()
    editor.press("fill-button")
    window.wait_for_function("() => document.body.dataset.sairWork === 'filling'")
    first.kill()
    first.wait()
    if not comes_back:
        editor.status("error", "The connection to the server was lost")
        editor.idle()
        assert np.array_equal(editor.mask(), hole)
    start_app(port, *APP)
    # Gradio reloads the page by itself.
    editor.status("warn", "what was under way is lost")
    editor.go_on()
    assert np.array_equal(editor.mask(), hole)
    editor.fill()


def test_a_server_that_was_restarted_in_between(window, start_app):
    port = find_port()
    first = start_app(port, *APP)
    editor = visit(window, port)
    hole = editor.draw()
    first.kill()
    first.wait()
    start_app(port, *APP)
    editor.press("fill-button")
    editor.status("good", "Your work is back")
    assert np.array_equal(editor.mask(), hole)
    editor.fill()
