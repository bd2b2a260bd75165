"""The page's scripts, held against each other and against the Python that they talk to."""

from __future__ import annotations

import ast
import dataclasses
import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from app.widgets.assets import APP, ENTRY, link_modules, static
from app.widgets.protocol import Answer, Request

ROOT = Path(__file__).parents[2]
MODULES = link_modules(ENTRY)
ROOMS = ("edit", "zoom", "semantics", "train")
IMPORT = re.compile(r'^import (?:\{([^}]*)\} from )?"sair:([^"]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?:async )?(?:class|function|const) (\w+)", re.MULTILINE)
BOOT = "widgets/static/boot.js"


def test_every_script_is_on_the_page():
    assert {*MODULES, BOOT} == {path.relative_to(APP).as_posix() for path in APP.rglob("static/*.js")}


@pytest.mark.parametrize("path", MODULES)
def test_every_import_is_exported(path):
    source = MODULES[path]
    found = IMPORT.findall(source)
    assert len(found) == len(re.findall(r"^import\b", source, re.MULTILINE))
    for names, target in found:
        exported = EXPORT.findall(MODULES[target])
        assert {name.strip() for name in names.split(",") if name.strip()} <= set(exported), target


def test_every_export_is_imported():
    imported = {
        (target, name.strip())
        for source in MODULES.values()
        for names, target in IMPORT.findall(source)
        for name in names.split(",")
    }
    for path, source in MODULES.items():
        if path != "static/page.js":
            assert {(path, name) for name in EXPORT.findall(source)} <= imported


def test_tabs_are_independent_and_the_widgets_below_them():
    for path, source in MODULES.items():
        room = path.split("/")[0]
        allowed = {"static": {*ROOMS, "widgets"}, "widgets": {"widgets"}}.get(room, {room, "widgets"})
        assert {target.split("/")[0] for _, target in IMPORT.findall(source)} <= allowed, path


def test_one_global_name_leads_to_all_scripts():
    """What one script needs of another it imports."""
    for path, source in MODULES.items():
        code = re.sub(r"//.*|/\*(?s:.*?)\*/", "", source)
        assert not re.search(r"\b(globalThis|self)\b|window\.sair|window\[|assign\(window", code), path
        assert not re.search(r"\bwindow\.\w+ = ", code), path
    assert static("widgets/boot.js").read_text("utf-8").count("Object.assign(window, {") == 1


def calls(name: str) -> list[tuple[str, ast.Call]]:
    """Room and call of every call of a function in the tabs."""
    return [
        (room, node)
        for room in ROOMS
        for node in ast.walk(ast.parse((APP / room / "tab.py").read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def test_widgets_are_mounted_by_their_elem_id():
    called = calls("widget")
    assert len(called) == 7
    for room, call in called:
        elem_id = ast.literal_eval(call.args[1])
        assert re.search(rf'^      "?{elem_id}"?: ', MODULES[f"{room}/static/tab.js"], re.MULTILINE), elem_id


def test_commands_of_buttons_are_there():
    called = calls("command")
    names = {room: {ast.literal_eval(call.args[1]) for one, call in called if one == room} for room in ROOMS}
    for room in ROOMS:  # those that are called with what is set have their arguments from the page
        names[room] |= set(re.findall(r'page % "(\w+)"', (APP / room / "tab.py").read_text("utf-8")))
        commands = MODULES[f"{room}/static/tab.js"].split("    commands: {\n")[1].split("\n    },")[0]
        assert names[room] == set(re.findall(r"^      (\w+): ", commands, re.MULTILINE))


def test_buttons_of_the_html_do_something():
    for room, name in (("edit", "editor"), ("semantics", "map"), ("zoom", "zoom"), ("train", "train")):
        scripts = MODULES["widgets/static/viewer.js"] + MODULES[f"{room}/static/tab.js"]
        for act in set(re.findall(r'data-act="(\w+)"', static(f"{room}/{name}.html").read_text("utf-8"))):
            held = act == "original" and room == "edit"  # for as long as it is pressed
            assert held or re.search(rf"\b{act}: \(", scripts), act


def test_both_sides_of_the_protocol_agree():
    source = MODULES["widgets/static/protocol.js"]
    (request,) = re.findall(r"@typedef \{object\} Request\n(.*?)\*/", source, re.DOTALL)
    fields = {field.name for field in dataclasses.fields(Request)}
    assert set(re.findall(r"@property \{.*\} \[(\w+)\]", request)) == fields
    hints = get_type_hints(Answer)
    assert set(re.findall(r'kind: "(\w+)"', source)) == set(get_args(hints["kind"]))
    (levels,) = re.findall(r"@typedef \{(.*)\} Level", source)
    assert set(re.findall(r'"(\w+)"', levels)) == set(get_args(hints["level"]))


def test_eslint_and_the_type_checker_find_nothing():
    """`make check` installs them where npm is."""
    npm = shutil.which("npm")
    if npm is None or not (ROOT / "node_modules").is_dir():
        pytest.skip("eslint and typescript are not installed: npm ci")
    done = subprocess.run([npm, "run", "--silent", "check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
