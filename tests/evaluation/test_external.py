import sys

import numpy as np
import pytest
from PIL import Image

from sair_core.errors import ConfigError, MethodError
from sair_core.evaluation.external import Command, FinishedFills, read_method
from tests.evaluation.conftest import pattern

# Exchanges the colours of the hole and says on which words it was called.
PROGRAM = """
import sys
from PIL import Image, ImageOps
photo, mask, output, *rest = sys.argv[1:]
assert rest == ["a b", "$HOME;"], rest
hole = Image.open(mask)
assert hole.mode == "L"
picture = Image.open(photo)
picture.paste(ImageOps.invert(picture), mask=hole)
picture.save(output)
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "fill it.py"
    path.write_text(PROGRAM)
    return f"{sys.executable} '{path}' {{photo}} {{mask}} {{output}} 'a b' $HOME;"


def a_mask() -> np.ndarray:
    mask = np.zeros((60, 72), bool)
    mask[10:30, 20:40] = True
    return mask


def failing(tmp_path, code: str, timeout_seconds: float = 60) -> Command:
    path = tmp_path / "failing.py"
    path.write_text(code)
    return Command(f"{sys.executable} {path} {{photo}} {{mask}} {{output}}", timeout_seconds)


def test_a_command_reads_and_writes_files_and_no_shell_is_asked(program):
    photo, mask = pattern(0), a_mask()
    filled = Command(program)(photo, mask)
    assert np.array_equal(filled, np.where(mask[..., None], 255 - photo, photo))


@pytest.mark.parametrize(
    "code, message",
    [
        ("import sys; sys.exit('out of memory')", "exit status 1: out of memory"),
        ("raise SystemExit(3)", "exit status 3: no message"),
        ("pass", "output.png"),
        ("import sys; open(sys.argv[3], 'w').write('no picture')", "output.png"),
        (
            "import sys; from PIL import Image; Image.new('RGB', (9, 8)).save(sys.argv[3])",
            "output.png is 9 x 8 px, the photo 72 x 60",
        ),
    ],
)
def test_what_goes_wrong_is_said(tmp_path, code, message):
    with pytest.raises(MethodError, match=message):
        failing(tmp_path, code)(pattern(0), a_mask())


def test_a_command_that_hangs_is_ended(tmp_path):
    with pytest.raises(MethodError, match=r"longer than 0\.2 s"):
        failing(tmp_path, "import time; time.sleep(60)", 0.2)(pattern(0), a_mask())


def test_a_program_that_is_not_there():
    with pytest.raises(MethodError, match="cannot be run"):
        Command("no-such-program {photo} {mask} {output}")(pattern(0), a_mask())


def test_finished_fills_are_found_by_name(tmp_path):
    Image.fromarray(pattern(1)).save(tmp_path / "00003_bird_objects.png")
    fills = FinishedFills(tmp_path)
    filled, seconds = fills.read("00003_bird_objects", (60, 72))
    assert np.array_equal(filled, pattern(1)) and seconds is None
    assert fills.has("00003_bird_objects") and not fills.has("00004_bird_objects")
    with pytest.raises(MethodError, match=r"00004_bird_objects\.png"):
        fills.read("00004_bird_objects", (60, 72))
    with pytest.raises(MethodError, match="72 x 60 px, the photo 60 x 60"):
        fills.read("00003_bird_objects", (60, 60))


def test_fills_come_back_with_the_time_that_they_took(tmp_path):
    fills = FinishedFills(tmp_path / "new")
    for seconds in (0.125, None):
        fills.write("a", pattern(2), seconds)
        filled, found = fills.read("a", (60, 72))
        assert np.array_equal(filled, pattern(2)) and found == seconds


def test_names_and_what_stands_for_them(tmp_path):
    assert read_method(f"lama={tmp_path}") == ("lama", FinishedFills(tmp_path))
    name, command = read_method("mat=run --in={photo} --hole {mask} -o {output}")
    assert name == "mat" and command.words == ["run", "--in={photo}", "--hole", "{mask}", "-o", "{output}"]
    for text, message in (
        ("lama", "NAME=FOLDER or NAME=COMMAND"),
        ("=x", "NAME=FOLDER or NAME=COMMAND"),
        ("lama=nowhere", "no folder, and no command"),
        ("lama=run {photo}", "lacks {mask}, {output}"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_method(text)
