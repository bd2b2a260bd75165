"""Wheel, drag, divider, labels and export in the Zoom tab."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Download, Page

from tests.app.fakes import gradient, street
from tests.browser.editor import Editor, Point, evaluate, on_screen, settle, wait_for

HEIGHT, WIDTH = 240, 320
OURS_BLUE, PLAIN_BLUE = 255 - 40, 40  # of `gradient()`, as the fake pipeline shows it and as it is
PLACES = ("#zoom .tools", "#zoom .stage", "#zoom .status", "#export-button", "#export-cancel")
# Red and green say which place of the photo is seen; the last value is where, by the view's own geometry.
SAMPLES = """({ view, stage }, layer) => {
    const ratio = devicePixelRatio;
    const context = view.layers[layer].getContext("2d");
    const samples = [];
    for (let i = 1; i < 8; i++) for (let j = 1; j < 8; j++) {
        const at = [stage.clientWidth * i, stage.clientHeight * j];
        const [x, y] = at.map((value) => Math.floor((value * ratio) / 8));
        const [left, top] = view.corner(), scale = view.scale * ratio;
        const place = [(x + 0.5 - left) / scale, (y + 0.5 - top) / scale];
        samples.push([...context.getImageData(x, y, 1, 1).data, ...place]);
    }
    return samples;
}"""


class ZoomTab:
    """The Zoom tab as a person uses it."""

    def __init__(self, page: Page):
        self.page = page
        self.editor = Editor(page)
        self.root = page.locator("#zoom .sair")
        self.stage = page.locator("#zoom .stage")

    def tab(self, name: str) -> None:
        stages = {"edit": "#canvas .stage", "zoom": "#zoom .stage", "semantics": "#map .stage"}
        self.page.click(f"#tab-{name}-button")
        self.page.wait_for_selector(stages[name])

    def sharp(self) -> None:
        """Wait until the server's pictures of what is in view are shown."""
        wait_for(
            self.page,
            "zoom",
            "({ requests }) => requests.number > 0 && requests.received === requests.number",
        )

    def act(self, name: str) -> None:
        self.root.locator(f"[data-act={name}]").click()

    def times(self, value: float) -> None:
        field = self.root.locator(".times input")
        field.fill(str(value))
        field.press("Enter")

    @property
    def scale(self) -> float:
        return evaluate(self.page, "zoom", "({ times }) => times")

    def window(self, *names: str) -> list[float]:
        """Numbers of what is asked for of the view."""
        return evaluate(
            self.page, "zoom", "(zoom, names) => names.map((one) => zoom.window()[one])", [*names]
        )

    def middle(self) -> Point:
        box = self.stage.bounding_box()
        return box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2

    def on_screen(self, point: Point) -> Point:
        return on_screen(self.page, "zoom", point)

    def drag(self, dx: float, dy: float) -> None:
        x, y = self.middle()
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + dx, y + dy, steps=5)
        self.page.mouse.up()

    def picture(self, layer: str) -> np.ndarray:
        """A layer's pixels of `gradient()` at 49 places of the stage, checked to show what lies there."""
        samples = np.array(evaluate(self.page, "zoom", SAMPLES, layer), float)
        x, y = samples[:, 4], samples[:, 5]
        inside = (x > 2) & (y > 2) & (x < WIDTH - 2) & (y < HEIGHT - 2)
        assert inside.sum() > 3
        where = np.stack([(x - 0.5) * 255 / (WIDTH - 1), (y - 0.5) * 255 / (HEIGHT - 1)], axis=1)
        assert np.abs(samples[inside, :2] - where[inside]).max() < 4
        return samples[inside, :4]

    def status(self, level: str, text: str) -> None:
        self.page.wait_for_selector(f"#zoom .status[data-level={level}] .text:has-text({text!r})")

    # ---- export

    def choose(self, what: str, scale: float | None = None, format: str | None = None) -> None:
        self.page.click(f"#export-what label:has-text({what!r})")
        if scale is not None:
            self.page.fill("#export-scale input", str(scale))
            self.page.press("#export-scale input", "Tab")
        if format:
            self.page.click(f"#export-format label:has-text({format!r})")

    def line(self, text: str) -> None:
        """Wait until the line before an export says `text`."""
        self.page.wait_for_selector(f"#export-line p:has-text({text!r})")

    def export(self) -> tuple[str, Image.Image]:
        with self.page.expect_download() as waiting:
            self.page.click("#export-button")
        return opened(waiting.value)


def opened(download: Download) -> tuple[str, Image.Image]:
    data = Path(download.path()).read_bytes()
    return download.suggested_filename, Image.open(io.BytesIO(data))


@pytest.fixture
def zoom(fake_page, png) -> ZoomTab:
    """The Zoom tab with a gradient open, fitted and sharp."""
    zoom = ZoomTab(fake_page)
    zoom.editor.open(png(gradient(HEIGHT, WIDTH)))
    zoom.tab("zoom")
    zoom.sharp()
    return zoom


def test_both_sides_show_the_photo(zoom):
    assert (zoom.picture("before")[:, 2] == PLAIN_BLUE).all()
    assert (np.abs(zoom.picture("after")[:, 2] - OURS_BLUE) <= 1).all()
    zoom.status("good", "Bicubic on the left, SAIR on the right")
    assert zoom.root.locator(".tag.was").inner_text() == "Bicubic"


def test_the_wheel_zooms_at_the_pointer(zoom):
    before, (left, top) = zoom.scale, zoom.on_screen((0, 0))
    place = round(left + 250), round(top + 200)  # a wheel's place is told in whole pixels
    point = (place[0] - left) / before, (place[1] - top) / before
    zoom.page.mouse.move(*place)
    for _ in range(3):
        zoom.page.mouse.wheel(0, -300)
    wait_for(zoom.page, "zoom", "({ times }, least) => times > least", before * 2)
    assert zoom.on_screen(point) == pytest.approx(place, abs=1)
    zoom.sharp()
    assert (np.abs(zoom.picture("after")[:, 2] - OURS_BLUE) <= 1).all()
    for _ in range(20):
        zoom.page.mouse.wheel(0, -1000)
    wait_for(zoom.page, "zoom", "({ times }) => times > 63.9")
    assert zoom.scale == pytest.approx(64)
    for _ in range(30):
        zoom.page.mouse.wheel(0, 1000)
    wait_for(zoom.page, "zoom", "({ times }) => times < 1.01")
    assert zoom.scale == pytest.approx(1)
    assert zoom.page.evaluate("window.scrollY") == 0


def test_a_drag_moves_what_is_seen(zoom):
    zoom.times(12)
    zoom.sharp()
    before = zoom.on_screen((160, 120))
    zoom.drag(150, -90)
    after = zoom.on_screen((160, 120))
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx((150, -90), abs=1)
    zoom.sharp()
    assert (np.abs(zoom.picture("after")[:, 2] - OURS_BLUE) <= 1).all()
    assert zoom.page.is_visible("#zoom .stage")


def test_no_old_view_is_ever_shown(zoom):
    """Wheel and drag without a pause: at every moment each side shows what belongs to where the view is."""
    moments = (
        None,  # at once
        "() => new Promise(requestAnimationFrame)",  # drawn, and no server asked yet
        "({ requests }) => requests.busy",  # asked
        "({ requests }) => requests.received === requests.number",  # answered
    )
    zoom.page.mouse.move(*zoom.middle())
    for step in range(12):
        zoom.page.mouse.wheel(0, -200 if step % 4 else 350)
        zoom.drag(35 * (-1) ** step, 20)
        if moment := moments[step % 4]:
            wait_for(zoom.page, "zoom", moment)
        for layer in ("before", "after"):
            zoom.picture(layer)
    zoom.sharp()
    assert (np.abs(zoom.picture("after")[:, 2] - OURS_BLUE) <= 1).all()


def test_slider_field_and_buttons(zoom):
    fit = zoom.scale
    zoom.times(7.3)
    assert zoom.scale == pytest.approx(7.3)
    zoom.status("good", "Sharp at 7.3x")
    slider = zoom.root.locator(".size input")
    assert 400 < float(slider.input_value()) < 560  # doublings are evenly spaced
    slider.fill("1000")
    assert zoom.scale == pytest.approx(64)
    assert zoom.root.locator(".times input").input_value() == "64"
    zoom.times(500)
    assert zoom.root.locator(".times input").input_value() == "64"
    zoom.act("one")
    assert zoom.scale == pytest.approx(1)
    zoom.status("good", "the photo's own pixels on both sides")
    zoom.act("fit")
    assert zoom.scale == pytest.approx(fit)
    zoom.page.mouse.dblclick(*zoom.middle())
    assert zoom.scale == pytest.approx(2 * fit)


def test_keys(zoom):
    page, fit = zoom.page, zoom.scale
    zoom.stage.focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert zoom.scale == pytest.approx(1.96 * fit)
    before = zoom.on_screen((160, 120))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    after = zoom.on_screen((160, 120))
    assert after[0] < before[0] and after[1] < before[1]
    page.keyboard.press("-")
    page.keyboard.press("0")
    assert zoom.scale == pytest.approx(fit)
    zoom.root.locator(".divider").focus()
    page.keyboard.press("ArrowLeft")
    assert zoom.root.locator(".divider").get_attribute("aria-valuenow") == "45"
    page.keyboard.press("h")
    assert page.is_visible("dialog.sair-help")


def test_the_divider_is_dragged_and_the_photo_stays(zoom):
    zoom.times(20)
    place = zoom.on_screen((160, 120))
    box = zoom.root.locator(".divider").bounding_box()
    x, y = box["x"] + 1, box["y"] + box["height"] / 3
    zoom.page.mouse.move(x, y)
    zoom.page.mouse.down()
    zoom.page.mouse.move(x - 200, y, steps=4)
    zoom.page.mouse.up()
    moved = zoom.root.locator(".divider").bounding_box()
    assert moved["x"] - box["x"] == pytest.approx(-200, abs=2)
    assert zoom.on_screen((160, 120)) == place
    edge = zoom.root.locator("canvas.after").evaluate("(canvas) => getComputedStyle(canvas).clipPath")
    assert edge.startswith("inset(0px 0px 0px ")


def test_nearest_shows_the_pixels_as_squares(fake_page, png):
    zoom, noise = ZoomTab(fake_page), np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    zoom.editor.open(png(noise))
    zoom.tab("zoom")
    zoom.sharp()
    zoom.act("nearest")
    zoom.times(32)
    zoom.sharp()
    samples = np.array(evaluate(zoom.page, "zoom", SAMPLES, "before"), float)
    x, y = np.floor(samples[:, 4:]).astype(int).T
    assert np.array_equal(samples[:, :3], noise[y, x])
    assert zoom.root.locator(".tag.was").inner_text() == "Nearest"


def test_filled_or_not(zoom):
    assert zoom.root.locator("[data-act=filled]").is_disabled()
    zoom.tab("edit")
    zoom.editor.stroke((140, 100), (180, 140))
    zoom.editor.fill()
    zoom.tab("zoom")
    zoom.sharp()
    pixel = """({ view }) => {
        const at = [view.x + 160 * view.scale, view.y + 120 * view.scale];
        return [...view.layers.before.getContext("2d").getImageData(...at, 1, 1).data.slice(0, 2)];
    }"""
    filled = evaluate(zoom.page, "zoom", pixel)
    assert zoom.root.locator("[data-act=filled]").get_attribute("aria-pressed") == "true"
    zoom.times(8)
    zoom.act("original")
    zoom.sharp()
    assert zoom.scale == pytest.approx(8)  # the view stays where it is
    zoom.picture("before")
    zoom.act("filled")
    zoom.act("fit")
    zoom.sharp()
    assert np.abs(np.array(evaluate(zoom.page, "zoom", pixel)) - filled).max() <= 1
    zoom.tab("edit")
    zoom.editor.act("undo")  # the fill
    zoom.tab("zoom")
    zoom.sharp()
    zoom.picture("after")
    assert zoom.root.locator("[data-act=filled]").is_disabled()


def test_labels_at_any_scale(fake_page, png):
    zoom = ZoomTab(fake_page)
    zoom.editor.open(png(street(HEIGHT, WIDTH)))
    zoom.tab("zoom")
    assert zoom.root.locator("[data-act=labels]").is_disabled()
    zoom.tab("semantics")
    fake_page.fill("#map-labels textarea", "sky, road, car")
    fake_page.press("#map-labels textarea", "Enter")
    fake_page.wait_for_selector("#map .sair[data-map=shown][data-working=false]")
    zoom.tab("zoom")
    zoom.act("labels")
    zoom.times(30)
    zoom.sharp()
    zoom.status("good", "Labels on the left")
    samples = np.array(evaluate(fake_page, "zoom", SAMPLES, "before"), float)
    rows, columns = np.floor(samples[:, 4:]).astype(int).T[::-1]
    pixels = street(HEIGHT, WIDTH)[rows, columns]
    shown = {tuple(one): set() for one in pixels}
    for one, seen in zip(pixels, samples[:, :3]):
        shown[tuple(one)].add(tuple(seen))
        assert np.abs(seen - one).max() > 10  # tinted
    colours = evaluate(fake_page, "zoom", "({ map }) => map.legend.map(({ colour }) => colour)")
    assert len(colours) == 4 and len(shown) >= 2
    zoom.editor.choose(png(gradient(HEIGHT, WIDTH)))  # the map is of another photo
    fake_page.wait_for_selector("#zoom [data-act=labels][aria-pressed=false]")
    assert zoom.root.locator("[data-act=labels]").is_disabled()
    zoom.sharp()
    zoom.picture("before")


def test_an_export_has_the_size_that_was_stated(zoom):
    zoom.choose("Whole photo", 2)
    zoom.line("640 x 480 px, 0.3 megapixels")
    name, image = zoom.export()
    assert name == "photo-2x.png" and image.size == (640, 480)
    zoom.status("good", "Exported 640 x 480 px as PNG")
    assert (np.abs(np.asarray(image)[..., 2].astype(int) - OURS_BLUE) <= 1).all()
    zoom.choose("Whole photo", 2.5, "TIFF")
    zoom.line("800 x 600 px")
    name, image = zoom.export()
    assert name == "photo-2.5x.tif" and image.size == (800, 600) and image.format == "TIFF"


def test_the_view_is_exported_at_its_scale(zoom):
    zoom.times(10)
    zoom.drag(-60, 40)
    zoom.sharp()
    size = zoom.window("width", "height")
    zoom.line(f"{size[0]} x {size[1]} px")
    name, image = zoom.export()
    assert name == "photo-view-10x.png" and list(image.size) == size
    left, top = zoom.window("left", "top")
    seen = np.asarray(image)[size[1] // 2, size[0] // 2, :2]
    place = (left + size[0] / 20) * 255 / (WIDTH - 1), (top + size[1] / 20) * 255 / (HEIGHT - 1)
    assert np.abs(seen - np.array(place)).max() < 3


def test_progress_moves_and_cancel_ends_it(zoom):
    zoom.choose("Whole photo", 64, "TIFF")  # half a minute, of which a moment passes
    zoom.line("20480 x 15360 px")
    zoom.page.evaluate("""() => {
        const bar = document.querySelector("#zoom .bar i");
        window.widths = [];
        new MutationObserver(() => window.widths.push(parseFloat(bar.style.width)))
            .observe(bar, { attributes: true, attributeFilter: ["style"] });
    }""")
    zoom.page.click("#export-button")
    zoom.page.wait_for_function("new Set(window.widths).size >= 4")
    widths = zoom.page.evaluate("window.widths")
    assert widths == sorted(widths) and widths[-1] < 100
    zoom.drag(40, 0)  # what is in view can be moved meanwhile
    zoom.page.click("#export-cancel")
    zoom.status("info", "Export cancelled. Nothing was saved.")
    assert zoom.page.evaluate("Math.max(...window.widths)") < 100
    zoom.choose("Whole photo", 1, "PNG")
    name, image = zoom.export()
    assert name == "photo-1x.png" and image.size == (WIDTH, HEIGHT)
    zoom.times(3)
    zoom.sharp()


def test_what_is_too_large_is_said_before(zoom):
    zoom.choose("Whole photo", 64)
    zoom.line(
        "20480 x 15360 px, 314.6 megapixels, but PNG is limited to 100 here. "
        "Choose TIFF, or a scale up to 36.08."
    )
    zoom.choose("Whole photo", None, "TIFF")
    zoom.line("20480 x 15360 px, 314.6 megapixels")
    assert zoom.page.locator("#export-line p").get_attribute("data-level") == "info"
    zoom.choose("Whole photo", 36, "WebP")
    zoom.line("99.5 megapixels")
    zoom.choose("Whole photo", 0.5)
    zoom.line("Give a scale from 1 to 64")
    zoom.page.click("#export-button")
    zoom.status("error", "Give a scale from 1 to 64")


def test_nothing_jumps(zoom):
    def places():
        return [zoom.page.locator(one).bounding_box() for one in PLACES]

    start = places()
    for times in (7.3, 64, 1):
        zoom.times(times)
        assert places() == start
        zoom.sharp()
        assert places() == start
    zoom.choose("Whole photo", 64)
    zoom.line("limited to")
    assert places() == start
    zoom.choose("Whole photo", 2)
    zoom.export()
    assert places() == start
    zoom.page.click("[data-sair-page=theme]")
    assert places() == start


def test_empty_and_no_photo(fake_page, png):
    zoom = ZoomTab(fake_page)
    zoom.tab("zoom")
    zoom.line("Open a photo to see how large the file becomes.")
    fake_page.keyboard.press("Control+Enter")  # the tab's main button
    zoom.status("warn", "Open a photo first")
    with fake_page.expect_file_chooser() as chooser:
        fake_page.click("#zoom .choose")
    chooser.value.set_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": png(gradient(HEIGHT, WIDTH))}
    )
    zoom.sharp()
    zoom.picture("after")


def test_the_editor_keeps_everything(zoom):
    zoom.tab("edit")
    zoom.editor.stroke((100, 100), (140, 100))
    painted, shown = zoom.editor.mask(), zoom.editor.picture("before")
    zoom.tab("zoom")
    zoom.page.keyboard.press("e")  # keys of the editor rest
    zoom.times(9)
    zoom.page.mouse.move(*zoom.middle())
    zoom.page.mouse.wheel(0, -300)
    zoom.tab("edit")
    wait_for(zoom.page, "zoom", "({ requests }) => !requests.timer && !requests.busy")  # nothing more comes
    settle(zoom.page)
    assert np.array_equal(zoom.editor.mask(), painted)
    assert np.array_equal(zoom.editor.picture("before"), shown)
    assert zoom.editor.root.locator("[data-act=brush]").get_attribute("aria-pressed") == "true"


def test_on_a_phone(phone_fake_page, png):
    page = phone_fake_page
    zoom = ZoomTab(page)
    zoom.editor.open(png(gradient(HEIGHT, WIDTH)))
    zoom.tab("zoom")
    zoom.sharp()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for selector in ("#zoom .stage", "#export-button"):  # one below the other
        assert page.locator(selector).bounding_box()["width"] > 260
    heights = [page.locator(one).bounding_box()["height"] for one in PLACES]
    zoom.times(6.5)
    zoom.sharp()
    assert [page.locator(one).bounding_box()["height"] for one in PLACES] == heights
    assert zoom.scale == pytest.approx(6.5)  # of the screen's own pixels, two for one here
    assert evaluate(page, "zoom", "({ view }) => view.scale") == pytest.approx(3.25)
    assert (np.abs(zoom.picture("after")[:, 2] - OURS_BLUE) <= 1).all()
    zoom.choose("Whole photo", 3)
    zoom.line("960 x 720 px")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
