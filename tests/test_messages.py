"""What is said when something is refused: every text, with an example each in messages.txt beside this file.

A new or changed text fails until an example of it stands there: until somebody has read it as its user does.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from sair_core import errors
from sair_core.errors import ConfigError, SairError

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = Path(__file__).with_name("messages.txt")
RAISERS = {"require": (ConfigError, 1)}  # functions that raise: what, and which argument is the text


@dataclass(frozen=True)
class Text:
    """A text as the code has it: `{}` stands for what is put in."""

    kind: str
    template: str
    place: str

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(".*".join(map(re.escape, self.template.split("{}"))), re.DOTALL)

    @property
    def letters(self) -> int:
        return len(self.template.replace("{}", ""))


def collect() -> list[Text]:
    """Every text that is given to a SairError in `sair_core` and `app`."""
    paths = [path for folder in ("sair_core", "app") for path in sorted((ROOT / folder).rglob("*.py"))]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return [text for name in names for text in collect_module(import_module(name.removesuffix(".__init__")))]


def collect_module(module: ModuleType) -> Iterator[Text]:
    """Every text that a module gives to a SairError."""
    known = vars(module)
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    scopes = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name not in RAISERS
    ]
    for scope in (tree, *scopes):
        for node in _own(scope):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            name = node.func.id
            kind, position = RAISERS.get(name) or (known.get(name, getattr(errors, name, None)), 0)
            if not (inspect.isclass(kind) and issubclass(kind, SairError)) or len(node.args) <= position:
                continue
            for template in _templates(node.args[position], scope, known):
                yield Text(kind.__name__, template, f"{module.__name__}, line {node.lineno}")


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope without those of the functions in it."""
    for node in ast.iter_child_nodes(scope):
        if not isinstance(node, ast.FunctionDef):
            yield node
            yield from _own(node)


def _templates(node: ast.expr, scope: ast.AST, known: dict[str, Any]) -> Iterator[str]:
    """What an expression can be, as far as it is written down: texts, choices, sums, names and functions
    that are known there."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield re.sub(
                r"(\{\})+", "{}", "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in values)
            )
        case ast.IfExp(body=body, orelse=other):
            yield from _templates(body, scope, known)
            yield from _templates(other, scope, known)
        case ast.BinOp(left=left, right=right):
            for first in _templates(left, scope, known):
                for second in _templates(right, scope, known):
                    yield re.sub(r"(\{\})+", "{}", first + second)
        case ast.Name(id=name):
            given = [
                n.value
                for n in ast.walk(scope)
                if isinstance(n, ast.Assign)
                and any(isinstance(t, ast.Name) and t.id == name for t in n.targets)
            ]
            for value in given:
                yield from _templates(value, scope, known)
            if not given:
                yield "{}"
        case ast.Call(func=ast.Name(id=name)) if inspect.isfunction(function := known.get(name)):
            (body,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
            for one in ast.walk(body):
                if isinstance(one, ast.Return) and one.value is not None:
                    yield from _templates(one.value, body, function.__globals__)
        case _:
            yield "{}"


# How a text says what to do: it asks for something, or says what is taken.
ACTIONS = re.compile(
    r"\b(add|ask|brush|build|change|check|choose|connect|convert|copy|delete|develop|divide|erase|export|fetch|"
    r"fill|free|give|install|label|leave|look|make|mark|mend|name|needs?|open|paint|pip install|point|press|"
    r"put|raise|read|reload|resume|run|save|say|send|set|start|stop|try|turn|type|use|wait|write|continue|"
    r"did you mean|must|at least|at most|known are|expected|in the environment variable)\b",
    re.IGNORECASE,
)
# Nothing is to be done: it was the reader's own wish, or stands within a text that says what to do.
WITHOUT_ACTION = {
    "Stopped as asked.",
    "The loss is {} at step {}.",
    "{} is not a number after step {}.",
}


def read_examples() -> list[tuple[str, str]]:
    """Kind and text of each line; a line break within a text is written as \\n."""
    lines = EXAMPLES.read_text(encoding="utf-8").splitlines()
    return [(kind, text.replace("\\n", "\n")) for kind, _, text in (line.partition(": ") for line in lines)]


def find_text(texts: list[Text], kind: str, example: str) -> Text | None:
    """The text that an example is of: of all that could be, the one with the most words of its own."""
    possible = [text for text in texts if text.kind == kind and text.pattern.fullmatch(example)]
    return max(possible, key=lambda text: text.letters, default=None)


TEXTS = collect()


def test_every_text_has_an_example_and_every_example_a_text():
    exampled = {}
    for kind, example in read_examples():
        text = find_text(TEXTS, kind, example)
        assert text is not None, f"No text is like this any more: {kind}: {example}"
        exampled[text.kind, text.template] = example
    for text in TEXTS:
        assert text.letters, f"{text.place}: this text cannot be found. Write it where it is raised."
        assert (text.kind, text.template) in exampled, (
            f"{text.place}: nobody has read {text.template!r}. Write an example of it into {EXAMPLES.name}: "
            "what happened, and what to do."
        )


def test_every_text_says_what_to_do():
    for kind, example in read_examples():
        text = find_text(TEXTS, kind, example)
        assert text is not None
        silent = text.template in WITHOUT_ACTION
        assert bool(ACTIONS.search(example)) != silent, f"{text.place}: {example}"


def test_the_examples_are_sorted_and_none_is_there_twice():
    lines = EXAMPLES.read_text(encoding="utf-8").splitlines()
    assert lines == sorted(set(lines))


def test_texts_are_found_wherever_they_are_written(tmp_path):
    path = tmp_path / "texts.py"
    path.write_text(
        """
from sair_core.config import require
from sair_core.errors import PhotoError

def explain(name):
    return f"{name} is none." if name else "It is none."

class Photo:
    def check(self, name, hint):
        require(name != "", f"It must have {name!r}{hint}, got " + "nothing.")
        text = "It is gone."
        raise PhotoError(text) from PhotoError(explain(name))
"""
    )
    spec = spec_from_file_location("texts", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert [(text.kind, text.template) for text in collect_module(module)] == [
        ("ConfigError", "It must have {}, got nothing."),
        ("PhotoError", "It is gone."),
        ("PhotoError", "{} is none."),
        ("PhotoError", "It is none."),
    ]
    text = Text("PhotoError", "{} is none.", "")
    general = Text("PhotoError", "{}", "")
    assert find_text([general, text], "PhotoError", "a.png is none.") is text
    assert find_text([text], "MaskError", "a.png is none.") is None
