from pathlib import Path

import gradio as gr
import httpx

from app.page import build_app, forget_files, launch_options
from app.serving.service import FillService
from app.theme import studio_theme
from app.widgets.files import new_file
from tests.app.fakes import until


def test_the_theme_asks_for_no_fonts():
    theme = studio_theme()
    assert not theme._stylesheets and not theme._font_css
    assert "https:" not in theme._get_theme_css() and "@font-face" not in theme._get_theme_css()


def test_building_the_page_loads_no_model_and_shows_its_endpoints():
    def load():
        raise AssertionError("loaded")

    service = FillService(load)
    blocks = build_app(service)
    assert blocks.title == "SAIR Studio" and not service.models.ready
    functions = blocks.fns.values()
    assert [fn.api_name for fn in functions if fn.api_visibility == "public"] == [
        "fill",
        "fill_engine",
        "semantics",
        "mask_from_words",
        "mask_from_points",
        "view",
        "export",
    ]
    assert sum(fn.concurrency_id == "model" for fn in functions) == 15


def test_what_paints_is_there_where_there_is_an_spn():
    def names(service):
        return {block.elem_id for block in build_app(service).blocks.values() if block.elem_id}

    chosen = {"engine-panel", "engine", "variations", "seed", "other-seeds", "fill-cancel"}
    priors = {"priors-panel", "priors-button"}
    assert chosen | priors <= names(FillService(lambda: None, load_painter=lambda: None))
    alone = names(FillService(lambda: None))
    assert chosen <= alone and not priors & alone


def test_a_closed_page_frees_what_can_be_made_again(street_session):
    blocks = build_app(FillService(lambda: None))
    _, url, _ = blocks.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", share=False, **launch_options()
    )
    (state,) = (block for block in blocks.blocks.values() if isinstance(block, gr.State))
    try:
        blocks.state_holder["page"][state._id] = street_session
        street_session.add(street_session.photo)
        street_session.map = object()
        with httpx.stream("GET", f"{url}gradio_api/heartbeat/page", timeout=60) as answer:
            assert "ALIVE" in next(answer.iter_text()) and street_session.map
        until(lambda: street_session.map is None)
        assert blocks.state_holder["page"][state._id].get("1") is street_session.photo
        with httpx.stream("GET", f"{url}gradio_api/heartbeat/nobody", timeout=60) as answer:
            next(answer.iter_text())  # a page on which nothing was opened
    finally:
        blocks.close(verbose=False)


def test_files_of_this_app_are_forgotten_with_their_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    blocks = build_app(FillService(lambda: None))
    new_file("photo.tif").touch()
    for name in ("a" * 64, "b" * 64, "tmp-of-another-app"):
        (tmp_path / name).mkdir()
    (tmp_path / ("b" * 64) / "of another app.png").touch()
    forget_files(blocks)
    assert {path.name for path in tmp_path.iterdir()} == {"b" * 64, "tmp-of-another-app"}


def test_sessions_that_calls_from_scripts_leave_behind_are_bounded(monkeypatch):
    """Gradio never forgets a session by itself, and each takes memory."""
    monkeypatch.setattr("app.page.SESSIONS", 3)
    blocks = build_app(FillService(lambda: None))
    blocks.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", share=False, **launch_options()
    )
    try:
        for number in range(10):
            blocks.state_holder[f"call {number}"]
        assert list(blocks.state_holder.session_data) == ["call 7", "call 8", "call 9"]
    finally:
        blocks.close(verbose=False)


def test_launch_options_keep_to_this_host():
    options = launch_options()
    assert options["run_history"] is False and options["ssr_mode"] is False
    assert Path(options["favicon_path"]).is_file()
