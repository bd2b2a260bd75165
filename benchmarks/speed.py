"""Speed and memory against the project's bars: `python benchmarks/speed.py --help`.

Each group of figures is measured in a process of its own, as memory, imports and first pages need.
The photos are synthetic; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from sair_core.evaluation.report import align, machine_facts  # noqa: E402
from sair_core.weights.bundled import BUNDLED_SAIR  # noqa: E402

WARM_RUNS = 5
ZOOM_SCALES = (1.05, 2.0, 4.0, 8.0, 20.5, 64.0)  # at 1 a view is the photo's own pixels
APP_STARTS = 2  # the first one warms the disk
APP_LIMIT_SECONDS = 120.0
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
    """Prints the figures; exit status 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=BUNDLED_SAIR, help="name, folder or hub id (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or mps (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="use this many, 0 = all (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file too")
    parser.add_argument("--child", choices=tuple(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--photo", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        print(json.dumps(CHILDREN[args.child](args)))
        return 0
    if Path(args.model).is_dir():
        args.model = str(Path(args.model).resolve())  # the children run in the repository's root
    limit_cores(args.cores)
    rows = [
        *small_fill(args),
        *large_fill(args),
        *naming(args),
        *viewing(args),
        *exporting(args),
        *imports(),
        app_start(args),
    ]
    facts = machine_facts()
    print(format_rows(rows))
    print("; ".join(f"{name}: {value}" for name, value in {**facts, "device": args.device}.items()))
    if args.json:
        figures = [{**asdict(row), "verdict": row.verdict} for row in rows]
        content = {"model": args.model, "device": args.device, "machine": facts, "figures": figures}
        args.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return int(any(row.verdict == "miss" for row in rows))


def format_rows(rows: Sequence[Row]) -> str:
    """The figures as a table."""
    table = [("figure", "verdict", "measured", "bar")]
    for row in rows:
        value = "not measured" if row.value is None else f"{row.value:.3g} {row.unit}"
        table.append((row.name, row.verdict, value, "" if row.bar is None else f"{row.bar:g} {row.unit}"))
    notes = dict.fromkeys(f"not measured: {row.note}" for row in rows if row.value is None)
    return "\n".join([align(table), *notes])


def limit_cores(cores: int) -> None:
    """Keeps this process and its children on `cores` cores where the system allows it."""
    if cores > 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def synthetic_photo(height: int, width: int) -> Image.Image:
    """A gradient with shapes and grain: size and content of a photo as far as codecs and crops care."""
    rng = np.random.default_rng(0)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    colours = np.array([[120, 170, 230], [90, 110, 60]], dtype=np.float32)
    ground = colours[0] * (1 - y) + colours[1] * y  # (H, 1, 3)
    photo = Image.fromarray(np.broadcast_to(ground, (height, width, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(photo)
    for _ in range(60):
        x, top = rng.uniform(0, width), rng.uniform(0, height)
        w, h = rng.uniform(0.02, 0.2, 2) * (width, height)
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, top, x + w, top + h), fill=tuple(int(v) for v in rng.integers(30, 230, 3)))
    pixels = np.asarray(photo)
    grain = rng.integers(-6, 7, (height, width, 1), dtype=np.int16)
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


def square_mask(height: int, width: int, side: int) -> np.ndarray:
    """bool (height, width), a square hole of `side` px in the middle."""
    mask = np.zeros((height, width), dtype=bool)
    top, left = (height - side) // 2, (width - side) // 2
    mask[top : top + side, left : left + side] = True
    return mask


# Measured in a fresh process each


def fill_small(args: argparse.Namespace) -> dict[str, float]:
    """Median seconds of warm fills by the model alone, 512 x 512 px, a tenth hole: a piece, and strokes."""
    from sair_core import InpaintPipeline
    from sair_core.photos.masks import irregular_mask

    pipe = InpaintPipeline.from_pretrained(args.model, device=args.device, texture=False)
    photo = synthetic_photo(512, 512)
    masks = {
        "object": square_mask(512, 512, side=round(512 * math.sqrt(0.1))),
        "strokes": irregular_mask(np.random.default_rng(0), (512, 512), (0.095, 0.105)),
    }
    seconds = {}
    for name, mask in masks.items():
        times = []
        for _ in range(1 + WARM_RUNS):
            began = time.perf_counter()
            pipe.fill(photo, mask)
            times.append(time.perf_counter() - began)
        seconds[name] = statistics.median(times[1:])
    return seconds


def fill_large(args: argparse.Namespace) -> dict[str, float]:
    """Seconds of the first and second fill of a photo file, and the process's peak memory in GB."""
    with Image.open(args.photo) as photo:
        width, height = photo.size
    mask = square_mask(height, width, side=400)
    began = time.perf_counter()
    from sair_core import InpaintPipeline

    pipe = InpaintPipeline.from_pretrained(args.model, device=args.device, texture=False)
    seconds = {"load": time.perf_counter() - began}
    for name in ("first", "second"):
        began = time.perf_counter()
        pipe.fill(args.photo, mask)
        seconds[name] = time.perf_counter() - began
    return {**seconds, "peak_gb": peak_memory_gb()}


def semantic_map(args: argparse.Namespace) -> dict[str, float]:
    """Seconds of a map with ten labels, 512 x 512 px, for a new photo, and with other labels on the same one.

    The encoder is loaded and warm; the labels are new each time.
    """
    from sair_core import InpaintPipeline
    from sair_core.semantics.words import vocabulary

    pipe = InpaintPipeline.from_pretrained(args.model, device=args.device)
    words = list(vocabulary("ade20k"))
    pipe.semantics(synthetic_photo(256, 256), words[:10])
    photo = np.asarray(synthetic_photo(512, 512))
    times: dict[str, list[float]] = {"first": [], "labels": []}
    for run in range(WARM_RUNS):
        for name in times:
            labels = [words.pop() for _ in range(10)]
            began = time.perf_counter()
            pipe.semantics(photo + np.uint8(run), labels)
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def peak_memory_gb() -> float:
    """Largest resident memory of this process so far, in GB (1e9 bytes)."""
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e9


def zoom(args: argparse.Namespace) -> dict[str, float]:
    """Seconds of views of 1024 x 768 px of a 12-megapixel photo by scale, features there, median and best;
    and of the first view, with features to compute."""
    from sair_core import InpaintPipeline
    from sair_core.photos.photo import load_photo

    pipe = InpaintPipeline.from_pretrained(args.model, device=args.device)
    photo = load_photo(synthetic_photo(3000, 4000))
    times: dict[float, list[float]] = {scale: [] for scale in ZOOM_SCALES}
    # In turn, so that what else the machine does falls on all scales alike.
    for _ in range(1 + 2 * WARM_RUNS):
        for scale, seconds in times.items():
            began = time.perf_counter()
            pipe.view(photo, centre_yx=(0.1, -0.2), scale=scale)
            seconds.append(time.perf_counter() - began)
    began = time.perf_counter()
    pipe.view(photo, centre_yx=(0.1, -0.2), scale=8, cache=type(pipe._cache)())
    return {
        "first": time.perf_counter() - began,
        **{f"{scale:g}": statistics.median(seconds[1:]) for scale, seconds in times.items()},
        **{f"best {scale:g}": min(seconds[1:]) for scale, seconds in times.items()},
    }


def export_large(args: argparse.Namespace) -> dict[str, float]:
    """Seconds, peak memory in GB and progress of the export of a 2-megapixel photo at x4; then how soon after
    the asking an export ends that is cancelled."""
    from sair_core import InpaintPipeline
    from sair_core.errors import CancelledError

    pipe = InpaintPipeline.from_pretrained(args.model, device=args.device)
    photo = synthetic_photo(1224, 1632)
    reports: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        height, width = pipe.export(
            photo, Path(folder) / "out.png", scale=4, progress=lambda share, text: reports.append(share)
        )
        seconds = time.perf_counter() - began
        asked: list[float] = []

        def cancelled() -> bool:
            if time.perf_counter() - began > 1.0 and not asked:
                asked.append(time.perf_counter())
            return bool(asked)

        began = time.perf_counter()
        with contextlib.suppress(CancelledError):
            pipe.export(
                photo, Path(folder) / "out.tif", scale=6, cache=type(pipe._cache)(), cancelled=cancelled
            )
        ended = time.perf_counter()
    return {
        "seconds": seconds, "megapixels": height * width / 1e6, "reports": len(set(reports)),
        "peak_gb": peak_memory_gb(), "cancel": ended - asked[0],
    }  # fmt: skip


CHILDREN = {
    "small": fill_small, "large": fill_large, "map": semantic_map, "zoom": zoom, "export": export_large
}  # fmt: skip

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
        Row("loading the model (torch's import included)", figures.get("load"), "s", None, note),
    ]


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


def first_page_seconds(args: argparse.Namespace) -> tuple[float | None, str]:
    """Starts the app on a free loopback port, waits for its page, and ends it again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--host", "127.0.0.1", "--port", str(port), "--model", args.model, "--device", args.device]
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    began = time.perf_counter()
    app = subprocess.Popen(
        [sys.executable, "app.py", *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while time.perf_counter() - began < APP_LIMIT_SECONDS:
            if app.poll() is not None:
                return None, f"app.py ended with status {app.returncode}"
            if page_answers(f"http://127.0.0.1:{port}/"):
                return time.perf_counter() - began, ""
            time.sleep(0.05)
        return None, f"no page within {APP_LIMIT_SECONDS:g} s"
    finally:
        stop(app)


def page_answers(url: str) -> bool:
    # Without the environment's proxies: they do not reach this machine's loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as response:
            return response.status == 200
    except OSError:  # URLError is one
        return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and what it started."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)  # it was started as leader of a session of its own
    else:
        process.kill()
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
