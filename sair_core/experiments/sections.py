"""A table or a figure as a section of the results: Markdown, and its files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sair_core.evaluation import report
from sair_core.experiments.figures import FIGURES, draw_figure
from sair_core.experiments.laboratory import Laboratory
from sair_core.experiments.miou import MIOU, measure_miou
from sair_core.experiments.pictures import draw_bars
from sair_core.experiments.tables import (
    PARTS,
    TABLES,
    Row,
    find_published,
    format_part,
    format_published,
    list_figures,
)
from sair_core.experiments.write import write_csv

COMPARED = ("sair-main", "spn-main")  # tables that methods of others join
BARS = ("spn-parts", "spn-teachers")  # what the SPN paper draws
EVERYTHING = (*TABLES, MIOU, *FIGURES)


def make_section(name: str, laboratory: Laboratory) -> tuple[str, bool]:
    """Return a table or figure as Markdown, and whether all of it could be had; its files are written."""
    if name in FIGURES:
        reason = draw_figure(name, laboratory)
        shown = f"![{name}](figures/{name}.png)" if reason is None else f"Not drawn: {reason}"
        return f"## {FIGURES[name].title}\n\n{shown}\n", reason is None
    return make_miou_table(laboratory) if name == MIOU else make_table(name, laboratory)


def make_table(name: str, laboratory: Laboratory) -> tuple[str, bool]:
    """Train and measure a table's rows, write its figures as CSV and return it as Markdown."""
    table = TABLES[name]
    others = tuple(laboratory.others) if name in COMPARED else ()
    rows = [laboratory.measure(method) for method in (*table.rows, *others)]
    write_csv(laboratory.output / "tables" / f"{name}.csv", list_figures(rows))
    lines = [f"## {table.title}", ""]
    for part in PARTS:
        cells = format_part(rows, part, table.bins)
        if cells:
            lines += [f"**{part[0].upper()}{part[1:]}**", "", report.markdown(cells), ""]
    lines += list_published(name, laboratory)
    notes = [f"{row.title} could not be had: {row.reason}" for row in rows if row.reason is not None]
    notes += [note for row in rows for one in row.measured for note in report.format_failures(one.failures)]
    if name in BARS:
        draw_table_bars(rows, laboratory.output / "figures" / f"{name}.png")
        lines += [f"![{name}](figures/{name}.png)", ""]
    return "\n".join([*lines, *(f"{note}\n" for note in notes)]), not notes


def make_miou_table(laboratory: Laboratory) -> tuple[str, bool]:
    """As `make_table`, of how well masked photos are named."""
    lines = ["## SAIR, Table 6: naming masked photos", ""]
    found = measure_miou(laboratory)
    if isinstance(found, str):
        return "\n".join([*lines, f"{found}\n"]), laboratory.preset.labelled is None
    write_csv(laboratory.output / "tables" / f"{MIOU}.csv", found)
    cells = [list(found[0]), *([str(value) for value in record.values()] for record in found)]
    lines += [report.markdown(cells), "", *list_published(MIOU, laboratory)]
    return "\n".join(lines), True


def list_published(name: str, laboratory: Laboratory) -> list[str]:
    """Return what the paper prints in a table, in lines."""
    lines = []
    for photos, published in find_published(name, laboratory.preset.published).items():
        lines += [f"*In the paper, {photos}*", "", report.markdown(format_published(published)), ""]
    return lines


def draw_table_bars(rows: Sequence[Row], path: Path) -> None:
    """Draw the figures over all holes as bars."""
    values: dict[str, dict[str, float]] = {}
    for row in rows:
        for summary in (one.summaries[-1] for one in row.measured[:1]):
            for title, _, get in PARTS["whole picture"].values():
                if (value := get(summary)) is not None:
                    values.setdefault(title, {})[row.title] = value
    if values:
        draw_bars(values, path)
