import re
from pathlib import Path
from typing import Annotated, Literal

import pytest

from sair_core.command_line import Option, make_parser, read_values, run_command
from sair_core.config import require, strict_dataclass
from sair_core.errors import SairError

ROOT = Path(__file__).resolve().parents[1]


@strict_dataclass
class Base:
    """Do something with photos."""

    photo: Annotated[Path, Option(positional=True)]
    """what is
    looked at"""
    output: Annotated[Path, Option("-o", "--output", metavar="FILE")]
    steps: int = 3
    """100 % of them"""
    seed: int = 0


@strict_dataclass
class Asked(Base):
    """Do something else."""

    data: tuple[str, ...] = ()
    """folders"""
    pair: tuple[float, float] = (1.0, 2.5)
    minutes: float | None = None
    bf16: bool = True
    """the fast kind"""
    again: bool = False
    twice: bool | None = None
    mode: Literal["a", "b"] = "a"
    start: Annotated[str | None, Option("--from")] = None
    name: str = ""

    def __post_init__(self) -> None:
        require(self.steps > 0, f"steps must be positive, got {self.steps}")


GIVEN = ["p.png", "-o", "out.png"]


def read(*argv: str) -> Asked:
    found = []
    assert run_command(found.append, Asked, [*GIVEN, *argv], prog="x") == 0
    return found[0]


def test_every_kind_of_field_is_read_in_its_type():
    assert read() == Asked(photo=Path("p.png"), output=Path("out.png"))
    found = read(
        "--steps", "7", "--data", "a", "b", "--data", "c", "--pair", "3", "4e-1", "--minutes", "2",
        "--no-bf16", "--again", "--twice", "no", "--mode", "b", "--from", "m", "--name", "12",
    )  # fmt: skip
    assert found == Asked(
        photo=Path("p.png"), output=Path("out.png"), steps=7, data=("a", "b", "c"), pair=(3.0, 0.4),
        minutes=2.0, bf16=False, again=True, twice=False, mode="b", start="m", name="12",
    )  # fmt: skip


@pytest.mark.parametrize(
    "argv, message",
    [
        (("--steps", "abc"), "--steps must be a whole number, got 'abc'"),
        (("--steps", "128.5"), "--steps must be a whole number, got '128.5'"),
        (("--minutes", "nan"), "--minutes must be a finite number, got 'nan'"),
        (("--twice", "perhaps"), "--twice must be yes or no, got 'perhaps'"),
        (("--pair", "1", "x"), "--pair must be a number, got 'x'"),
        (("--mode", "c"), "--mode must be 'a' or 'b', got 'c'"),
        (("--steps", "0"), "steps must be positive, got 0"),
    ],
)
def test_a_wrong_value_ends_with_a_sentence_and_2(argv, message, capsys):
    assert run_command(lambda _: pytest.fail("ran"), Asked, [*GIVEN, *argv], prog="x") == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ") and message in err and not out and err.count("\n") == 1


@pytest.mark.parametrize("argv", [["p.png"], ["-o", "x"], [*GIVEN, "--nope"], [*GIVEN, "--pair", "1"]])
def test_what_is_no_command_ends_with_the_usage_and_2(argv, capsys):
    with pytest.raises(SystemExit, match="2"):
        run_command(lambda _: None, Asked, argv, prog="sair x")
    assert "usage: sair x" in capsys.readouterr().err


def test_the_status_tells_how_it_ended(capsys):
    def failing(_):
        raise SairError("out of luck")

    def interrupted(_):
        raise KeyboardInterrupt

    assert run_command(lambda _: 1, Asked, GIVEN, prog="x") == 1
    assert run_command(failing, Asked, GIVEN, prog="x") == 2
    assert run_command(interrupted, Asked, GIVEN, prog="x") == 130
    assert capsys.readouterr().err == "error: out of luck\n"
    assert run_command(lambda asked: asked.photo.read_bytes() and None, Asked, GIVEN, prog="x") == 2
    assert "p.png" in capsys.readouterr().err


def test_help_is_what_stands_beside_the_fields(capsys):
    with pytest.raises(SystemExit, match="0"):
        make_parser(Asked, prog="sair x").parse_args(["--help"])
    out = " ".join(capsys.readouterr().out.split())
    for text in (
        "usage: sair x", "Do something else.", "PHOTO what is looked at", "-o FILE, --output FILE",
        "--steps N 100 % of them (default: 3)", "--seed N (default: 0)", "--pair X X (default: 1.0 2.5)",
        "--bf16, --no-bf16 the fast kind (default: yes)", "--mode {a,b} (default: a)", "--from FROM",
        "--data DATA [DATA ...] folders",
    ):  # fmt: skip
        assert text in out, text


def test_only_what_was_typed_is_given():
    parser = make_parser(Asked, prog="x", required=False)
    assert read_values(Asked, parser.parse_args(["p.png", "--steps", "5"])) == {
        "photo": Path("p.png"),
        "steps": 5,
    }


MODULES = sorted(
    (path, match[1])
    for folder in ("sair_core", "app")
    for path in (ROOT / folder).rglob("*.py")
    if (match := re.search(r'prog: str = "python -m ([\w.]+)"', path.read_text(encoding="utf-8")))
)


@pytest.mark.parametrize(("path", "name"), [pytest.param(*one, id=one[1]) for one in MODULES])
def test_a_module_that_calls_itself_a_command_is_one(path, name):
    """Without the last lines `python -m` would import it, do nothing and report success."""
    assert ".".join(path.relative_to(ROOT).with_suffix("").parts) in (name, f"{name}.__main__")
    assert path.read_text(encoding="utf-8").endswith('\n\nif __name__ == "__main__":\n    sys.exit(main())\n')
