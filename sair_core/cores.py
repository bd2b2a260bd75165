"""The processor, how many of its cores may be used, and threads that leave them to others while they wait."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def count_usable_cores() -> int:
    """Return how many cores this process may keep busy, at least 1: those that it is bound to, or what the
    quotas of its control groups (of containers and Spaces) come to, where that is less."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min([bound, *_read_quotas(CGROUPS, MEMBERSHIP)])))


def processor_name() -> str:
    """Return the processor's trade name where the system tells it, else its architecture."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def share_cores() -> None:
    """Let threads sleep while they wait for each other, and let there be no more of them than usable cores.

    OpenMP's threads, torch's and MKL's among them, otherwise spin at every barrier. Beside another busy
    process that costs more than the computing: a thread that has used up its share of a core by spinning is
    the last to get it again, and all others spin until it does (`benchmarks/contention.py`). OpenMP reads
    these variables once, when torch is first imported; what the user has set is kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", str(count_usable_cores()))


def _read_quotas(cgroups: Path, membership: Path) -> Iterator[float]:
    """Yield the quota in cores of every control group that the process is in, where it has one.

    Version 2 has one tree and `cpu.max` with quota and period, version 1 a tree for the processor and a file
    for each of the two. Inside a container the root of the tree is usually its own group.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = cgroups / "cpu" if controllers else cgroups
        group = Path(path.lstrip("/"))
        for place in (root / group, *(root / parent for parent in group.parents)):
            try:
                quota, period = (
                    [(place / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")]
                    if controllers
                    else (place / "cpu.max").read_text().split()
                )
                if float(quota) > 0:
                    yield float(quota) / float(period)
            except (OSError, ValueError):  # no such file, or "max": no quota
                continue
