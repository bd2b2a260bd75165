"""An evaluation as text and as JSON."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from sair_core.evaluation.summary import Gain, Record, Summary
from sair_core.files import replacing

HEADER = ("hole %", "method", "PSNR dB", "SSIM", "L1", "LPIPS", "s/fill", "photos", "sharpness")


def format_table(summaries: Sequence[Summary], with_lpips: bool) -> str:
    """One line a bin and method. Without LPIPS its column is left out, likewise that of the sharpness."""
    rows = [HEADER]
    for row in summaries:
        rows.append(
            (
                row.bin,
                row.method,
                f"{row.psnr_db:.2f}",
                f"{row.ssim:.4f}",
                f"{row.l1:.4f}",
                _known(row.lpips),
                f"{row.seconds:.3f}",
                str(row.photos),
                _known(row.sharpness, 2),
            )
        )
    left_out = set() if with_lpips else {"LPIPS"}
    if all(row.sharpness is None for row in summaries):
        left_out.add("sharpness")
    columns = [i for i, name in enumerate(HEADER) if name not in left_out]
    return align([[row[i] for i in columns] for row in _each_bin_once(rows)])


def format_drawn(summaries: Sequence[Summary]) -> str:
    """One line a bin and method that gave several samples: the best of them, and how they differ."""
    rows = [("hole %", "method", "best of", "PSNR dB", "SSIM", "L1", "diversity L1", "LPIPS")]
    for row in summaries:
        if row.drawn is not None:
            best = row.drawn
            figures = f"{best.psnr_db:.2f}", f"{best.ssim:.4f}", f"{best.l1:.4f}", f"{best.diversity_l1:.4f}"
            rows.append((row.bin, row.method, str(best.samples), *figures, _known(best.diversity_lpips)))
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


def _known(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _each_bin_once(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The first cell of a row left empty where it is that of the row above."""
    before = [None, *(row[0] for row in rows)]
    return [("" if row[0] == above else row[0], *row[1:]) for row, above in zip(rows, before)]


def align(rows: Sequence[Sequence[str]], left_columns: int = 2) -> str:
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
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": package_version("torch"),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def processor_name() -> str:
    """The processor's trade name where the system tells it, else its architecture."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores this process may run on (fewer than the machine has, inside a container or under taskset)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    records: Sequence[Record],
) -> dict[str, object]:
    """Everything, with the values of every single fill, ordered by photo; ready for `json.dumps`."""
    ordered = sorted(records, key=lambda record: (record.photo_index, record.bin))
    return {
        **settings,
        "machine": dict(facts),
        "summary": [asdict(summary) for summary in summaries],
        "gain_over_best_baseline": [asdict(gain) for gain in gains],
        "fills": [asdict(record) for record in ordered],
    }


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Makes the folder where needed; a figure that is no finite number becomes null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(_finite(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def seconds_per_fill(records: Sequence[Record]) -> dict[str, float]:
    """Mean seconds per fill of each method, over all bins."""
    times: dict[str, list[float]] = {}
    for record in records:
        times.setdefault(record.method, []).append(record.seconds)
    return {method: math.fsum(values) / len(values) for method, values in times.items()}
