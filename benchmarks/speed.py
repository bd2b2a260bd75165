"""Speed and memory against the project's bars: `python benchmarks/speed.py --help`.

Each group of figures is measured in a process of its own, as memory, imports and first pages need.
The photos are synthetic; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from benchmarks.first_page import first_page_seconds  # noqa: E402
from benchmarks.machine import limit_cores, name_device, synthetic_photo, write_section  # noqa: E402
from benchmarks.speed_work import CHILDREN, ZOOM_SCALES  # noqa: E402
from sair_core.devices import pick_device  # noqa: E402
from sair_core.errors import SairError  # noqa: E402
from sair_core.evaluation.report import align, machine_facts  # noqa: E402
from sair_core.weights.bundled import BUNDLED_SAIR  # noqa: E402

APP_STARTS = 2  # the first one warms the disk
CHILD_LIMIT_SECONDS = 600.0


@dataclass(frozen=True)
class Row:
    """One measured figure. `value` is None if it could not be measured, then `note` says why."""

    name: str
    value: float | None
    unit: str
    bar: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """pass, miss, or empty for a figure without a bar."""
        if self.bar is None:
            return ""
        return "miss" if self.value is None or self.value > self.bar else "pass"


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the figures; exit status 1 if a bar is missed, 2 without the device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=BUNDLED_SAIR, help="name, folder or hub id (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or mps (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="use this many, 0 = all (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file too")
    parser.add_argument(
        "--stages", action="store_true", help="where the time of each kind of work goes, instead"
    )
    parser.add_argument(
        "--side", type=int, default=512, help="with --stages: of the photo, px (default: %(default)s)"
    )
    parser.add_argument(
        "--runs", type=int, default=5, help="with --stages: that are timed (default: %(default)s)"
    )
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="with --stages: write its section `stages` anew"
    )
    parser.add_argument("--child", choices=tuple(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--photo", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        print(json.dumps(CHILDREN[args.child](args)))
        return 0
    try:
        args.device = str(pick_device(args.device))
    except SairError as error:
        print(error, file=sys.stderr)
        return 2
    if Path(args.model).is_dir():
        args.model = str(Path(args.model).resolve())  # the children run in the repository's root
    limit_cores(args.cores)
    if args.stages:
        return show_stages(args)
    rows = [
        *small_fill(args),
        *large_fill(args),
        *naming(args),
        *viewing(args),
        *exporting(args),
        *imports(),
        app_start(args),
    ]
    facts = {**machine_facts(), "device": name_device(args.device)}
    print(format_rows(rows))
    print("; ".join(f"{name}: {value}" for name, value in facts.items()))
    if args.json:
        figures = [{**asdict(row), "verdict": row.verdict} for row in rows]
        content = {"model": args.model, "device": args.device, "machine": facts, "figures": figures}
        args.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return int(any(row.verdict == "miss" for row in rows))


def show_stages(args: argparse.Namespace) -> int:
    """Print where the time goes; in this process."""
    import torch

    from benchmarks import stage_times

    torch.set_num_threads(args.cores or torch.get_num_threads())
    facts = {**machine_facts(), "threads": torch.get_num_threads(), "device": name_device(args.device)}
    text = f"{stage_times.main(args)}\n\n{'; '.join(f'{name}: {value}' for name, value in facts.items())}"
    print(text)
    if args.page:
        write_section(args.page, "stages", text)
    return 0


def format_rows(rows: Sequence[Row]) -> str:
    """The figures as a table."""
    table = [("figure", "verdict", "measured", "bar")]
    for row in rows:
        value = "not measured" if row.value is None else f"{row.value:.3g} {row.unit}"
        table.append((row.name, row.verdict, value, "" if row.bar is None else f"{row.bar:g} {row.unit}"))
    notes = dict.fromkeys(f"not measured: {row.note}" for row in rows if row.value is None)
    return "\n".join([align(table), *notes])


# Seconds of `import sair_core`, then of what the pipeline itself imports once torch is there.
IMPORTS = """
import json, time
began = time.perf_counter()
import sair_core
package = time.perf_counter() - began
import torch
began = time.perf_counter()
sair_core.InpaintPipeline
print(json.dumps({"package": package, "pipeline": time.perf_counter() - began}))
"""


# The parent's side


def run_child(command: Sequence[str]) -> tuple[dict[str, float], str]:
    """What the child printed as JSON on its last line, or nothing and the last line of its complaint."""
    try:
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, timeout=CHILD_LIMIT_SECONDS, cwd=ROOT
        )
    except subprocess.TimeoutExpired:
        return {}, f"no answer within {CHILD_LIMIT_SECONDS:g} s"
    if done.returncode:
        return {}, (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return json.loads(done.stdout.splitlines()[-1]), ""


def fill_command(args: argparse.Namespace, child: str) -> list[str]:
    return [__file__, "--child", child, "--model", args.model, "--device", args.device]


def small_fill(args: argparse.Namespace) -> list[Row]:
    """512 x 512 px, warm."""
    seconds, note = run_child(fill_command(args, "small"))
    name = "512 x 512 px photo, 10 % hole, warm, {}"
    return [
        Row(name.format("one object"), seconds.get("object"), "s", 1.5, note),
        Row(name.format("brush strokes"), seconds.get("strokes"), "s", 1.5, note),
    ]


def large_fill(args: argparse.Namespace) -> list[Row]:
    """12 megapixels from a JPEG file: time (decoding included) and peak memory (everything included)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        synthetic_photo(3000, 4000).save(path, quality=92)
        figures, note = run_child([*fill_command(args, "large"), "--photo", str(path)])
    return [
        Row("4000 x 3000 px photo, 400 x 400 px hole, first fill", figures.get("first"), "s", 4.0, note),
        Row("the same, second fill", figures.get("second"), "s", None, note),
        Row("the same, peak resident memory", figures.get("peak_gb"), "GB", 2.5, note),
        *gpu_memory(args, figures, note),
        Row("loading the model (torch's import included)", figures.get("load"), "s", None, note),
    ]


def gpu_memory(args: argparse.Namespace, figures: dict[str, float], note: str) -> list[Row]:
    """What a child took of the GPU's memory, on a GPU."""
    if not args.device.startswith("cuda"):
        return []
    return [Row("the same, peak GPU memory", figures.get("peak_gpu_gb"), "GB", None, note)]


def naming(args: argparse.Namespace) -> list[Row]:
    """Semantic maps of 512 x 512 px with ten labels."""
    seconds, note = run_child(fill_command(args, "map"))
    name = "semantic map of 512 x 512 px, 10 labels, {}"
    return [
        Row(name.format("new photo"), seconds.get("first"), "s", 1.5, note),
        Row(name.format("other labels"), seconds.get("labels"), "s", 0.3, note),
    ]


def viewing(args: argparse.Namespace) -> list[Row]:
    """Views of a 12-megapixel photo at several scales, and how much the time depends on the scale."""
    seconds, note = run_child(fill_command(args, "zoom"))
    name = "view of 1024 x 768 px of 4000 x 3000 px at x{}, features there"
    rows = [Row(name.format(f"{s:g}"), seconds.get(f"{s:g}"), "s", 0.6, note) for s in ZOOM_SCALES]
    # Of the best run each: what differs from run to run is the machine, not the scale.
    warm = [seconds[f"best {s:g}"] for s in ZOOM_SCALES if f"best {s:g}" in seconds]
    spread = max(warm) / min(warm) - 1 if warm else None
    return [
        *rows,
        Row(
            "the slowest of these over the fastest",
            None if spread is None else 100 * spread,
            "% more",
            20,
            note,
        ),
        Row("the first view at x8, features computed", seconds.get("first"), "s", None, note),
    ]


def exporting(args: argparse.Namespace) -> list[Row]:
    """Two megapixels at x4."""
    figures, note = run_child(fill_command(args, "export"))
    name = "export of 1632 x 1224 px at x4 (32 megapixels), {}"
    return [
        Row(name.format("PNG"), figures.get("seconds"), "s", None, note),
        Row(name.format("peak resident memory"), figures.get("peak_gb"), "GB", 1.5, note),
        *gpu_memory(args, figures, note),
        Row(name.format("different progress reports"), figures.get("reports"), "", None, note),
        Row("a cancelled export ends within", figures.get("cancel"), "s", 1.0, note),
    ]


def imports() -> list[Row]:
    """Median of three fresh interpreters after one that warms the disk."""
    runs = [run_child(["-c", IMPORTS]) for _ in range(4)][1:]
    note = next((note for _, note in runs if note), "")
    rows = []
    for key, name, bar in (
        ("package", "import sair_core", 0.3),
        ("pipeline", "from sair_core import InpaintPipeline, torch imported before", None),
    ):
        seconds = [figures[key] for figures, _ in runs if figures]
        rows.append(Row(name, statistics.median(seconds) if seconds else None, "s", bar, note))
    return rows


def app_start(args: argparse.Namespace) -> Row:
    """From `python app.py` to the answer of GET /, warm disk."""
    name, bar = "python app.py to the first page", 15.0
    if not (ROOT / "app.py").is_file():
        return Row(name, None, "s", bar, f"no app.py in {ROOT}")
    seconds, note = None, ""
    for _ in range(APP_STARTS):
        seconds, note = first_page_seconds(args)
    return Row(name, seconds, "s", bar, note)


if __name__ == "__main__":
    sys.exit(main())
