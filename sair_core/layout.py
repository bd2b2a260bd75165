"""In which memory format and precision networks run fastest on a processor: measured once and remembered."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from sair_core.cores import processor_name
from sair_core.devices import autocast, has_bf16
from sair_core.files import replacing

RUNS = 4  # of each candidate, in turn; the best one counts
CLEARLY = 1.2  # times as fast as usual is what another layout has to be: less may be chance
SIDE_PX, CHANNELS = 96, 64  # of the picture that is computed: some 10 ms on a core


@dataclass(frozen=True)
class Layout:
    """How networks compute. channels_last: the memory format; bf16: in bfloat16, else float32."""

    channels_last: bool
    bf16: bool

    @property
    def memory_format(self) -> torch.memory_format:
        """As torch calls it."""
        return torch.channels_last if self.channels_last else torch.contiguous_format


def memory_format_of(network: nn.Module) -> torch.memory_format:
    """Return the memory format in which a network's convolutions have their weights, and want pictures."""
    for weight in network.parameters():
        if weight.ndim == 4 and weight.shape[1] > 1 and weight[0, 0].numel() > 1:
            return torch.contiguous_format if weight.is_contiguous() else torch.channels_last
    return torch.channels_last


@functools.lru_cache
def choose_layout(device: torch.device) -> Layout:
    """Return the layout that is fastest on a device.

    A processor is measured when it is first asked about, which takes a fraction of a second, and what was
    found is kept in a file of the user, by processor, threads and version of torch. Other devices take the
    usual one.
    """
    usual = Layout(channels_last=True, bf16=has_bf16(device))
    if device.type != "cpu":
        return usual
    name = f"{processor_name()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    known = _read()
    if name not in known:
        known[name] = pick(measure(), usual)
        _write(known)
    return known[name]


def pick(seconds: Mapping[Layout, float], usual: Layout) -> Layout:
    """Return the fastest layout, or the usual one where that is not clearly slower."""
    best = min(seconds, key=lambda layout: seconds[layout])
    return best if seconds[usual] > CLEARLY * seconds[best] else usual


def measure() -> dict[Layout, float]:
    """Return the seconds that each layout takes on the processor for what encoders are made of: a dense
    convolution, a depthwise one, and products."""
    device = torch.device("cpu")
    precisions = (True, False) if has_bf16(device) else (False,)
    works = {
        layout: _build_work(layout)
        for layout in (Layout(last, bf16) for last in (True, False) for bf16 in precisions)
    }
    seconds = dict.fromkeys(works, float("inf"))
    for _ in range(1 + RUNS):
        for layout, work in works.items():
            began = time.perf_counter()
            work()
            seconds[layout] = min(seconds[layout], time.perf_counter() - began)
    return seconds


def _build_work(layout: Layout) -> Callable[[], object]:
    network = nn.Sequential(
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
        nn.Conv2d(CHANNELS, CHANNELS, 5, padding=2, groups=CHANNELS),
        nn.Conv2d(CHANNELS, 2 * CHANNELS, 1),
        nn.ReLU(),
        nn.Conv2d(2 * CHANNELS, CHANNELS, 1),
    ).to(memory_format=layout.memory_format)
    picture = torch.zeros(1, CHANNELS, SIDE_PX, SIDE_PX).contiguous(memory_format=layout.memory_format)

    @torch.inference_mode()
    def work() -> object:
        with autocast(torch.device("cpu"), layout.bf16):
            return network(picture)

    return work


def _file() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "sair-studio" / "layouts.json"


def _read() -> dict[str, Layout]:
    """Return what is remembered, by processor; nothing where there is no file, or one that is damaged."""
    try:
        content = json.loads(_file().read_text(encoding="utf-8"))
        return {name: Layout(**layout) for name, layout in content.items()}
    except (OSError, RuntimeError, ValueError, TypeError, AttributeError):  # RuntimeError: there is no home
        return {}


def _write(known: Mapping[str, Layout]) -> None:
    content = json.dumps({name: asdict(layout) for name, layout in known.items()}, indent=1)
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        with replacing(_file()) as temporary:
            temporary.write_text(content, encoding="utf-8")
    except (OSError, RuntimeError):  # measured again the next time
        return
