"""Where to compute and in which precision."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from sair_core.errors import DeviceError

ASYNCHRONOUS = {"cuda"}  # kinds of device that copy from pinned memory while the processor goes on


def pick_device(name: str = "auto") -> torch.device:
    """Choose a device: `auto` takes cuda, else mps, else cpu; any other name is taken literally.

    Raises DeviceError when this machine does not have the device.
    """
    mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"Unknown device {name!r}. Use auto, cpu, cuda, cuda:1 or mps.") from error
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(mps)}.get(device.type, 0)
    if (device.index or 0) >= count:
        raise DeviceError(f"This machine has no device {name!r}. Use auto or cpu.")
    return device


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 runs in hardware there: twice as fast on such a CPU, slower than float32 without."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def upload(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Return a tensor of the processor's memory on a device, without waiting until it is there.

    What is computed there waits for it, and the tensor itself may be changed at once.
    """
    device = torch.device(device)
    if device.type in ASYNCHRONOUS and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def autocast(device: torch.device, enabled: bool = True) -> AbstractContextManager[object]:
    """Return bfloat16 autocast where the hardware has it, float32 elsewhere."""
    if enabled and has_bf16(device):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def keep_freed_memory() -> None:
    """Let glibc reuse freed memory instead of handing it back to the system; nothing elsewhere.

    A training step frees and takes the same large blocks each time; without this every step pays for
    hundreds of thousands of page faults (measured: 10 % of a step on two CPU cores).
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another libc
        return
    for parameter, value in ((-4, 0), (-1, 2**31 - 1), (-2, 2**28)):  # MMAP_MAX, TRIM_THRESHOLD, TOP_PAD
        mallopt(parameter, value)
