"""Dependencies point one way, and importing costs nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_the_import_contracts_are_kept():
    """The contracts are in pyproject.toml, under `tool.importlinter`."""
    command = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_logo=True))"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_package_brings_no_heavy_module():
    heavy = run(
        "import sys, sair_core\n"
        "print([m for m in ('torch', 'gradio', 'open_clip', 'scipy', 'PIL') if m in sys.modules])"
    )
    assert heavy == "[]"


def test_the_pipeline_brings_no_clip_and_no_gradio():
    assert (
        run("import sys, sair_core.pipeline; print('open_clip' in sys.modules, 'gradio' in sys.modules)")
        == "False False"
    )


def test_public_names_resolve():
    import sair_core

    assert all(getattr(sair_core, name) for name in sair_core.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sair_core.nothing  # noqa: B018
