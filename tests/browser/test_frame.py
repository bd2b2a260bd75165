"""The page where it is not at home: below a path, in the frame of another host, as on a Space."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import Browser

from tests.app.fakes import street
from tests.browser.editor import MOUNTED


def test_the_page_works_in_a_frame_of_another_host(browser: Browser, framed_url: str, png):
    port = urlsplit(framed_url).port
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    problems: list[str] = []
    own = (framed_url, f"http://localhost:{port}/spaces/studio/", "data:", "blob:")
    page.on("request", lambda one: None if one.url.startswith(own) else problems.append(one.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(framed_url)
    frame = page.frame_locator("iframe")
    frame.locator(MOUNTED).wait_for()
    photo = {"name": "street.png", "mimeType": "image/png", "buffer": png(street(240, 320))}
    frame.locator("#canvas input.photo-file").set_input_files(photo)
    frame.locator("#canvas .sair[data-state=open][data-busy=false]").wait_for()
    stage = frame.locator("#canvas .stage").bounding_box()
    page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] / 2 + 40, stage["y"] + stage["height"] / 2, steps=4)
    page.mouse.up()
    frame.locator("#fill-button").click()
    frame.locator("#canvas .sair[data-view=compare][data-busy=false]").wait_for()
    frame.locator("#tab-zoom-button").click()
    frame.locator("#zoom .status[data-level=good]").wait_for()
    page.close()
    assert not problems
