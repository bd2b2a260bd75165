import graphlib
import json
from html.parser import HTMLParser

import pytest

from app.widgets.assets import APP, ENTRY, css, head, link_modules, widget


@pytest.fixture
def write(tmp_path):
    """Writes an app's modules, by path, and returns its entry."""

    def write_modules(sources):
        for path, source in sources.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source, "utf-8")
        return tmp_path / "static" / "page.js"

    return write_modules


class Scripts(HTMLParser):
    """The script elements of a piece of HTML, as (attributes, text) each."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        assert tag == "script"
        self.found.append((dict(attrs), ""))

    def handle_data(self, data):
        if self.found:
            self.found[-1] = (self.found[-1][0], self.found[-1][1] + data)


PAGE = """import { a } from "../zoom/static/a.js";
import {
  b,
  c,
} from "../edit/static/b.js";
a(b, c);
"""
A = 'import { b } from "../../edit/static/b.js";\nexport const a = b;\n'
B = 'import "./d.js";\nexport const b = 1, c = "./a.js"; // import { a } from "./a.js"\n'
D = 'export function d() {\n  return "./a.js";\n}\n'


def test_what_is_imported_comes_first(write):
    entry = write(
        {
            "static/page.js": PAGE,
            "zoom/static/a.js": A,
            "edit/static/b.js": B,
            "edit/static/d.js": D,
            "edit/static/unused.js": "export const unused = 1;\n",
        }
    )
    assert list(link_modules(entry).items()) == [
        ("edit/static/d.js", D),
        ("edit/static/b.js", B.replace('import "./', 'import "sair:edit/static/', 1)),
        ("zoom/static/a.js", A.replace('"../../', '"sair:')),
        ("static/page.js", PAGE.replace('"../', '"sair:')),
    ]


def test_what_cannot_be_linked_is_refused(write):
    page, other = 'import "./b.js";\n', 'import { a } from "./page.js";\n'
    with pytest.raises(graphlib.CycleError):
        link_modules(write({"static/page.js": page, "static/b.js": other}))
    with pytest.raises(FileNotFoundError, match=r"missing\.js"):
        link_modules(write({"static/page.js": 'export { b } from "./missing.js";\n'}))


def test_the_head_holds_all_modules_as_they_are(write):
    source = 'export const html = "</script><!--";\n'
    for entry, modules in (
        (ENTRY, link_modules(ENTRY)),
        (write({"static/page.js": source}), {"static/page.js": source}),
    ):
        (data, text), (boot, script) = Scripts(head(entry)).found
        assert data == {"type": "application/json", "id": "sair-modules"} and boot == {}
        assert dict(json.loads(text)) == modules
        assert "sair-modules" in script


def test_every_sheet_is_on_the_page_and_nothing_comes_from_outside():
    sheets = css()
    assert sheets.startswith("/* The page around the editor. */")  # what the others build on
    for sheet in APP.rglob("static/*.css"):
        assert sheet.read_text("utf-8") in sheets
    page = head() + sheets + "".join(f.read_text("utf-8") for f in APP.rglob("static/*.html"))
    assert "https://" not in page and "@import " not in sheets


def test_the_template_survives_gradio():
    # gr.HTML reads templates as Handlebars and as a JavaScript template string.
    for template in (f.read_text("utf-8") for f in APP.rglob("static/*.html")):
        assert not any(sign in template for sign in ("{{", "${", "`", "\\"))


def test_a_widget_fires_its_events_and_no_other():
    made = widget("edit/editor", "canvas", ["open", "take"], examples=[])
    assert made.elem_id == "canvas" and made.value == {"examples": []}
    assert callable(made.open) and callable(made.take)
    with pytest.raises(AttributeError):
        made.upload_mask  # noqa: B018
