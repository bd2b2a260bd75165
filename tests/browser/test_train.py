"""Folder, start, curves, stop, resume and use in the Train tab."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from app.train.jobs import TrainingJobs
from tests.app.fakes import gradient
from tests.browser.editor import MOUNTED, Editor

PLACES = ("#train .tools", "#train .status", "#train .report", "#train .using", "#train .log", "#train-start")


class TrainTab:
    """The Train tab as a person uses it."""

    def __init__(self, page: Page):
        self.page = page
        self.root = page.locator("#train .sair")
        page.click("#tab-train-button")
        page.wait_for_selector("#train .report")

    def folder(self, path: Path) -> None:
        self.page.fill("#train-folder :is(input, textarea)", str(path))

    def line(self, level: str, text: str) -> None:
        """Wait until the lines below the folder say `text`."""
        self.page.wait_for_selector(f"#folder-line p[data-level={level}]:has-text({text!r})")

    def start(self, folder: Path, steps: int) -> None:
        self.folder(folder)
        self.page.click("#train-unit label:has-text('Steps')")
        self.page.wait_for_function("document.querySelector('#train-length input').value !== '10'")
        self.page.fill("#train-length input", str(steps))
        self.page.press("#train-length input", "Tab")
        self.page.click("#train-start")

    def state(self, *states: str) -> None:
        """Wait until the training that is shown is in one of these states."""
        self.page.wait_for_selector(", ".join(f"#train .sair[data-run={state}]" for state in states))

    def status(self, level: str, text: str) -> None:
        self.page.wait_for_selector(f"#train .status[data-level={level}] .text:has-text({text!r})")

    def act(self, name: str) -> None:
        self.root.locator(f"[data-act={name}]").click()

    def can(self, name: str) -> bool:
        return self.root.locator(f"[data-act={name}]").is_enabled()

    def figure(self, name: str) -> str:
        return self.root.locator(f"[data-figure={name}]").inner_text()

    def chosen(self) -> str:
        return self.root.locator("select").input_value()

    def picture(self) -> np.ndarray:
        """Colour in the middle of the validation picture that is shown."""
        self.page.wait_for_function(
            "(() => { const one = document.querySelector('#train figure img');"
            " return one.complete && one.naturalWidth; })()"
        )
        script = """(image) => {
            const canvas = Object.assign(document.createElement("canvas"), { width: 9, height: 9 });
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0, 9, 9);
            return [...context.getImageData(4, 4, 1, 1).data.slice(0, 3)];
        }"""
        return np.array(self.root.locator("figure img").evaluate(script))

    def places(self) -> list[dict[str, float]]:
        return [self.page.locator(one).bounding_box() for one in PLACES]


def end(runs: Path) -> None:
    """What is still being trained ends, and everything goes."""
    for run in TrainingJobs(runs).runs():
        if run.active:
            os.kill(run.pid, signal.SIGKILL)
        shutil.rmtree(run.folder, ignore_errors=True)


@pytest.fixture
def train(open_page, train_url, runs) -> Iterator[TrainTab]:
    """The Train tab of an app with which nothing was trained yet."""
    yield TrainTab(open_page(train_url))
    end(runs)


@pytest.fixture
def photos(tmp_path) -> Path:
    """Eight photos, and a file that is called one."""
    folder = tmp_path / "holiday"
    folder.mkdir()
    for i in range(8):
        Image.fromarray(np.roll(gradient(96, 128), 12 * i, axis=1)).save(folder / f"{i}.png")
    (folder / "broken.jpg").write_text("no photo")
    return folder


def test_from_nothing_to_a_finished_training(train, photos):
    assert train.root.locator("h2").is_visible() and not train.can("use")
    train.folder(photos)
    train.line("good", "8 photos")
    assert "broken.jpg" in train.page.inner_text("#folder-line p")
    start = train.places()
    train.start(photos, 30)
    train.state("scanning", "running")
    assert train.chosen() == "holiday" and not train.root.locator("h2").is_visible()
    train.page.wait_for_function("document.querySelector('#train .curve')")
    assert train.places() == start
    train.state("finished")
    train.status("good", "Done.")
    assert [train.figure(name) for name in ("step", "loss", "left")] == ["30", "0.0323", "\u2013"]
    assert train.root.locator("svg.psnr").get_attribute("aria-label") == "PSNR in dB: 20 at first, 23 now"
    assert "step 30 of many" in train.root.locator(".log").inner_text()
    assert list(train.picture()) == [300 % 256, 120, 90]
    last = train.root.locator("figure img").get_attribute("src")
    train.root.locator("figure input").fill("1")
    train.page.wait_for_function(
        "(old) => document.querySelector('#train figure img').getAttribute('src') !== old", arg=last
    )
    assert list(train.picture()) == [50, 120, 90]
    assert train.root.locator("figure output").inner_text() == "step 5"
    assert train.places() == start and train.can("use") and not train.can("stop")


def test_folders_that_cannot_be_used(train, tmp_path):
    train.folder(tmp_path / "nowhere")
    train.line("error", "no folder on this machine")
    train.page.click("#train-start")
    train.status("error", "no folder on this machine")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    train.folder(tmp_path / "notes")
    train.line("error", "holds no photos")
    train.folder("")
    train.line("info", "The photos stay where they are")


def test_stop_resume_and_one_at_a_time(train, photos):
    train.start(photos, 400)
    train.state("running")
    train.page.click("#train-start")
    train.status("error", "One training at a time: holiday is running")
    train.act("stop")
    train.state("stopping", "stopped")
    train.state("stopped")
    train.status("info", "Resume goes on")
    stopped = int(train.figure("step"))
    train.act("resume")
    train.state("running")
    train.page.wait_for_function(
        "(step) => Number(document.querySelector('#train [data-figure=step]').textContent) > step",
        arg=stopped,
    )
    train.act("stop")
    train.state("stopped")


def test_what_went_wrong_is_said(train, photos, tmp_path):
    broken = photos.rename(tmp_path / "broken")
    train.start(broken, 20)
    train.state("failed")
    train.status("error", "The loss is not a number at step 3. Resume goes on")
    assert "step 3 of many" in train.root.locator(".log").inner_text()
    train.start(broken.rename(tmp_path / "killed"), 20)
    train.state("interrupted")
    train.status("warn", "Interrupted")
    train.root.locator("select").select_option("broken")
    train.state("failed")


def test_it_is_found_again(serve_training, open_page, photos, tmp_path):
    runs = tmp_path / "runs"
    try:
        with serve_training(runs) as url:
            page = open_page(url)
            train = TrainTab(page)
            train.start(photos, 3000)
            train.state("running")
            page.reload()
            page.wait_for_selector(MOUNTED)
            train = TrainTab(page)
            train.state("running")
            pid = TrainingJobs(runs).status("holiday").pid
            page.close()
        with serve_training(runs) as url:  # the app has gone, and another one has come
            train = TrainTab(open_page(url))
            train.state("running")
            assert TrainingJobs(runs).status("holiday").pid == pid
            train.act("stop")
            train.state("stopped")
            assert train.can("resume")
            train.page.close()
    finally:
        end(runs)


def test_another_model_is_used_at_once(train, photos, png):
    page, editor = train.page, Editor(train.page)
    train.start(photos, 3)
    train.state("finished")
    train.act("use")
    train.status("good", "From now on, fills are made with holiday.")
    assert train.root.locator(".using b").inner_text() == "holiday"
    page.click("#tab-edit-button")
    editor.open(png(gradient()))
    editor.stroke((100, 100), (140, 100))
    editor.fill()
    name, data = editor.download()
    (tmp := photos / name).write_bytes(data)
    assert list(np.asarray(Image.open(tmp))[100, 120]) == [255, 255, 255]
    train = TrainTab(page)
    train.act("back")
    train.status("good", "From now on, fills are made with sair-lite.")


def test_narrow_window(train_url, open_page, photos, runs):
    try:
        train = TrainTab(open_page(train_url, 390))
        assert train.page.evaluate("document.documentElement.scrollWidth") <= 390
        start = [place["height"] for place in train.places()]
        train.start(photos, 15)
        train.state("finished")
        train.picture()
        assert train.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert [place["height"] for place in train.places()] == start
        assert train.root.locator(".status").bounding_box()["y"] >= 0  # the page went there by itself
    finally:
        end(runs)


def test_the_real_trainer(serve_training, open_page, photos, tmp_path, png):
    runs = tmp_path / "runs"
    try:
        with serve_training(runs, "--trainer", "tiny") as url:
            page = open_page(url)
            page.set_default_timeout(300_000)  # torch is imported twice
            train, editor = TrainTab(page), Editor(page)
            page.click("#train-base input")
            page.click("ul[role=listbox] li:has-text('From scratch: lite')")
            train.start(photos, 6)
            train.state("finished")
            assert train.figure("step") == "6"
            train.picture()
            train.act("use")
            train.status("good", "From now on, fills are made with holiday.")
            page.click("#tab-edit-button")
            editor.open(png(gradient()))
            editor.stroke((100, 100), (140, 100))
            before = editor.picture("before")
            editor.fill()
            assert not np.array_equal(editor.picture("after"), before)
            page.close()
    finally:
        end(runs)
