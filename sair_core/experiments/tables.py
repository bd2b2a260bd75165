"""The tables: which rows and figures each has, and their cells."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sair_core.evaluation.report import FAILED, UNKNOWN, Rows
from sair_core.evaluation.summary import ALL, Summary
from sair_core.experiments.published import PUBLISHED
from sair_core.experiments.published import Rows as PublishedRows
from sair_core.experiments.runs import Measured
from sair_core.experiments.variants import DEGRADATIONS

BASELINES = ("harmonic", "telea", "navier-stokes", "biharmonic", "patchmatch")

Get = Callable[[Summary], float | None]
Columns = Mapping[str, tuple[str, int, Get]]
# Titles and digits of figures, and where they stand in a summary; those of the hole alone have no place
# in "whole".
WHOLE: Columns = {
    "psnr_db": ("PSNR dB", 2, lambda s: s.whole.psnr_db),
    "ssim": ("SSIM", 4, lambda s: s.whole.ssim),
    "l1": ("L1", 4, lambda s: s.whole.l1),
    "lpips": ("LPIPS", 4, lambda s: s.lpips),
    "fid": ("FID", 2, lambda s: s.fid),
    "frechet": ("Fréchet", 3, lambda s: s.whole.frechet),
    "distance": ("distance", 3, lambda s: s.whole.distance),
}
HOLE: Columns = {
    "psnr_db": ("PSNR dB", 2, lambda s: s.hole.psnr_db),
    "ssim": ("SSIM", 4, lambda s: s.hole.ssim),
    "l1": ("L1", 4, lambda s: s.hole.l1),
    "frechet": ("Fréchet", 3, lambda s: s.hole.frechet),
    "distance": ("distance", 3, lambda s: s.hole.distance),
    "gradients": ("gradients", 2, lambda s: s.hole.gradients),
    "agreement": ("agreement", 3, lambda s: s.hole.agreement),
    "seconds": ("s/fill", 3, lambda s: s.seconds),
}
BEST: Columns = {
    "psnr_db": ("PSNR dB", 2, lambda s: s.drawn.psnr_db if s.drawn else None),
    "ssim": ("SSIM", 4, lambda s: s.drawn.ssim if s.drawn else None),
    "l1": ("L1", 4, lambda s: s.drawn.l1 if s.drawn else None),
    "diversity_l1": ("diversity L1", 4, lambda s: s.drawn.diversity_l1 if s.drawn else None),
    "diversity_lpips": ("diversity LPIPS", 4, lambda s: s.drawn.diversity_lpips if s.drawn else None),
}
PARTS = {"whole picture": WHOLE, "inside the hole": HOLE, "best of five, whole picture": BEST}


@dataclass(frozen=True)
class Table:
    """rows: variants (of `VARIANTS`) and methods of the evaluation, with a degradation behind them where
    photos meet one first ("telea noise:0.1"); bins: those that the paper prints, empty for all of them."""

    title: str
    rows: tuple[str, ...]
    bins: tuple[str, ...] = ()


TABLES = {
    "sair-main": Table("SAIR, Tables 1 and 2: comparison", (*BASELINES, "liif", "plain", "sair")),
    "sair-encoders": Table(
        "SAIR, Tables 4 and 5: encoders and implicit functions",
        ("edsr", "sem-edsr", "lte", "sem-lte"),
        (ALL,),
    ),
    "sair-semantics": Table(
        "SAIR, Table 6: semantic embeddings", ("plain", "nfs", "ous", "sam", "sair"), (ALL,)
    ),
    "degraded": Table(
        "Beyond holes: noise, blur and low resolution",
        tuple(
            f"{method} {one}" for one in DEGRADATIONS for method in ("harmonic", "telea", "sair", "restorer")
        ),
        (ALL,),
    ),
    "spn-main": Table(
        "SPN, Tables 1, 2 and 6: deterministic and probabilistic", (*BASELINES, "spl", "spn", "spn-drawn")
    ),
    "spn-scales": Table("SPN, Table 3: scales of the priors", ("spl", "spn-2-scales", "spn"), (ALL,)),
    "spn-blocks": Table("SPN, Table 4: SPADE ResBlocks", ("spn-4-blocks", "spn", "spn-12-blocks"), (ALL,)),
    "spn-targets": Table("SPN, Table 5: priors of another SPN as targets", ("spl", "spl-taught"), (ALL,)),
    "spn-parts": Table("SPN, Figure 7: its parts", ("spn", "spn-untaught", "spl", "spn-concat"), (ALL,)),
    "spn-teachers": Table(
        "SPN, Figure 8: its teachers", ("spn", "spn-clip", "spn-edges", "spn-random"), (ALL,)
    ),
}


@dataclass(frozen=True)
class Row:
    """A method of a table: what was measured of it, once a seed, or why there is nothing."""

    title: str
    measured: tuple[Measured, ...] = ()
    reason: str | None = None


def format_part(rows: Sequence[Row], part: str, bins: Sequence[str] = ()) -> Rows:
    """Return the cells of one part of a table, a row a bin and method under a header.

    Of several seeds there is the mean, and the standard deviation behind it. Columns without any figure are
    left out, and so are all rows where no method has any.
    """
    columns = PARTS[part]
    found: list[dict[str, str]] = []
    for name in bins or _list_bins(rows):
        for row in rows:
            cells = _format_row(
                row, [s for one in row.measured for s in one.summaries if s.bin == name], columns
            )
            if cells:
                found.append({"hole %": name, "method": row.title, **cells})
    return to_cells(found) if any(FAILED not in cells.values() for cells in found) else []


def _format_row(row: Row, summaries: Sequence[Summary], columns: Columns) -> dict[str, str]:
    """Cells by title; none where a method has no such figures."""
    if not summaries:
        return {"PSNR dB": FAILED}
    cells = {}
    for title, digits, get in columns.values():
        values = [value for summary in summaries if (value := get(summary)) is not None]
        if values:
            cells[title] = format_mean(values, digits)
    parameters = row.measured[0].parameters
    if cells and parameters is not None:
        cells["parameters"] = f"{parameters / 1e6:.1f} M"
    return cells


def format_published(rows: PublishedRows) -> Rows:
    """Return the cells of what a paper prints."""
    found = []
    for (name, method), figures in rows.items():
        cells = {"hole %": name, "method": method}
        for key, value in figures.items():
            title, digits = ("mIoU", 2) if key == "miou" else WHOLE[key][:2]
            cells[title] = f"{value:.{min(digits, 4)}f}"
        found.append(cells)
    return to_cells(found)


def find_published(table: str, sets: Sequence[str]) -> dict[str, PublishedRows]:
    """Return what was published for a table, by set of photos."""
    return {name: rows for name, rows in PUBLISHED.get(table, {}).items() if name in sets}


def list_figures(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return every figure of every row as a record; "run" is the place of its seed."""
    records = []
    for row in rows:
        for run, one in enumerate(row.measured):
            for summary in one.summaries:
                for part, columns in PARTS.items():
                    for name, (_, _, get) in columns.items():
                        value = get(summary)
                        if value is not None:
                            place = {"part": part, "hole %": summary.bin, "method": row.title, "run": run}
                            records.append({**place, "figure": name, "value": value})
    return records


def format_mean(values: Sequence[float], digits: int) -> str:
    """Return the mean, and the standard deviation of several values behind it."""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ±{statistics.stdev(values):.{digits}f}"


def to_cells(rows: Sequence[Mapping[str, str]]) -> Rows:
    """Return a header and the rows below it; a cell that a row lacks is a dash."""
    titles = list(dict.fromkeys(title for row in rows for title in row))
    return [titles, *([row.get(title, UNKNOWN) for title in titles] for row in rows)]


def _list_bins(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(s.bin for row in rows for one in row.measured for s in one.summaries))
