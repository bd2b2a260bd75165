"""Results as files: Markdown of all, CSV of a table's figures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sair_core.errors import DataError
from sair_core.evaluation import report
from sair_core.experiments.laboratory import Laboratory
from sair_core.training.curves import read_log
from sair_core.training.monitor import PROGRESS_NAME, format_duration

RESULTS_NAME = "results.md"


def write_results(laboratory: Laboratory, title: str, sections: Sequence[str]) -> Path:
    """Write `results.md`, what there is so far and how it came about; return its path."""
    _, missing = laboratory.measures
    photos = f"{len(laboratory.samples)} photos of {laboratory.preset.size_px} px; masks: {laboratory.masks}"
    head = [
        f"# {title}",
        f"{photos}, those of manifest.json. Models alone: no seam removal, no texture.",
        *missing.values(),
    ]
    tail = ["; ".join(f"{name}: {value}" for name, value in report.machine_facts().items())]
    if laboratory.commands:
        rows = [["training", "time", "L1 of colour at its end", "command"]]
        for run, command in laboratory.commands.items():
            folder = laboratory.output / "runs" / run
            rows.append([run, _read_duration(folder), _read_colour_loss(folder), f"`{command}`"])
        tail = ["## Trainings", report.markdown(rows), *tail]
    parts = [part.strip("\n") for part in (*head, *sections, *tail)]
    path = laboratory.output / RESULTS_NAME
    report.write_text(path, "\n\n".join(parts) + "\n")
    return path


def write_csv(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write records as CSV, a column for each key of the first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]) if records else ["method"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    report.write_text(path, text.getvalue())


def _read_duration(run: Path) -> str:
    """How long a training took in steps, "-" where nobody knows."""
    try:
        return format_duration(json.loads((run / PROGRESS_NAME).read_text("utf-8"))["seconds"])
    except (OSError, ValueError, KeyError):
        return report.UNKNOWN


def _read_colour_loss(run: Path) -> str:
    """The mean L1 of colour before the last validation of a training, "-" where it has none.

    It says whether an encoder has learned to repeat what is in view, before what it makes of a hole counts.
    """
    try:
        values = [row["colour_loss"] for row in read_log(run) if "colour_loss" in row]
    except DataError:
        return report.UNKNOWN
    return f"{values[-1]:.3f}" if values else report.UNKNOWN
