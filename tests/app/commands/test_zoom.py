from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from app.commands import zoom
from sair_core.window import Window


def run(desk, target, *more: str) -> int:
    return zoom.main([str(desk.photo), "-o", str(target), *more])


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_the_whole_photo_at_a_scale(desk, loaded, tiny_pipe, capsys, suffix):
    target = desk.out / f"a.{suffix}"
    assert run(desk, target, "--scale", "2.5", "--quality", "100") == 0
    assert capsys.readouterr().out == f"{target}: 150 x 100 px\n"
    expected = tiny_pipe.view(desk.photo, window=Window.whole((40, 60), 2.5))
    np.testing.assert_array_equal(np.asarray(Image.open(target)), np.asarray(expected))


def test_a_part_as_a_view_shows_it(desk, loaded, tiny_pipe):
    target = desk.out / "a.png"
    options = (
        "--centre-yx",
        "-0.2",
        "0.1",
        "--scale",
        "4",
        "--size-px",
        "30",
        "50",
        "--mask",
        str(desk.mask),
    )
    assert run(desk, target, *options) == 0
    expected = tiny_pipe.view(desk.photo, desk.mask, (-0.2, 0.1), 4.0, (30, 50))
    np.testing.assert_array_equal(np.asarray(Image.open(target)), np.asarray(expected))


@pytest.mark.parametrize("more", [["--quality", "0"], ["--quality", "101"]])
def test_a_quality_is_refused_before_a_model_is_loaded(desk, monkeypatch, capsys, more):
    monkeypatch.setattr(zoom.ZoomOptions, "load_pipeline", lambda self: pytest.fail("nothing to load"))
    assert run(desk, desk.out / "a.png", *more) == 2
    assert "1 to 100" in capsys.readouterr().err


def test_a_part_ends_where_the_photo_ends(desk, loaded):
    assert run(desk, desk.out / "a.png", "--centre-yx", "0", "0", "--scale", "1") == 0
    assert Image.open(desk.out / "a.png").size == (60, 40)


@pytest.mark.parametrize(
    "more, message",
    [
        (["--scale", "100"], "between 1/64 and 64"),
        (["--centre-yx", "99", "99"], "outside the photo"),
        (["--size-px", "0", "5"], "at least 1 x 1 px"),
        (["--size-px", "1.5", "5"], "--size-px must be a whole number, got '1.5'"),
        (["--quality", "0"], "1 to 100"),
        (["-o", "a.gif"], "must end in one of"),
    ],
)
def test_what_cannot_be_ends_with_a_sentence(desk, loaded, capsys, more, message):
    assert run(desk, desk.out / "a.png", *more) == 2
    assert message in capsys.readouterr().err and desk.written() == []


def test_a_file_that_is_there_stays(desk, loaded, capsys):
    (desk.out / "a.png").write_bytes(b"a holiday")
    assert run(desk, desk.out / "a.png") == 2 and "exists" in capsys.readouterr().err
    assert run(desk, desk.photo, "--overwrite") == 2 and "is what is read" in capsys.readouterr().err
    assert (desk.out / "a.png").read_bytes() == b"a holiday"
