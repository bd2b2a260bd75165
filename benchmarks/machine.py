"""What the benchmarks share: photos and holes to measure with, and the machine that they are measured on."""

from __future__ import annotations

import gc
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLEAR_PEAK = "5"  # written to /proc/self/clear_refs: the peak of resident memory is counted anew (proc(5))


def limit_cores(cores: int) -> None:
    """Keep this process and its children on `cores` cores where the system allows it."""
    if cores > 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def synthetic_photo(height: int, width: int) -> Image.Image:
    """Return a gradient with shapes and grain: like a photo as far as codecs and crops care."""
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
    """Return bool (height, width), a square hole of `side` px in the middle."""
    mask = np.zeros((height, width), dtype=bool)
    top, left = (height - side) // 2, (width - side) // 2
    mask[top : top + side, left : left + side] = True
    return mask


def clear_peak() -> None:
    """Count the peak of this process's memory anew, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text(CLEAR_PEAK)
    except OSError:  # it is that of the whole process then
        return


def memory_gb() -> float:
    """Return the resident memory of this process in GB (1e9 bytes)."""
    return _read_status("VmRSS") or peak_memory_gb()


def peak_memory_gb() -> float:
    """Return the largest resident memory of this process since `clear_peak`, in GB."""
    peak = _read_status("VmHWM")
    if peak:
        return peak
    import resource  # not on Windows

    return (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    )


def peaks_gb(device: str) -> dict[str, float]:
    """Return the largest memory of this process so far in GB, and of what it took of a GPU."""
    peaks = {"peak_gb": peak_memory_gb()}
    if device.startswith("cuda"):
        import torch

        peaks["peak_gpu_gb"] = torch.cuda.max_memory_allocated(device) / 1e9
    return peaks


@contextmanager
def extra_memory(device: str = "cpu") -> Iterator[list[float]]:
    """Append the GB that the block takes at its peak: of the GPU's memory, or of the process."""
    taken: list[float] = []
    gc.collect()
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        before_gb = torch.cuda.memory_allocated(device) / 1e9
        yield taken
        taken.append(torch.cuda.max_memory_allocated(device) / 1e9 - before_gb)
        return
    clear_peak()
    before_gb = memory_gb()
    yield taken
    taken.append(max(0.0, peak_memory_gb() - before_gb))


def _read_status(name: str) -> float:
    """Return a size of /proc/self/status in GB; 0 where the system has none."""
    status = Path("/proc/self/status")
    found = re.search(rf"{name}:\s*(\d+) kB", status.read_text()) if status.is_file() else None
    return int(found[1]) * 1024 / 1e9 if found else 0.0


def name_device(device: str) -> str:
    """Return a device's name, with the GPU's own where it is one."""
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"


@contextmanager
def count_waits(device: str) -> Iterator[list[int]]:
    """Append how often the block waits for a GPU; nothing on other devices."""
    counts: list[int] = []
    if not device.startswith("cuda"):
        yield counts
        return
    import torch

    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            yield counts
    finally:
        torch.cuda.set_sync_debug_mode("default")
    counts.append(sum("called a synchronizing" in str(one.message) for one in found))


def as_markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells, the first of them the head, as a Markdown table."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *body])


def write_section(path: Path, name: str, text: str) -> None:
    """Put text in the place of a page's section, between `<!-- NAME -->` and `<!-- /NAME -->`.

    Raises ValueError where the page has no such section.
    """
    page = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    if begin not in page or end not in page:
        raise ValueError(f"{path} has no section {begin.strip()} ... {end}.")
    before, after = page.split(begin, 1)[0], page.split(end, 1)[1]
    path.write_text(f"{before}{begin}{text.strip()}\n{end}{after}", encoding="utf-8")
