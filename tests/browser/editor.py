"""The editor as a person uses it: what the tests press, draw and read."""

from __future__ import annotations

import base64
import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import JSHandle, Locator, Page

Point = tuple[float, float]  # (x, y) in photo px
MOUNTED = "#canvas .sair[data-busy=false]"  # its script has brought the editor to life


def evaluate(page: Page, widget: str, script: str, arg: Any = None) -> Any:
    """What a function returns of the script of the widget with that elem_id, and of `arg`."""
    return _script(page, widget).evaluate(script, arg)


def wait_for(page: Page, widget: str, script: str, arg: Any = None) -> None:
    """Wait until what `evaluate` returns is true."""
    page.wait_for_function(f"([widget, arg]) => ({script})(widget, arg)", arg=[_script(page, widget), arg])


def _script(page: Page, widget: str) -> JSHandle:
    return page.evaluate_handle("async (name) => (await window.sair).getWidget(name)", widget)


def on_screen(page: Page, widget: str, point: Point) -> Point:
    """Where a point of the photo lies in the window, on the stage of the widget with that elem_id."""
    return tuple(
        evaluate(
            page,
            widget,
            """({ view, stage }, [x, y]) => {
                if (stage.getBoundingClientRect().top < 0)  // scrolled away: a person would scroll back
                    stage.scrollIntoView({ block: "nearest", behavior: "instant" });
                const box = stage.getBoundingClientRect();
                return [box.left + stage.clientLeft + view.x + x * view.scale,
                        box.top + stage.clientTop + view.y + y * view.scale];
            }""",
            list(point),
        )
    )


WATCH = """({ root, stage, view }, point) => {
    const frames = (window.frames_seen = []);
    const look = () => {
        const tried = getComputedStyle(view.layers.after).visibility === "visible";
        const layer = view.layers[tried ? "after" : "before"];
        const scale = view.scale * devicePixelRatio;
        const [x, y] = point.map((at, axis) => Math.round(view.corner()[axis] + at * scale));
        const { left, top, width, height } = stage.getBoundingClientRect();
        frames.push({
            ms: performance.now(),
            colour: [...layer.getContext("2d").getImageData(x, y, 1, 1).data.slice(0, 3)],
            tried: root.dataset.trying === "true", busy: root.dataset.busy === "true",
            told: document.body.dataset.sairWork !== undefined, stage: [left, top, width, height],
        });
        if (window.frames_seen === frames) requestAnimationFrame(look);
    };
    const begin = () => {
        frames.length = 0;
        frames.clicked = performance.now();
    };
    document.querySelector("#fill-button").addEventListener("click", begin, { capture: true, once: true });
    look();
}"""


def settle(page: Page) -> None:
    """Wait until what a change of layout sets off, observers and redraws, has run."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


class Editor:
    def __init__(self, page: Page):
        self.page = page
        self.root = page.locator("#canvas .sair")
        self.stage = page.locator("#canvas .stage")

    # ---- what a person does

    def open(self, source: Path | bytes, name: str = "photo.png") -> None:
        self.choose(source, name)
        self.page.wait_for_selector("#canvas .sair[data-state=open][data-busy=false]")

    def choose(self, source: Path | bytes, name: str = "photo.png", field: str = "photo-file") -> None:
        file = (
            source if isinstance(source, Path) else {"name": name, "mimeType": "image/png", "buffer": source}
        )
        self.page.set_input_files(f"#canvas input.{field}", file)

    def stroke(self, *points: Point) -> None:
        """Draw through points of the photo with the mouse."""
        places = [self.on_screen(point) for point in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=6)
        self.page.mouse.up()

    def click(self, point: Point, *keys: str) -> None:
        """Click a point of the photo with keys held down."""
        for key in keys:
            self.page.keyboard.down(key)
        self.page.mouse.click(*self.on_screen(point))
        for key in keys:
            self.page.keyboard.up(key)

    def press(self, id: str) -> None:
        self.page.click(f"#{id}")

    def act(self, name: str) -> None:
        self.root.locator(f"[data-act={name}]").first.click()

    def fill(self) -> None:
        """Press Fill and wait for the result."""
        self.press("fill-button")
        self.wait_for_result()

    def wait_for_result(self) -> None:
        self.page.wait_for_selector("#canvas .sair[data-view=compare][data-busy=false]")

    @contextlib.contextmanager
    def watch(self, point: Point) -> Iterator[list[dict[str, Any]]]:
        """Watch a point of the photo, from the next click on Fill to the end of the block: what every frame
        shows there, `colour` (r, g, b); `ms` after the click; whether the editor is `busy`, the server has
        `told` of its work, and a guide or a variation is `tried`; where the `stage` lies."""
        frames: list[dict[str, Any]] = []
        self.evaluate(WATCH, list(point))
        yield frames
        frames += self.page.evaluate(
            """() => {
                const frames = window.frames_seen;
                window.frames_seen = null;
                return frames.map((frame) => ({ ...frame, ms: frame.ms - frames.clicked }));
            }"""
        )

    def download(self, id: str = "download-button") -> tuple[str, bytes]:
        """Name and bytes of what a button saves."""
        with self.page.expect_download() as waiting:
            self.press(id)
        self.idle()
        return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()

    def idle(self) -> None:
        self.page.wait_for_selector("#canvas .sair[data-busy=false]")

    # ---- what a person sees

    def evaluate(self, script: str, arg: Any = None) -> Any:
        return evaluate(self.page, "canvas", script, arg)

    def on_screen(self, point: Point) -> Point:
        """Where a point of the photo lies in the window."""
        return on_screen(self.page, "canvas", point)

    def picture(self, layer: str) -> np.ndarray:
        """The pixels that a layer of the stage shows: "before", "after" or "mask", RGBA, stage size."""
        data = self.evaluate("({ view }, name) => view.layers[name].toDataURL()", layer)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGBA"))

    def mask(self, layer: str = "mask") -> np.ndarray:
        """What is painted, bool of the photo's size; layer "source": where texture may be taken from."""
        data = self.evaluate("({ marks }, layer) => marks[layer].canvas.toDataURL()", layer)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))))[..., 3] >= 128

    def status(self, level: str, text: str) -> None:
        """Wait until the status line says `text` at `level`."""
        self.page.wait_for_selector(f"#canvas .sair .status[data-level={level}] .text:has-text({text!r})")

    def cards(self) -> Sequence[Locator]:
        return self.root.locator(".history .card").all()

    @property
    def view(self) -> str | None:
        return self.root.get_attribute("data-view")

    @property
    def brush(self) -> int:
        return int(self.root.locator(".size output").inner_text())
