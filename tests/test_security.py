"""What SECURITY.md says about the sources, held against the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [
    ROOT / "app.py",
    *sorted((ROOT / "app").rglob("*.py")),
    *sorted((ROOT / "sair_core").rglob("*.py")),
]
NETWORK = {"urllib", "requests", "httpx", "aiohttp", "socket", "http", "ftplib"}
# Two fetch the weights of a measure or a loss from fixed addresses; one asks whether the hub is there; one
# listens for a moment at an address that is to be this machine's.
FETCHERS = {
    "app/__main__.py",
    "sair_core/evaluation/download.py",
    "sair_core/training/tasks/perceptual.py",
    "sair_core/weights/network.py",
}
RUNS_CODE = {"eval", "exec", "compile", "__import__"}


def calls_of(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """`("torch.load", call)` for every call in a source."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_opens_what_could_run(path):
    name = path.relative_to(ROOT).as_posix()
    for called, call in calls_of(path):
        options = {word.arg: word.value for word in call.keywords}
        if called == "torch.load":
            assert ast.unparse(options["weights_only"]) == "True", f"{name}: torch.load without weights_only"
        assert called not in RUNS_CODE, f"{name} calls {called}"
        assert called not in ("pickle.load", "pickle.loads", "joblib.load"), f"{name} calls {called}"
        if called.split(".")[-1] in ("load", "memmap") and called.startswith(("np.", "numpy.")):
            assert "allow_pickle" not in options, f"{name}: {called} with pickles"
        assert "shell" not in options, f"{name}: {called} through a shell"
    reached = imports_of(path) & NETWORK
    assert not reached or name in FETCHERS, f"{name} imports {reached}"


def test_the_page_asks_for_nothing_elsewhere():
    for path in (ROOT / "app").rglob("static/*"):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert "http://" not in text and "https://" not in text, path.name


def test_what_is_claimed_is_written_down():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for word in (
        "/security/advisories/new",
        "weights_only=True",
        "--auth",
        "SAIR_HOSTED",
        "benchmarks/fuzz.py",
    ):
        assert word in text
