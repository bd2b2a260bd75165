"""Labels, the map, and the way from a label to a filled photo."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.app.fakes import COLOURS, street
from tests.browser.editor import Editor, Point, evaluate, on_screen, settle, wait_for

CAR = np.zeros((240, 320), bool)
CAR[144:192, 48:112] = CAR[144:192, 192:256] = True
LEFT_CAR = CAR & (np.arange(320) < 160)


class Meaning:
    """The Semantics tab as a person uses it."""

    def __init__(self, page: Page):
        self.page = page
        self.editor = Editor(page)
        self.root = page.locator("#map .sair")

    def tab(self, name: str) -> None:
        self.page.click(f"#tab-{name}-button")
        self.page.wait_for_selector({"edit": "#canvas .stage", "semantics": "#map .stage"}[name])

    def show(self, labels: str) -> None:
        self.page.fill("#map-labels textarea", labels)
        self.page.press("#map-labels textarea", "Enter")
        self.shown()

    def shown(self) -> None:
        self.page.wait_for_selector("#map .sair[data-map=shown][data-working=false]")

    def status(self, level: str, text: str) -> None:
        self.page.wait_for_selector(f"#map .status[data-level={level}] .text:has-text({text!r})")

    def legend(self) -> dict[str, str]:
        return dict(one.inner_text().split("\n") for one in self.root.locator(".label").all())

    def on_screen(self, point: Point) -> Point:
        return on_screen(self.page, "map", point)

    def colour(self, point: Point) -> tuple[int, int, int]:
        """What the map's own layer has at a point of the photo."""
        return tuple(
            evaluate(
                self.page,
                "map",
                """({ view }, [x, y]) => {
                    const ratio = devicePixelRatio;
                    const place = [view.x + x * view.scale, view.y + y * view.scale].map((v) => v * ratio);
                    const context = view.layers.labels.getContext("2d");
                    return [...context.getImageData(...place, 1, 1).data.slice(0, 3)];
                }""",
                list(point),
            )
        )

    def marked(self) -> np.ndarray:
        """Wait for the Edit tab; what is painted there."""
        self.page.wait_for_selector("#canvas .stage")
        return self.editor.mask()


@pytest.fixture
def meaning(fake_page, png) -> Meaning:
    """The Semantics tab with a street open."""
    meaning = Meaning(fake_page)
    meaning.editor.open(png(street(240, 320)))
    meaning.tab("semantics")
    return meaning


def test_labels_legend_click_mask_fill(meaning):
    meaning.status("info", "Type what may be in the photo")
    meaning.show("sky, road, car")
    assert meaning.legend() == {"sky": "49 %", "road": "42 %", "car": "8 %", "everything else": "1 %"}
    assert meaning.colour((60, 160)) != meaning.colour((10, 10)) != meaning.colour((60, 230))

    meaning.page.click("#map .label:has-text('road')")
    road = meaning.marked()
    meaning.editor.status("info", "road: 42 % of the photo is marked. Press Fill.")
    assert road[230, 300] and not road[160, 60] and not road[10, 10] and 0.40 < road.mean() < 0.44
    meaning.page.keyboard.press("Enter")
    meaning.editor.wait_for_result()
    saved = np.asarray(Image.open(io.BytesIO(meaning.editor.download()[1])))
    assert np.array_equal(saved[~road], street(240, 320)[~road])
    assert len(np.unique(saved[road], axis=0)) == 1


def test_a_click_takes_the_region_and_shift_adds(meaning):
    meaning.show("sky, road, car")
    meaning.page.mouse.click(*meaning.on_screen((70, 160)))
    assert np.array_equal(meaning.marked(), LEFT_CAR)
    meaning.editor.status("info", "car: 4 % of the photo is marked")
    meaning.tab("semantics")
    meaning.page.keyboard.down("Shift")
    meaning.page.mouse.click(*meaning.on_screen((220, 160)))
    meaning.page.keyboard.up("Shift")
    meaning.editor.status("info", "added to the mask")
    assert np.array_equal(meaning.marked(), CAR)
    meaning.page.keyboard.press("Control+z")
    assert np.array_equal(meaning.editor.mask(), LEFT_CAR)


def test_a_drag_is_no_click(meaning):
    meaning.show("sky, road, car")
    meaning.page.click("#map [data-act=zoomin]")
    before = meaning.on_screen((0, 0))
    start = meaning.on_screen((160, 120))
    meaning.page.mouse.move(*start)
    meaning.page.mouse.down()
    meaning.page.mouse.move(start[0] + 40, start[1] + 30, steps=4)
    meaning.page.mouse.up()
    after = meaning.on_screen((0, 0))
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx((40, 30), abs=1)
    assert meaning.page.is_visible("#map .stage")


def test_pointing_names_the_place(meaning):
    meaning.show("sky, road, car")
    meaning.page.mouse.move(*meaning.on_screen((70, 160)))
    assert meaning.root.locator(".tip").inner_text().split() == ["car", "100", "%", "sure"]
    meaning.page.mouse.move(*meaning.on_screen((70, 20)))
    assert meaning.root.locator(".tip b").inner_text() == "sky"
    meaning.page.hover("#map-labels textarea")
    assert not meaning.root.locator(".tip").is_visible()


def test_opacity_and_confidence_ask_no_server(meaning):
    meaning.show("sky, road, car")
    asked = []
    meaning.page.on(
        "request", lambda request: asked.append(request.url) if request.method == "POST" else None
    )
    slider = meaning.root.locator(".size input")
    slider.fill("25")
    assert meaning.root.locator("canvas.labels").evaluate("(canvas) => canvas.style.opacity") == "0.25"
    labels = meaning.colour((60, 160))
    meaning.page.click("#map [data-act=confidence]")
    assert (
        meaning.colour((60, 160)) == (253, 231, 37) != labels and meaning.root.locator(".scale").is_visible()
    )
    meaning.page.click("#map [data-act=labels]")
    assert meaning.colour((60, 160)) == labels
    meaning.page.hover("#map .label:has-text('sky')")
    assert not asked


def test_presets_and_everything_else(meaning):
    meaning.page.click("#map-presets label:has-text('Nature')")
    box = meaning.page.locator("#map-labels textarea")
    meaning.page.wait_for_function(
        "document.querySelector('#map-labels textarea').value.includes('mountain')"
    )
    assert box.input_value().startswith("sky, mountain")
    meaning.page.click("#map-button")
    meaning.shown()
    assert "everything else" in meaning.legend()
    meaning.page.click("#map-rest input")  # the map follows
    meaning.page.wait_for_function("document.querySelectorAll('#map .label').length === 8")
    assert "everything else" not in meaning.legend()


def test_under_the_mask(meaning):
    assert not meaning.page.is_visible("#hole-panel")
    meaning.tab("edit")
    meaning.editor.stroke((20, 20), (300, 20))
    meaning.tab("semantics")
    meaning.page.wait_for_selector("#hole-panel", state="visible")
    meaning.show("sky, road, car")
    sky = meaning.colour((160, 20))
    meaning.page.click("#map-hole label:has-text('Completed')")
    wait_for(meaning.page, "map", "({ hole }) => hole !== null")
    meaning.shown()
    assert meaning.colour((160, 20)) != sky and meaning.colour((160, 90)) == sky
    meaning.page.click("#map-hole label:has-text('Hidden')")
    meaning.page.wait_for_selector("#map [data-working=true]", state="attached")
    meaning.shown()
    assert meaning.colour((160, 20)) == sky


def test_the_map_shows_the_mask_that_it_was_made_with(meaning):
    meaning.tab("edit")
    meaning.editor.stroke((20, 20), (300, 20))
    meaning.tab("semantics")
    meaning.show("sky, road, car")
    evaluate(
        meaning.page,
        "map",
        """(meaning) => {
            const show = meaning.showMap;
            meaning.showMap = (...answer) => {
                meaning.bench.editor.clearMarks(); // while the map was being made
                show.apply(meaning, answer);
            };
        }""",
    )
    meaning.page.click("#map-hole label:has-text('Completed')")
    wait_for(meaning.page, "map", "({ hole }) => hole !== null")
    opacity = "({ hole }) => hole.getContext('2d').getImageData(160, 20, 1, 1).data[3]"
    assert not meaning.editor.mask().any() and evaluate(meaning.page, "map", opacity) == 255


def test_select_by_words(fake_page, png):
    editor = Editor(fake_page)
    editor.open(png(street(240, 320)))
    fake_page.fill("#mask-words input, #mask-words textarea", "car")
    fake_page.keyboard.press("Enter")
    editor.status("info", "car: 8 % of the photo is marked. Press Fill.")
    assert np.array_equal(editor.mask(), CAR)
    fake_page.click("#mask-add input")
    fake_page.fill("#mask-words input, #mask-words textarea", "sky")
    fake_page.keyboard.press("Enter")
    editor.status("info", "is added")
    both = editor.mask()
    assert both[CAR].all() and both[10, 10] and not both[235, 10]
    fake_page.fill("#mask-words input, #mask-words textarea", "unicorn")
    fake_page.keyboard.press("Enter")
    editor.status("warn", "No unicorn was found")
    assert np.array_equal(editor.mask(), both)
    editor.act("undo")
    assert np.array_equal(editor.mask(), CAR)
    editor.fill()


def test_fill_with_words(fake_page, png):
    editor = Editor(fake_page)
    editor.open(png(street(240, 320)))
    editor.stroke((60, 60), (90, 60))
    fake_page.fill("#fill-words input, #fill-words textarea", "car")
    fake_page.keyboard.press("Enter")
    editor.status("good", "Filled with car in")
    _, data = editor.download()
    assert np.abs(np.asarray(Image.open(io.BytesIO(data)))[60, 75].astype(int) - COLOURS["car"]).max() <= 1
    fake_page.locator("#fill-strength input[type=range]").fill("0")
    fake_page.fill("#fill-words input, #fill-words textarea", "")
    editor.fill()
    editor.status("good", "Filled in")


def test_the_editor_keeps_everything_while_another_tab_is_open(meaning):
    page, editor = meaning.page, meaning.editor
    meaning.tab("edit")
    editor.stroke((100, 40), (140, 40))
    for _ in range(3):
        page.keyboard.press("+")
    painted, place, shown = editor.mask(), editor.on_screen((0, 0)), editor.picture("before")
    meaning.tab("semantics")
    page.keyboard.press("e")  # keys of the editor rest
    page.set_viewport_size({"width": 1300, "height": 900})
    page.set_viewport_size({"width": 1400, "height": 900})
    meaning.tab("edit")
    settle(page)
    assert editor.on_screen((0, 0)) == place and np.array_equal(editor.mask(), painted)
    assert np.array_equal(editor.picture("before"), shown)
    assert editor.root.locator("[data-act=brush]").get_attribute("aria-pressed") == "true"


def test_the_map_follows_the_photo_that_is_seen(meaning, png):
    meaning.show("sky, road, car")
    meaning.page.click("#map .label:has-text('car')")
    meaning.marked()
    meaning.editor.fill()
    meaning.tab("semantics")
    meaning.status("info", "Type what may be in the photo")
    assert meaning.legend() == {}
    meaning.show("sky, road, car")
    assert meaning.legend()["car"] == "0 %"
    meaning.page.click("#map .label:has-text('sky')")
    meaning.marked()  # of the result: it is edited from now on
    assert meaning.editor.evaluate("({ state }) => state.base") == "1"
    meaning.tab("semantics")
    assert meaning.legend()["car"] == "0 %"
    meaning.page.set_input_files(
        "#canvas input.photo-file", {"name": "a.png", "mimeType": "image/png", "buffer": png(street(90, 90))}
    )
    meaning.status("info", "Type what may be in the photo")
    assert meaning.legend() == {}
    meaning.show("sky")
    meaning.tab("edit")
    assert meaning.editor.evaluate("({ view }) => view.scale") > 0


def test_downloads(meaning):
    meaning.page.click("#map-save")
    meaning.status("warn", "There is no map of this photo yet")
    meaning.show("sky, road, car")
    with meaning.page.expect_download() as waiting:
        meaning.page.click("#map-save")
    image = Image.open(waiting.value.path())
    assert waiting.value.suggested_filename == "sair-map.png"
    assert image.mode == "P" and image.size == (320, 240)
    meaning.page.wait_for_selector("#map [data-working=false]")
    with meaning.page.expect_download() as waiting:
        meaning.page.click("#map-save-raw")
    assert np.load(waiting.value.path()).dtype == np.float16


def test_messages(fake_page, png):
    meaning = Meaning(fake_page)
    meaning.tab("semantics")
    fake_page.click("#map-button")
    meaning.status("warn", "Open a photo first")
    fake_page.keyboard.press("h")
    assert fake_page.is_visible("dialog.sair-help")
    fake_page.keyboard.press("h")
    with fake_page.expect_file_chooser() as chooser:
        fake_page.click("#map .choose")
    chooser.value.set_files({"name": "a.png", "mimeType": "image/png", "buffer": png(street(240, 320))})
    fake_page.wait_for_selector("#map [data-map=ready]")
    fake_page.click("#map-button")
    meaning.status("warn", "No label was given")


def test_choice_of_encoder(meaning):
    page = meaning.page
    page.click("#encoder-panel button:has-text('Encoder')")
    field = "#encoder-name input, #encoder-name textarea"
    page.fill(field, "ViT-B-16 openai")
    page.click("#encoder-load")
    meaning.status("error", "The bundled encoder stays chosen")
    assert page.input_value("#encoder input") == "Bundled"
    page.fill(field, "RN50 openai")
    page.keyboard.press("Enter")
    meaning.status("good", "RN50 openai is loaded and chosen")
    assert page.input_value("#encoder input") == "RN50 openai"
    meaning.show("sky, road")
    assert meaning.legend()["sky"] == "49 %"


def test_narrow_window(narrow_fake_page, png):
    page = narrow_fake_page
    meaning = Meaning(page)
    meaning.editor.open(png(street(240, 320)))
    meaning.tab("semantics")
    for selector in ("#map .stage", "#map-button"):  # one below the other
        assert page.locator(selector).bounding_box()["width"] > 320
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    meaning.show("sky, road, car, " + ", ".join(f"some longer label {i}" for i in range(6)))
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.locator("#map .stage").scroll_into_view_if_needed()
    page.touchscreen.tap(*meaning.on_screen((70, 160)))
    assert np.array_equal(meaning.marked(), LEFT_CAR)
    meaning.tab("semantics")
    page.click("#map [data-act=add]")
    page.touchscreen.tap(*meaning.on_screen((220, 160)))
    meaning.editor.status("info", "added")
    assert np.array_equal(meaning.marked(), CAR)
