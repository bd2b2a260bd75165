"""Figures in the documentation stand beside the commands that print them, and those print such columns."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sair_core.errors import MissingDependencyError
from sair_core.evaluation import measure
from tests.test_documented_commands import PAGES, ROOT, documented

HEADING = re.compile(r"(?m)^(?=#{1,4} )")
COMMAND = re.compile(r"(?:\bsair [a-z]+|python (?:-m [\w.]+|[\w/]+\.py)) ")
FIGURE = re.compile(r"\d\.\d")
LIMITS = {"docs/space.md"}  # what is allowed there is set, not measured
BINS = ("0-20", "20-40", "40-60")
# Columns as tables in the documentation call them, and as commands print them.
COLUMNS = {
    "PSNR-Y": "PSNR-Y", "PSNR": "PSNR dB", "SSIM": "SSIM", "L1": "L1", "Fréchet": "Fréchet",
    "distance": "distance", "gradients": "gradients", "accuracy": "accuracy", "mean IoU": "mIoU",
    "top-1": "top-1", "top-3": "top-3", "1 click": "1 click", "3 clicks": "3 clicks", "5 clicks": "5 clicks",
    "0-20 %": "0-20", "20-40 %": "20-40", "40-60 %": "40-60", "x2": "x2", "x4": "x4",
}  # fmt: skip
# What a kind of command is about: the table nearest to it may be another's.
PRINTED = {
    "sair_core.evaluation": {"PSNR dB", "SSIM", "L1", "Fréchet", "distance", "gradients", *BINS},
    "sair_core.evaluation.zoom": {"PSNR-Y", "x2", "x4"},
    "sair_core.evaluation.semantics": {"accuracy", "mIoU", "top-1", "top-3"},
    "sair_core.evaluation.selection": {"1 click", "3 clicks", "5 clicks"},
}
HEIGHT, WIDTH = 144, 160


def sections() -> list[tuple[str, str]]:
    """Where each section of the documentation stands, and its text."""
    return [
        (str(page.relative_to(ROOT)), text)
        for page in PAGES
        for text in HEADING.split(page.read_text(encoding="utf-8"))
    ]


def read_headers(text: str) -> list[str]:
    """The header lines of a section's tables that hold figures."""
    lines = text.splitlines()
    rules = [i for i, line in enumerate(lines) if re.fullmatch(r"\|[\s:|-]+\|", line)]
    return [lines[i - 1] for i in rules if len(FIGURE.findall(" ".join(lines[i + 1 : i + 4]))) > 3]


def test_every_table_of_figures_stands_beside_its_command():
    tables = [(page, text) for page, text in sections() if read_headers(text) and page not in LIMITS]
    assert len(tables) > 8
    alone = {f"{page}: {text.splitlines()[0]}" for page, text in tables if not COMMAND.search(text)}
    assert not alone


def printing() -> dict[str, tuple[str, list[str], set[str]]]:
    """By the command as it is shown: its module, its arguments, and the columns of the tables beside it.

    Of commands that read the data beside the checkout and need no training first.
    """
    found: dict[str, tuple[str, list[str], set[str]]] = {}
    for where, module, words in documented():
        page, _, line = where.partition(": ")
        arguments = [word.replace("$D", "../shared/data") for word in words]
        text = " ".join(arguments)
        if module.startswith("sair_core.evaluation") and "../shared/data" in text and "runs/" not in text:
            _, _, before = found.get(f"{module} {text}", ("", [], set()))
            # What is drawn or saved is looked at elsewhere.
            drawn = {"--sheet", "--save-fills"} & set(words)
            columns = set() if drawn else find_columns(page, line) & PRINTED.get(module, set())
            columns -= set(BINS if "objects" in words else ())
            found[f"{module} {text}"] = module, arguments, before | columns
    return found


def find_columns(page: str, line: str) -> set[str]:
    """The columns of the tables above and below a command in its section."""
    begin = " ".join(line.split())[:45]
    for where, section in sections():
        text = " ".join(section.split())
        if where == page and begin in text:
            headers = [" ".join(header.split()) for header in read_headers(section)]
            above = sum(text.find(header) < text.find(begin) for header in headers)
            head = " ".join(headers[max(0, above - 1) : above + 1])
            return {shown for name, shown in COLUMNS.items() if name in head}
    return set()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder beside the data in miniature: skies and lawns with a car, as photos of cats are called."""
    rng = np.random.default_rng(0)
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[HEIGHT // 2 :] = 1
    ids[80:120, 60:110] = 2
    colours = np.uint8([(120, 170, 230), (60, 140, 50), (180, 30, 30)])
    for part in ("scenes/train", "scenes/val", "labelled/train", "labelled/val", "masks"):
        folder = tmp_path / "shared" / "data" / part
        folder.mkdir(parents=True)
        for i in range(2):
            name = f"imagenetsample_n02123045_tabby_{i}"
            if part == "masks":
                Image.fromarray((ids == 2).astype(np.uint8) * 255).save(folder / f"{name}.png")
                continue
            rgb = colours[ids] + rng.normal(0, 12, (HEIGHT, WIDTH, 3))
            Image.fromarray(rgb.clip(0, 255).astype(np.uint8)).save(folder / f"{name}.jpg")
            if part.startswith("labelled"):
                Image.fromarray(ids).save(folder / f"{name}.png")
    classes = [{"id": i, "name": name} for i, name in enumerate(("sky", "grass", "car"))]
    (tmp_path / "shared" / "data" / "labelled" / "classes.json").write_text(json.dumps({"classes": classes}))
    work = tmp_path / "checkout"
    work.mkdir()
    monkeypatch.chdir(work)

    def unavailable() -> None:
        raise MissingDependencyError("no network in a test.")

    for name in ("load_lpips", "load_inception"):
        monkeypatch.setattr(measure, name, unavailable)
    return work


def limit(arguments: list[str]) -> list[str]:
    """The same command for one photo."""
    if "--sheet" in arguments:
        return arguments
    if "--limit" in arguments:
        place = arguments.index("--limit")
        arguments = arguments[:place] + arguments[place + 2 :]
    return [*arguments, "--limit", "1"]


@pytest.mark.slow
@pytest.mark.parametrize("command", [pytest.param(one, id=key) for key, one in printing().items()])
def test_the_command_prints_the_columns_that_are_shown(command, checkout, capsys):
    module, arguments, columns = command
    name = f"{module}.__main__" if (ROOT / Path(*module.split("."))).is_dir() else module
    assert import_module(name).main(limit(arguments)) in (0, 1)  # 1: below a bar that is for real photos
    out = capsys.readouterr().out
    assert not {column for column in columns if column not in out}


def test_enough_of_them_are_run():
    found = printing()
    shown = {module.rpartition(".")[2] for module, _, columns in found.values() if columns}
    assert len(found) > 8 and shown == {name.rpartition(".")[2] for name in PRINTED}
