from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from app.commands import fill, photo
from sair_core.pipeline import InpaintPipeline


def run(desk, *more: str) -> int:
    return fill.main([str(desk.photo), str(desk.mask), *more])


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "jpg", "webp"])
def test_the_hole_is_filled_and_the_rest_is_the_photo(desk, loaded, capsys, suffix):
    target = desk.out / f"filled.{suffix}"
    assert run(desk, "-o", str(target), "--model", "m") == 0 and loaded == ["m"]
    assert capsys.readouterr().out == f"{target}\n"
    found = np.asarray(Image.open(target).convert("RGB"))
    assert (found[desk.hole] != desk.rgb[desk.hole]).any()
    if suffix in ("png", "tif", "bmp"):
        np.testing.assert_array_equal(found[~desk.hole], desk.rgb[~desk.hole])
    assert desk.written() == [target.name]


def test_it_is_what_python_gives(desk, loaded, tiny_pipe):
    assert run(desk, "--output", str(desk.out / "a.png")) == 0
    expected = tiny_pipe.fill(desk.photo, desk.mask).image
    np.testing.assert_array_equal(np.asarray(Image.open(desk.out / "a.png")), np.asarray(expected))


def test_variations_are_files_by_seed(desk, loaded, spn_pipe):
    options = ("--model", "spn-lite", "--variations", "2", "--seed", "7")
    assert run(desk, "-o", str(desk.out / "a.png"), *options) == 0
    assert desk.written() == ["a-7.png", "a-8.png"]
    for result in spn_pipe.variations(desk.photo, desk.mask, 2, seed=7):
        found = np.asarray(Image.open(desk.out / f"a-{result.seed}.png"))
        np.testing.assert_array_equal(found, np.asarray(result.image))


def test_texture_comes_from_the_source(desk, loaded, tiny_pipe):
    source = np.zeros(desk.hole.shape, bool)
    source[25:, :30] = True
    path = desk.out.parent / "source.png"
    Image.fromarray(source).save(path)
    options = ("--texture", "yes", "--source", str(path), "--seed", "3")
    assert run(desk, "-o", str(desk.out / "a.png"), *options) == 0
    expected = tiny_pipe.fill(desk.photo, desk.mask, texture=True, source=source, seed=3).image
    np.testing.assert_array_equal(np.asarray(Image.open(desk.out / "a.png")), np.asarray(expected))
    assert run(desk, "-o", str(path), *options, "--overwrite") == 2


def test_an_engine_of_others_fills(desk, loaded, lama_file):
    assert run(desk, "-o", str(desk.out / "a.png"), "--engine", str(lama_file), "--device", "cpu") == 0
    found = np.asarray(Image.open(desk.out / "a.png"))
    np.testing.assert_array_equal(found[~desk.hole], desk.rgb[~desk.hole])
    assert (found[desk.hole] != desk.rgb[desk.hole]).any()


@pytest.mark.parametrize(
    "more, message",
    [
        (["--variations", "2"], "one fill for a hole"),
        (["--engine", "magic"], "There is no engine 'magic'"),
        (["--source", "nowhere.png"], "takes none. Leave it out"),
        (["--texture", "yes", "--source", "nowhere.png"], "There is no file"),
        (["--texture", "perhaps"], "--texture must be yes or no"),
        (["--words", "grass"], "cannot be told to fill with 'grass'"),
        (["--seed", "-1"], "out of range"),
        (["--seed", "1.5"], "--seed must be a whole number, got '1.5'"),
        (["--variations", "0"], "--variations must be at least 1, got 0"),
        (["--quality", "101"], "from 1 to 100"),
        (["--max-megapixels", "0.001"], "the limit is 0.001 megapixels"),
        (["-o", "picture.gif"], "must end in one of .png"),
        (["-o", "nowhere/picture.png"], "no folder nowhere"),
    ],
)
def test_what_cannot_be_ends_with_a_sentence_and_writes_nothing(desk, loaded, capsys, more, message):
    assert run(desk, "-o", str(desk.out / "a.png"), *more) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ") and message in err and not out and desk.written() == []


def test_inputs_that_are_none(desk, loaded, capsys):
    Image.new("L", (60, 40)).save(desk.mask)
    assert run(desk, "-o", str(desk.out / "a.png")) == 2 and "mask is empty" in capsys.readouterr().err
    desk.photo.write_bytes(b"no photo")
    assert run(desk, "-o", str(desk.out / "a.png")) == 2 and "no readable photo" in capsys.readouterr().err
    desk.photo.unlink()
    assert run(desk, "-o", str(desk.out / "a.png")) == 2 and "There is no file" in capsys.readouterr().err
    assert desk.written() == []


def test_nothing_that_is_there_is_lost(desk, loaded, capsys):
    before = desk.photo.read_bytes(), desk.mask.read_bytes()
    for target in (desk.photo, desk.mask, desk.out / ".." / "photo.png"):
        assert run(desk, "-o", str(target), "--overwrite") == 2
        assert "is what is read" in capsys.readouterr().err
    (desk.out / "a-1.png").write_bytes(b"a holiday")
    options = ("-o", str(desk.out / "a.png"), "--model", "spn-lite", "--variations", "2")
    assert run(desk, *options) == 2 and "a-1.png exists" in capsys.readouterr().err
    assert run(desk, "-o", str(desk.out)) == 2 and "must end in" in capsys.readouterr().err
    assert (desk.photo.read_bytes(), desk.mask.read_bytes()) == before and not loaded
    assert desk.written() == ["a-1.png"] and (desk.out / "a-1.png").read_bytes() == b"a holiday"
    assert run(desk, *options, "--overwrite") == 0 and desk.written() == ["a-0.png", "a-1.png"]
    assert (desk.out / "a-1.png").read_bytes() != b"a holiday"


def test_a_result_is_there_whole_or_not_at_all(desk, loaded, monkeypatch, capsys):
    (desk.out / "a.png").write_bytes(b"an earlier result")

    class FullDisk(photo.replacing):
        def __exit__(self, *_):
            super().__exit__(OSError, None, None)
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(photo, "replacing", FullDisk)
    assert run(desk, "-o", str(desk.out / "a.png"), "--overwrite") == 2
    assert "No space left" in capsys.readouterr().err
    assert desk.written() == ["a.png"] and (desk.out / "a.png").read_bytes() == b"an earlier result"


def test_ctrl_c_is_quiet_and_writes_nothing(desk, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(InpaintPipeline, "from_pretrained", interrupted)
    assert run(desk, "-o", str(desk.out / "a.png")) == 130
    assert capsys.readouterr() == ("", "") and desk.written() == []
