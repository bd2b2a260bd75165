"""Dependencies point one way, and importing costs nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "sair_core"

# A module may import modules of its own rank or lower. The longest name that fits counts.
RANKS = [
    ("errors",),
    (
        "config",
        "coords",
        "devices",
        "files",
        "holes",
        "window",
        "photos",
        "weights",
        "decoders.chunks",
        "filling.plan",
        "filling.seams",
        "semantics.map",
        "semantics.words",
    ),
    ("encoders", "decoders"),
    ("models",),
    ("semantics", "zoom", "filling.adapters"),
    ("filling",),
    ("pipeline",),
    ("training", "evaluation", "batch"),
    ("hub",),
]
RANK = {f"sair_core.{name}": i for i, names in enumerate(RANKS) for name in names}


def rank(module: str) -> int:
    while module not in RANK:
        module = module.rpartition(".")[0]
    return RANK[module]


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    own = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for name in imports_of(path):
        top = name.split(".")[0]
        assert top not in ("app", "gradio", "cv2") or (top == "cv2" and ".evaluation" in own), (
            f"{path} imports {name}"
        )
        if name.startswith("sair_core."):
            assert rank(name) <= rank(own), f"{own} imports {name}, which stands above it"


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
