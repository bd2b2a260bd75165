"""Every package that is imported is declared, and every declared one is imported."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OWN = {"sair_core", "app"}
PLATFORM = {"spaces"}  # comes with Hugging Face's ZeroGPU machines and is of no use elsewhere
# Declared without an import of their own: gradio and open_clip take torchvision, and it has to fit torch.
FOR_OTHERS = {"torchvision"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    """The distributions of requirement lines."""
    lines = (line.partition("#")[0].strip() for line in requirements)
    return {normal(re.match(r"[\w.-]+", line)[0]) for line in lines if line and not line.startswith("-r")}


def declared(file: str) -> set[str]:
    return names((ROOT / file).read_text(encoding="utf-8").splitlines())


def extras() -> set[str]:
    """What the extras of pyproject.toml name."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table = text.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    return names(re.findall(r'"([^"]+)"', table))


def imported(*folders: str) -> dict[str, str]:
    """Distributions that modules import when they run, by the first file that does."""
    homes, found = packages_distributions(), {}
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for name in top_level_imports(ast.parse(path.read_text(encoding="utf-8"))):
            if name not in sys.stdlib_module_names | OWN | PLATFORM | {"tests", "benchmarks"}:
                # Of a package that is not installed here the name is that of its distribution.
                found.setdefault(normal(homes.get(name, [name])[0]), str(path.relative_to(ROOT)))
    return found


def top_level_imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.partition(".")[0])
        found |= top_level_imports(node)
    return found


def test_what_is_imported_is_declared():
    known = declared("requirements.txt") | extras()
    missing = {name: path for name, path in imported("sair_core", "app").items() if name not in known}
    assert not missing


def test_what_the_tests_import_is_declared():
    known = declared("requirements.txt") | declared("requirements-test.txt") | extras()
    known.add("mcp")  # of the extra gradio[mcp]
    missing = {name: path for name, path in imported("tests", "benchmarks").items() if name not in known}
    assert not missing


def test_what_is_declared_is_imported():
    assert declared("requirements.txt") - imported("sair_core", "app").keys() - FOR_OTHERS == set()


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-test.txt", "requirements-align.txt"])
def test_requirements_name_the_oldest_version_that_is_known_to_work(file):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    stubs = ("types-", "-r ", "#")  # stubs follow what they describe
    assert not [
        line for line in lines if line and not re.search("[>=]=", line) and not line.startswith(stubs)
    ]


def test_the_align_extra_is_its_requirements_file():
    needed = declared("requirements-align.txt")
    assert needed and needed <= extras()
