"""The real app in a process of its own, and a real browser that drives it."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from tests.browser.editor import MOUNTED, Editor

OpenWindow = Callable[..., contextlib.AbstractContextManager[Page]]
ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "tests" / "fixtures" / "bird.jpg"
START_SECONDS = 240  # a cold disk and a busy machine; far less as a rule
# What Gradio's own scripts log where a page that is loaded anew ends what they were reading.
RELOADED = ("AbortError: signal is aborted", "AbortError: The user aborted", "Connection errored out")
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of `python app.py` with the bundled model."""
    yield from _serve(tmp_path_factory, "app.py")


@pytest.fixture(scope="session")
def fake_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the app around the fake pipeline: it names colours, and completes what is hidden."""
    yield from _serve(tmp_path_factory, "-m", "tests.browser.fake_app", "--sir")


@pytest.fixture(scope="session")
def slow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the app around the fake pipeline, whose fills take a second."""
    yield from _serve(tmp_path_factory, "-m", "tests.browser.fake_app", "--fill-seconds", "1")


@pytest.fixture(scope="session")
def spn_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the app around the fake pipeline and the fake painter, which fills with greys."""
    yield from _serve(tmp_path_factory, "-m", "tests.browser.fake_app", "--spn")


@pytest.fixture(scope="session")
def framed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a page with a frame in which another host shows `fake_url`'s app, below a path."""
    yield from _serve(tmp_path_factory, "-m", "tests.browser.fake_app", "--sir", "--framed")


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the trainings of `train_url` lie."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def train_url(tmp_path_factory: pytest.TempPathFactory, runs: Path) -> Iterator[str]:
    """Address of the app around the fake pipeline and the fake trainer."""
    yield from _serve(tmp_path_factory, "-m", "tests.browser.fake_app", "--runs", str(runs))


@pytest.fixture
def serve_training(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., contextlib.AbstractContextManager[str]]:
    """`with serve_training(runs, *options) as url:` an app of one's own, as `train_url`."""
    serve = contextlib.contextmanager(_serve)
    return lambda runs, *options: serve(
        tmp_path_factory, "-m", "tests.browser.fake_app", "--runs", str(runs), *options
    )


@pytest.fixture
def start_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., subprocess.Popen]]:
    """`start_app(port, *command)`: an app of one's own at that port, which the test may kill."""
    processes: list[subprocess.Popen] = []

    def start(port: int, *command: str) -> subprocess.Popen:
        processes.append(_start(tmp_path_factory, port, *command))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait(30)


def find_port() -> int:
    """Return a port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _serve(tmp_path_factory: pytest.TempPathFactory, *command: str) -> Iterator[str]:
    port = find_port()
    process = _start(tmp_path_factory, port, *command)
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(30)


def _start(tmp_path_factory: pytest.TempPathFactory, port: int, *command: str) -> subprocess.Popen:
    """Start an app, and wait until it answers."""
    log = tmp_path_factory.mktemp("app") / "log.txt"
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path_factory.mktemp("gradio"))}
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, *command, "--port", str(port)],
            cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        _wait_for_page(f"http://127.0.0.1:{port}/", process, log)
    except BaseException:
        process.kill()
        raise
    return process


def _wait_for_page(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the app ended:\n{log.read_text()}"
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the app did not answer within {START_SECONDS} s:\n{log.read_text()}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium where there is one, else Playwright's own. With CI set, none is a failure."""
    with sync_playwright() as playwright:
        executable = shutil.which("chromium") or shutil.which("chromium-browser")
        try:
            browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        except Error as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(
                "No browser starts. Install chromium, or run `python -m playwright install chromium`. "
                + error.message.splitlines()[0]
            )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def open_window(browser: Browser) -> OpenWindow:
    """`with open_window(width, height, **options) as page:` a window that holds nothing of those before it.

    Windows with the same options are tabs of one browsing context, so that Gradio's scripts are fetched and
    compiled once rather than for each test.
    """

    @functools.cache
    def context(**options: Any) -> BrowserContext:
        context = browser.new_context(accept_downloads=True, reduced_motion="reduce", **options)
        context.new_page()  # stays open: without a tab left, the next one would have to open a browser window
        return context

    @contextlib.contextmanager
    def open_window(width: int, height: int, **options: Any) -> Iterator[Page]:
        windows = context(**options)
        page = windows.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(60_000)
        try:
            yield page
        finally:
            page.close()
            windows.clear_cookies()
            devtools = windows.new_cdp_session(windows.pages[0])
            devtools.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
            devtools.detach()

    return open_window


@pytest.fixture
def page(open_window: OpenWindow, url: str) -> Iterator[Page]:
    """A window of 1400 x 900. The test fails if the page logs an error or asks another host for anything."""
    yield from _page(open_window(1400, 900), url)


@pytest.fixture
def narrow_page(open_window: OpenWindow, url: str) -> Iterator[Page]:
    """A touch screen of 420 x 860."""
    yield from _page(open_window(420, 860, has_touch=True), url)


@pytest.fixture
def fake_page(open_window: OpenWindow, fake_url: str) -> Iterator[Page]:
    """As `page`, around the fake pipeline."""
    yield from _page(open_window(1400, 900), fake_url)


@pytest.fixture
def spn_page(open_window: OpenWindow, spn_url: str) -> Iterator[Page]:
    """As `fake_page`, with the painted engine."""
    yield from _page(open_window(1400, 900), spn_url)


@pytest.fixture
def narrow_spn_page(open_window: OpenWindow, spn_url: str) -> Iterator[Page]:
    """As `spn_page`, a touch screen of 390 x 844."""
    yield from _page(open_window(390, 844, has_touch=True), spn_url)


@pytest.fixture
def narrow_fake_page(open_window: OpenWindow, fake_url: str) -> Iterator[Page]:
    """As `narrow_page` but 400 wide, around the fake pipeline."""
    yield from _page(open_window(400, 860, has_touch=True), fake_url)


@pytest.fixture
def phone_fake_page(open_window: OpenWindow, fake_url: str) -> Iterator[Page]:
    """A touch screen of 360 x 740 with two pixels for one, around the fake pipeline."""
    yield from _page(open_window(360, 740, has_touch=True, device_scale_factor=2), fake_url)


@pytest.fixture
def open_page(open_window: OpenWindow) -> Iterator[Callable[..., Page]]:
    """`open_page(url, width=1280)`: a window of that width on an app of one's own, checked as `page`."""
    with contextlib.ExitStack() as windows:
        opened = contextlib.contextmanager(_page)
        yield lambda url, width=1280: windows.enter_context(opened(open_window(width, 900), url))


def _page(window: contextlib.AbstractContextManager[Page], url: str) -> Iterator[Page]:
    problems: list[str] = []
    loads: list[str] = []
    local = (url, "data:", "blob:")
    with window as page:
        page.on("load", lambda: loads.append(page.url))
        page.on("pageerror", lambda error: problems.append(f"script error: {error}"))
        page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
        page.on(
            "request", lambda one: None if one.url.startswith(local) else problems.append(f"asked {one.url}")
        )
        page.goto(url)
        page.wait_for_selector(MOUNTED)
        yield page
    if len(loads) > 1:
        problems = [one for one in problems if not any(text in one for text in RELOADED)]
    assert not problems


@pytest.fixture
def editor(page: Page) -> Editor:
    """The editor in a wide window, empty."""
    return Editor(page)


@pytest.fixture
def opened(editor: Editor) -> Editor:
    """The editor with PHOTO open."""
    editor.open(PHOTO)
    return editor


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """PHOTO's pixels."""
    return np.asarray(Image.open(PHOTO).convert("RGB"))


@pytest.fixture(scope="session")
def png():
    """Makes the bytes of a PNG from an array."""

    def make(array: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, "PNG")
        return buffer.getvalue()

    return make
