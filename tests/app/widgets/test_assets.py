from app.widgets.assets import APP, SCRIPTS, SHEETS, css, head, static


def test_everything_static_is_on_the_page_and_nothing_comes_from_outside():
    for suffix, names in ((".js", SCRIPTS), (".css", SHEETS)):
        assert {static(f"{name}{suffix}") for name in names} == set(APP.glob(f"*/static/*{suffix}"))
    page = head() + css() + "".join(f.read_text("utf-8") for f in APP.glob("*/static/*.html"))
    assert "https://" not in page and "@import" not in page


def test_the_template_survives_gradio():
    # gr.HTML reads templates as Handlebars and as a JavaScript template string.
    for template in (f.read_text("utf-8") for f in APP.glob("*/static/*.html")):
        assert not any(sign in template for sign in ("{{", "${", "`", "\\"))
