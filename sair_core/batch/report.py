"""The report of a folder: one JSON line a file, which is also the memory of what is done."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sair_core.files import replacing

REPORT_NAME = "report.jsonl"
DONE, SKIPPED, FAILED, LEFT_OUT = "done", "skipped", "failed", "left out"


@dataclass(frozen=True)
class Line:
    """What became of one file.

    name: of the photo and the result. status: DONE, SKIPPED (done by an earlier run), FAILED or LEFT_OUT (no
    photo, or a mask). reason: why it failed or was left out, or what is to be known of the result. key: what
    the result was made from, empty where that could not be read.
    """

    name: str
    status: str
    reason: str = ""
    seconds: float = 0.0
    key: str = ""

    def json(self) -> str:
        """One line of text. Bytes of a name that are no UTF-8 become escapes, which `parse` reads back."""
        text = json.dumps(dataclasses.asdict(self), ensure_ascii=False)
        return text.encode("utf-8", "backslashreplace").decode()


def parse(text: str) -> Line | None:
    """A line from its JSON; None where the run was killed while it wrote it."""
    try:
        return Line(**json.loads(text))
    except (ValueError, TypeError):
        return None


class Report:
    """`REPORT_NAME` in a folder. `known`: the newest line of every file, by name."""

    def __init__(self, folder: Path):
        self.path = folder / REPORT_NAME
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.is_file() else ""
        lines = (parse(line) for line in text.split("\n"))
        self.known = {line.name: line for line in lines if line is not None}
        # Whole lines only, one a file, also where the run before this one was killed.
        self.tidy(self.known)

    def add(self, line: Line) -> None:
        """Append a line; a run that is killed later has it."""
        self.known[line.name] = line
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line.json() + "\n")

    def key_of(self, name: str) -> str:
        """What the finished result of that name was made from; empty where there is none."""
        line = self.known.get(name)
        return line.key if line is not None and line.status in (DONE, SKIPPED) else ""

    def tidy(self, names: Iterable[str]) -> None:
        """One line a file: these names in this order, then the others that the folder has had."""
        order = dict.fromkeys([*(n for n in names if n in self.known), *self.known])
        with replacing(self.path) as temporary:
            lines = (self.known[name].json() + "\n" for name in order)
            temporary.write_text("".join(lines), encoding="utf-8")
