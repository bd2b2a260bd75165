"""The command `sair`: what it shows, which command it runs, how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app import cli
from sair_core import __version__

ROOT = Path(__file__).resolve().parents[2]


def test_alone_it_shows_every_command(capsys):
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert all(word in shown for word in name.split())
    assert len(shown.splitlines()) < 15
    assert cli.main(["--help"]) == 0 and capsys.readouterr().out == shown


def test_the_version_is_the_packages(capsys):
    assert cli.main(["--version"]) == 0 and capsys.readouterr().out == f"sair {__version__}\n"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main([*name.split(), "--help"])
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: sair {name} [-h]") and "show this help" in shown


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_refuses_an_option_that_does_not_exist(name, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main([*name.split(), "--nope"])
    assert "usage: sair" in capsys.readouterr().err


def test_a_command_that_does_not_exist_is_said(capsys):
    assert cli.main(["fil", "a.png"]) == 2
    assert capsys.readouterr().err == "error: There is no command 'fil'. Did you mean sair fill?\n"
    assert cli.main(["xyz"]) == 2 and "sair alone shows" in capsys.readouterr().err


def test_a_command_gets_its_arguments_and_gives_its_status(monkeypatch):
    from app.commands import fill
    from sair_core.evaluation import zoom

    asked = []
    for module, status in ((fill, 1), (zoom, 130)):
        monkeypatch.setattr(module, "main", lambda argv, prog, s=status: asked.append((argv, prog)) or s)
    assert cli.main(["fill", "a", "--b"]) == 1
    assert cli.main(["evaluate", "zoom", "--data", "x"]) == 130
    assert asked == [(["a", "--b"], "sair fill"), (["--data", "x"], "sair evaluate zoom")]


def test_ctrl_c_while_a_command_loads_is_quiet(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "import_module", interrupted)
    assert cli.main(["fill"]) == 130 and capsys.readouterr() == ("", "")


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "argv, heavy",
    [
        ([], "'torch', 'gradio', 'numpy', 'PIL'"),
        (["app", "--help"], "'torch', 'gradio', 'numpy', 'PIL'"),
        (["fill", "--help"], "'torch', 'gradio'"),
        (["zoom", "--help"], "'torch', 'gradio'"),
        (["name", "--help"], "'torch', 'gradio'"),
        (["batch", "--help"], "'torch', 'gradio'"),
        (["train", "--help"], "'torch', 'gradio'"),
        (["align", "--help"], "'torch', 'gradio'"),
        (["evaluate", "--help"], "'gradio', 'open_clip'"),
        (["push", "--help"], "'torch', 'gradio'"),
        (["space", "--help"], "'torch', 'gradio'"),
    ],
    ids=" ".join,
)
def test_help_waits_for_nothing_heavy(argv, heavy):
    code = (
        "import sys\nfrom app.cli import main\n"
        f"try: main({argv!r})\nexcept SystemExit: pass\n"
        f"heavy = {{{heavy}}} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr


def test_the_module_is_the_command():
    for command in (["-m", "app.cli"], ["-m", "app.cli", "--version"]):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0 and f"sair {__version__}" in done.stdout
    done = subprocess.run([sys.executable, "-m", "app.cli", "nope"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
