"""What memory format, precision and torch.compile are worth: `python benchmarks/backends.py [--device cuda]`.

Medians of interleaved runs of the bundled encoders on one picture. Compilation has to be 1.3 times as fast
after a start of under five seconds, or a fill does without it (docs/performance.md).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run from anywhere, installed or not

from benchmarks.machine import as_markdown, name_device  # noqa: E402
from sair_core.devices import autocast, has_bf16, pick_device  # noqa: E402
from sair_core.evaluation.report import machine_facts  # noqa: E402
from sair_core.layout import Layout  # noqa: E402
from sair_core.models.load import load_model  # noqa: E402
from sair_core.weights.bundled import BUNDLED_SAIR  # noqa: E402

Run = Callable[[], object]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or mps (default: %(default)s)")
    parser.add_argument("--side", type=int, default=256, help="of the picture, px (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=7, help="that are timed (default: %(default)s)")
    args = parser.parse_args(argv)
    device = pick_device(args.device)
    model = load_model(BUNDLED_SAIR).to(device)
    encoders = {"U-Net": model.appearance_encoder, "semantic encoder": model.semantic_encoder}
    rows = [("", "layout", "ms", "compiled, times as fast", "start, s")]
    for name, encoder in encoders.items():
        rows += [(name, *row) for row in measure(encoder, device, args.side, args.runs)]
    print(as_markdown(rows))
    facts = {**machine_facts(), "threads": torch.get_num_threads(), "device": name_device(str(device))}
    print("; ".join(f"{fact}: {value}" for fact, value in facts.items()))
    return 0


def measure(
    encoder: nn.Module, device: torch.device, side: int, runs: int
) -> list[tuple[str, str, str, str]]:
    """Return a row for each layout; with what compilation is worth for the usual one."""
    layouts = [Layout(last, bf16) for bf16 in {has_bf16(device), False} for last in (True, False)]
    usual = Layout(channels_last=True, bf16=has_bf16(device))
    works: dict[object, Run] = {one: prepare(encoder, one, device, side) for one in layouts}
    works["compiled"] = compiled = prepare(encoder, usual, device, side, torch.compile)
    began = time.perf_counter()
    compiled()
    start = time.perf_counter() - began
    seconds = time_in_turn(works, runs)
    rows = []
    for one in layouts:
        name = (
            f"{'channels-last' if one.channels_last else 'contiguous'}, {'bf16' if one.bf16 else 'float32'}"
        )
        gain = (f"{seconds[one] / seconds['compiled']:.2f}", f"{start:.1f}") if one == usual else ("", "")
        rows.append((name, f"{1000 * seconds[one]:.1f}", *gain))
    return rows


def prepare(
    encoder: nn.Module,
    layout: Layout,
    device: torch.device,
    side: int,
    wrap: Callable[[nn.Module], Callable[[Tensor, Tensor], Tensor]] = lambda network: network,
) -> Run:
    """Return one run of an encoder in a layout, which waits for its end."""
    network = wrap(deepcopy(encoder).to(memory_format=layout.memory_format))
    rgb01 = torch.rand(1, 3, side, side, device=device).contiguous(memory_format=layout.memory_format)
    hole01 = torch.zeros(1, 1, side, side, device=device)

    @torch.inference_mode()
    def run() -> None:
        with autocast(device, layout.bf16):
            network(rgb01, hole01)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return run


def time_in_turn(works: Mapping[object, Run], runs: int) -> dict[object, float]:
    """Return the median seconds of each work; one run before that warms up."""
    seconds: dict[object, list[float]] = {name: [] for name in works}
    for i in range(1 + runs):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if i:
                seconds[name].append(time.perf_counter() - began)
    return {name: median(times) for name, times in seconds.items()}


if __name__ == "__main__":
    sys.exit(main())
