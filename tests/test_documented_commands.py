"""Every command that the documentation shows is one, and has the options that are shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from app.cli import COMMANDS
from sair_core.command_line import make_parser, read_values
from sair_core.training.options import add_resume
from sair_core.training.tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (ROOT, ROOT / "docs", ROOT / "benchmarks", *(ROOT / "assets" / "models").iterdir())
PAGES = sorted(page for folder in FOLDERS for page in folder.glob("*.md"))
BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`]+)`")
OPTIONAL = re.compile(r" \[[^\]]*\]")  # "[MORE ...]"
# By a command's beginning, the command of `sair` or the module that follows.
BEGINNINGS = re.compile(
    r"(?:^|&& )(?:\w+=\S+ )?(?P<how>sair |python -m app\.cli |python app\.py|"
    r"(?:python|accelerate launch|torchrun)(?: --\S+ \d+)? -m (?=sair_core|app))(?P<rest>[^#&]*)"
)


def shown() -> Iterator[tuple[str, str]]:
    """Lines of code, each with where it stands."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = [line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").split("\n")]
        inline = [" ".join(code.split()) for code in INLINE.findall(BLOCK.sub("", text))]
        yield from ((str(page.relative_to(ROOT)), line) for line in (*blocks, *inline))


def documented() -> Iterator[tuple[str, str, list[str]]]:
    """Where a command stands, the module whose `main` it is, and its arguments."""
    for where, line in shown():
        for match in BEGINNINGS.finditer(OPTIONAL.sub("", line)):
            how, words = match["how"], shlex.split(match["rest"])
            if how == "python app.py":
                yield f"{where}: {line}", "app.__main__", words
            elif how in ("sair ", "python -m app.cli "):
                if words and words[0] != "COMMAND" and not words[0].startswith("-"):
                    length = 2 if " ".join(words[:2]) in COMMANDS else 1
                    name = COMMANDS.get(" ".join(words[:length]), f"no command {words[0]}")
                    yield f"{where}: {line}", f"app{name}" if name.startswith(".") else name, words[length:]
            else:
                yield f"{where}: {line}", words[0], words[1:]


@pytest.fixture
def only_read(monkeypatch):
    """A module whose commands read their options and do nothing."""

    def read(_, cls, argv, *, prog, **training):
        parser = make_parser(cls, prog=prog, required=not training)
        if training:
            add_resume(parser)
        values = read_values(cls, parser.parse_args(argv))
        if not training:
            cls(**values)
        return 0

    def load(name: str) -> ModuleType:
        name = f"{name}.__main__" if (ROOT / Path(*name.split("."))).is_dir() else name
        module = import_module(name)
        for function in ("run_command", "run_training"):
            if hasattr(module, function):
                monkeypatch.setattr(module, function, read)
        if (
            name == "sair_core.training.__main__"
        ):  # what a run was that is continued: its folder tells in these examples
            kinds = {f"runs/{kind}": {"kind": kind} for kind in TASKS}
            monkeypatch.setattr(module, "saved", lambda folder, part: kinds.get(folder.as_posix(), {}))
        if name == "app.__main__":
            monkeypatch.setattr(module, "check_installed", lambda: None)  # of a package that need not be here
        return module

    return load


def test_many_are_found():
    found = list(documented())
    assert len(found) > 50 and len({module for _, module, _ in found}) > 10


@pytest.mark.parametrize(
    ("where", "module", "arguments"), [pytest.param(*one, id=one[0]) for one in documented()]
)
def test_it_can_be_run_as_it_is_written(where, module, arguments, only_read):
    command = only_read(module).main
    if not any(word.startswith("-") for word in arguments):  # named in a sentence
        arguments = ["--help"]
    try:
        assert command(arguments) == 0
    except SystemExit as ended:
        assert ended.code == 0, where
