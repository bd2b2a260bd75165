"""An evaluation as text and as JSON."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from sair_core.cores import count_usable_cores, processor_name
from sair_core.evaluation.summary import Failure, Gain, Record, Summary, Tally
from sair_core.files import replacing

UNKNOWN = "-"
NOT_INSTALLED = "not installed"
FAILED = "failed"

Rows = Sequence[Sequence[str]]  # the first is the header


def fill_table(
    summaries: Sequence[Summary],
    *,
    inside: bool = False,
    with_lpips: bool = False,
    failures: Sequence[Failure] = (),
    without_features: str | None = None,
) -> Rows:
    """A row of cells a bin and method, under a header: of the whole pictures or inside the holes.

    Columns without any figure are left out, and LPIPS if asked for; a method that failed on every photo of a
    bin is a row that says so. without_features: what to say where features could not be measured.
    """
    rows: list[dict[str, str]] = []
    for row in summaries:
        part = row.hole if inside else row.whole
        features = {"Fréchet": _known(part.frechet, 3), "distance": _known(part.distance, 3)}
        if without_features is not None:
            features = dict.fromkeys(features, without_features)
        rows.append(
            {
                "hole %": row.bin,
                "method": row.method,
                "PSNR dB": f"{part.psnr_db:.2f}",
                "SSIM": f"{part.ssim:.4f}",
                "L1": f"{part.l1:.4f}",
                "LPIPS": _known(row.lpips) if with_lpips and not inside else UNKNOWN,
                "FID": UNKNOWN if inside else _known(row.fid, 2),
                **features,
                "gradients": _known(part.gradients, 2),
                "agreement": _known(part.agreement, 3),
                "s/fill": _known(row.seconds, 3),
                "photos": str(row.photos),
            }
        )
    for bin_name, method in _failed(summaries, failures):
        place = max((i + 1 for i, row in enumerate(rows) if row["hole %"] == bin_name), default=len(rows))
        rows.insert(place, {"hole %": bin_name, "method": method, "PSNR dB": FAILED, "photos": "0"})
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = [name for name in names if any(row.get(name, UNKNOWN) != UNKNOWN for row in rows)]
    return _each_bin_once([shown, *([row.get(name, UNKNOWN) for name in shown] for row in rows)])


def format_failures(failures: Sequence[Failure]) -> list[str]:
    """A line a method that failed: how often, and the first reason."""
    lines = []
    for method in dict.fromkeys(failure.method for failure in failures):
        reasons = [failure.reason for failure in failures if failure.method == method]
        lines.append(f"{method} failed on {len(reasons)} holes: {reasons[0]}")
    return lines


def format_drawn(summaries: Sequence[Summary]) -> str:
    """One line a bin and method that gave several samples: the best of them, and how they differ."""
    rows = [
        ("hole %", "method", "best of", "PSNR dB", "SSIM", "L1", "diversity L1", "LPIPS", "Fréchet of each")
    ]
    for row in summaries:
        if row.drawn is not None:
            best = row.drawn
            figures = f"{best.psnr_db:.2f}", f"{best.ssim:.4f}", f"{best.l1:.4f}", f"{best.diversity_l1:.4f}"
            each = " ".join(f"{distance:.3f}" for distance in best.frechet) or UNKNOWN
            rows.append(
                (row.bin, row.method, str(best.samples), *figures, _known(best.diversity_lpips), each)
            )
    return align(_each_bin_once(rows))


def format_gains(gains: Sequence[Gain]) -> str:
    """One line a bin: how much better than the best baseline, for PSNR and SSIM separately."""
    rows = [
        (
            f"gain over best baseline, {gain.bin} %:",
            gain.method,
            f"{gain.psnr_db:+.2f} dB ({gain.psnr_baseline}),",
            f"SSIM {gain.ssim:+.4f} ({gain.ssim_baseline})",
        )
        for gain in gains
    ]
    return align(rows, left_columns=4)


def _failed(summaries: Sequence[Summary], failures: Sequence[Failure]) -> list[tuple[str, str]]:
    """Bin and method of those that gave nothing there."""
    measured = {(row.bin, row.method) for row in summaries}
    return list(dict.fromkeys((f.bin, f.method) for f in failures if (f.bin, f.method) not in measured))


def _known(value: float | None, digits: int = 4) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def _each_bin_once(rows: Rows) -> Rows:
    """The first cell of a row left empty where it is that of the row above."""
    before = [None, *(row[0] for row in rows)]
    return [("" if row[0] == above else row[0], *row[1:]) for row, above in zip(rows, before)]


def markdown(rows: Rows) -> str:
    """Rows of cells as a Markdown table; the first two columns are flush left, the others flush right."""
    head, *rest = rows
    marks = [*[":--"] * 2, *["--:"] * (len(head) - 2)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *rest))


def align(rows: Rows, left_columns: int = 2) -> str:
    """Rows of cells as text; the first `left_columns` columns are flush left, the others flush right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = (
            cell.ljust(width) if i < left_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def machine_facts() -> dict[str, str | int]:
    """Processor, cores this process may use, operating system, Python and torch versions, date (UTC)."""
    return {
        "processor": processor_name(),
        "cores": count_usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": package_version("torch"),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def package_version(name: str) -> str:
    """Version of an installed package, without importing it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def as_json(
    settings: Mapping[str, object],
    facts: Mapping[str, object],
    summaries: Sequence[Summary],
    gains: Sequence[Gain],
    tally: Tally,
) -> dict[str, object]:
    """Everything, with the values of every single fill, ordered by photo; ready for `json.dumps`."""
    ordered = sorted(tally.records, key=lambda record: (record.photo_index, record.bin))
    return {
        **settings,
        "machine": dict(facts),
        "summary": [asdict(summary) for summary in summaries],
        "gain_over_best_baseline": [asdict(gain) for gain in gains],
        "fills": [asdict(record) for record in ordered],
        "failures": [asdict(failure) for failure in tally.failures],
    }


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """As `write_text`; a figure that is no finite number becomes null."""
    write_text(path, json.dumps(_finite(content), indent=1, allow_nan=False) + "\n")


def write_text(path: Path, content: str) -> None:
    """Write a whole file; its folder is made where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def seconds_per_fill(records: Sequence[Record]) -> dict[str, float]:
    """Mean seconds per fill of each method, over all bins, where they are known."""
    times: dict[str, list[float]] = {}
    for record in records:
        if record.seconds is not None:
            times.setdefault(record.method, []).append(record.seconds)
    return {method: math.fsum(values) / len(values) for method, values in times.items()}
