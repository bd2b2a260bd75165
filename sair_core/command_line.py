"""Command lines made from configuration classes: a field is an option, the string below it its help text.

On argparse, because click (typer) has no option of several values, `--data A B`, and tyro none whose value
may be left out, `--resume [previous]`.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import inspect
import io
import logging
import sys
import textwrap
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from tqdm import tqdm

from sair_core.config import FROM_TEXT, sentence
from sair_core.cores import share_cores
from sair_core.errors import ConfigError, SairError
from sair_core.progress import Progress

C = TypeVar("C")
NUMBERS = {int: "N", float: "X"}  # how they are shown

DONE, SOME_FAILED, ASKED_WRONGLY, INTERRUPTED = 0, 1, 2, 130  # exit statuses of every command


class Option:
    """How a field is written where that is not `--its-name ITS_NAME`: `Annotated[Path, Option("-o")]`.

    flags: names of the option. metavar: what stands for its value in the help. positional: it has no name.
    """

    def __init__(self, *flags: str, metavar: str | tuple[str, ...] | None = None, positional: bool = False):
        self.flags, self.metavar, self.positional = flags, metavar, positional


def run_command(
    run: Callable[[C], int | None],
    cls: type[C],
    argv: Sequence[str] | None,
    *,
    prog: str,
    log_level: int = logging.WARNING,
) -> int:
    """Read a configuration from the command line, run with it, and return the exit status of `exit_status`.

    run: returns its own status, None for DONE. argv: None for that of the process. An option that does not
    exist ends the process, as argparse does, with the usage and the same status.
    """
    share_cores()
    logging.basicConfig(level=log_level, format="%(message)s", stream=sys.stderr)
    args = make_parser(cls, prog=prog).parse_args(argv)
    return exit_status(lambda: run(cls(**read_values(cls, args))))


def exit_status(command: Callable[[], int | None]) -> int:
    """Run a command and return its own status; INTERRUPTED for Ctrl+C; ASKED_WRONGLY, with a message, for a
    SairError and for a file that cannot be read or written."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text
    try:
        return command() or DONE
    except (SairError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return ASKED_WRONGLY
    except KeyboardInterrupt:
        return INTERRUPTED


@contextlib.contextmanager
def progress_line() -> Iterator[Progress]:
    """Show on the terminal how far work is, in one line that goes when it ends; nothing in a file."""
    layout = "{percentage:3.0f}% {bar} {desc} {elapsed}"
    with tqdm(total=1.0, bar_format=layout, leave=False, disable=None) as line:

        def report(share: float, text: str) -> None:
            line.set_description_str(text, refresh=False)
            line.update(share - line.n)

        yield report


def make_parser(cls: type, *, prog: str, required: bool = True) -> argparse.ArgumentParser:
    """Return a parser with an option for each field of a strict dataclass, whose docstring describes it.

    What is not typed is not in its namespace. required: fields without a default must be typed.
    """
    description = inspect.cleandoc(cls.__doc__ or "")
    parser = argparse.ArgumentParser(prog, description=description, argument_default=argparse.SUPPRESS)
    for field in _fields(cls):
        parser.add_argument(*field.flags, **field.arguments(required))
    return parser


def read_values(cls: type, args: argparse.Namespace) -> dict[str, Any]:
    """Return what was typed, by field and in the field's type. Raises ConfigError."""
    typed = vars(args)
    return {field.name: field.read(typed[field.name]) for field in _fields(cls) if field.name in typed}


@dataclass(frozen=True)
class _Field:
    """A field of a configuration as an option. hint: its type without `Annotated`."""

    name: str
    hint: Any
    option: Option
    default: Any
    help: str

    @property
    def kind(self) -> Any:
        """The type without `None`."""
        union = get_origin(self.hint) in (Union, types.UnionType)
        kinds = [kind for kind in get_args(self.hint) if kind is not types.NoneType] if union else []
        return kinds[0] if len(kinds) == 1 else self.hint

    @property
    def flags(self) -> tuple[str, ...]:
        if self.option.positional:
            return (self.name,)
        return self.option.flags or ("--" + self.name.replace("_", "-"),)

    def arguments(self, required: bool) -> dict[str, Any]:
        """What `add_argument` takes."""
        needed = self.default is dataclasses.MISSING
        found: dict[str, Any] = {"help": self._help()}
        if not self.option.positional:
            found |= {"dest": self.name, "required": required and needed}
        if self.hint is bool:
            return {**found, "action": argparse.BooleanOptionalAction if self.default else "store_true"}
        found["metavar"] = self.option.metavar or self._metavar()
        if get_origin(self.kind) is tuple:
            items = get_args(self.kind)
            found["nargs"] = "+" if items[-1] is Ellipsis else len(items)
            if found["nargs"] == "+" and not self.option.positional:
                found["action"] = "extend"
        elif self.option.positional and not needed:
            found["nargs"] = "?"
        return found

    def read(self, typed: Any) -> Any:
        """Return what was typed, a text or several, in the field's type. Raises ConfigError."""
        try:
            return TypeAdapter(self.hint, config=FROM_TEXT).validate_python(typed)
        except ValidationError as error:
            raise ConfigError(f"{self.flags[-1]} {sentence(error.errors()[0])}.") from error

    def _metavar(self) -> str:
        if get_origin(self.kind) is Literal:
            return "{" + ",".join(get_args(self.kind)) + "}"
        item = get_args(self.kind)[0] if get_origin(self.kind) is tuple else self.kind
        return NUMBERS.get(item) or self.flags[-1].lstrip("-").replace("-", "_").upper()

    def _help(self) -> str:
        shown = self.default
        if isinstance(shown, tuple):
            shown = " ".join(map(str, shown))
        elif isinstance(shown, bool):
            shown = "yes" if shown else ""
        stated = shown not in (dataclasses.MISSING, None, "")
        return (f"{self.help} (default: {shown})" if stated else self.help).replace("%", "%%")


def _fields(cls: type) -> list[_Field]:
    hints, texts = get_type_hints(cls, include_extras=True), _texts(cls)
    found = []
    for field in dataclasses.fields(cls):
        hint, option = hints[field.name], Option()
        if get_origin(hint) is Annotated:
            hint, option = get_args(hint)
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        found.append(_Field(field.name, hint, option, default, texts.get(field.name, "")))
    return sorted(found, key=lambda field: field.default is not dataclasses.MISSING)  # what is needed first


def _texts(cls: type) -> dict[str, str]:
    """The strings below the fields of a class and of its bases, by field."""
    texts: dict[str, str] = {}
    for one in reversed(cls.__mro__[:-1]):
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(definition, ast.ClassDef)
        for field, text in zip(definition.body, definition.body[1:]):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(string))):
                    texts[name] = " ".join(string.split())
    return texts
