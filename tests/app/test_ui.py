import re
from pathlib import Path

from app import editor
from app.service import FillService
from app.theme import studio_theme
from app.ui import build_app, launch_options


def test_the_theme_asks_for_no_fonts():
    theme = studio_theme()
    assert not theme._stylesheets and not theme._font_css
    assert "https:" not in theme._get_theme_css() and "@font-face" not in theme._get_theme_css()


def test_building_the_page_loads_no_model_and_shows_its_endpoints():
    def load():
        raise AssertionError("loaded")

    service = FillService(load)
    blocks = build_app(service)
    assert blocks.title == "SAIR Studio" and not service.ready
    functions = blocks.fns.values()
    assert [fn.api_name for fn in functions if fn.api_visibility == "public"] == [
        "fill",
        "semantics",
        "mask_from_words",
        "view",
        "export",
    ]
    assert sum(fn.concurrency_id == "model" for fn in functions) == 12


def test_the_textured_engine_is_there_where_there_is_an_spn():
    def names(service):
        return {block.elem_id for block in build_app(service).blocks.values() if block.elem_id}

    chosen = {"engine-panel", "engine", "variations", "seed", "other-seeds", "priors-panel", "priors-button"}
    assert chosen <= names(FillService(lambda: None, load_painter=lambda: None))
    assert not chosen & names(FillService(lambda: None))


def test_launch_options_keep_to_this_host():
    options = launch_options()
    assert options["run_history"] is False and options["ssr_mode"] is False
    assert Path(options["favicon_path"]).is_file()


def test_scripts_and_buttons_agree():
    template = "".join(
        (editor.STATIC / f"{name}.html").read_text("utf-8") for name in ("editor", "meaning", "zoom", "train")
    )
    scripts = editor.head()
    for act in set(re.findall(r'data-act="(\w+)"', template)):
        assert re.search(rf"\b{act}\b", scripts), act
