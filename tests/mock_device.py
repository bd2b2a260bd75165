"""A device that is not there: what would wait for it, and what would mix it with the processor's memory.

Its tensors call themselves `meta`, and their values lie in the processor's memory: what is computed there is
the same to the bit.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = "meta"
aten = torch.ops.aten
# How the program goes on, or how much memory the result takes, follows from values on the device.
ANSWERS = {aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten.equal, aten._unique2}
BY_PLACES = {aten.index, aten.index_put, aten.index_put_}  # where the places are a mask, they are looked up


class DeviceTensor(Tensor):
    """A tensor on the device; `values` lie in the processor's memory."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> DeviceTensor:
        one = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            device=DEVICE, requires_grad=held.requires_grad,
        )  # fmt: skip
        one.held = held
        return one

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError(f"{func} outside of MockDevice")


class MockDevice(TorchDispatchMode):
    """Computes what is on the device, and refuses what a GPU refuses.

    launches: of operations there by name, views not counted; waits: of those that the program waits for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.launches: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, packet = dict(kwargs or {}), func.overloadpacket
        if packet in (aten.is_pinned, aten._has_compatible_shallow_copy_type):
            return False
        if packet in (aten.pin_memory, aten._pin_memory):
            return args[0]
        with self:  # in inference mode torch leaves it to whoever listens to take operations apart
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        on_device = any(isinstance(x, DeviceTensor) for x in tensors)
        if any(x.device.type == DEVICE and not isinstance(x, DeviceTensor) for x in tensors):
            raise RuntimeError(
                f"{func} takes what torch.tensor puts on a device, which waits for it: upload it"
            )
        copies = packet in (aten._to_copy, aten.copy_)
        if on_device and not copies and any(x.ndim and not isinstance(x, DeviceTensor) for x in tensors):
            raise RuntimeError(f"{func} takes tensors of two devices")
        if _waits(func, args, kwargs, on_device):
            self.waits[packet.__name__] += 1
        if kwargs.get("device") is not None:
            on_device = torch.device(kwargs["device"]).type == DEVICE
            kwargs["device"] = torch.device("cpu")
        if on_device and not func.is_view:
            self.launches[packet.__name__] += 1
        result = func(*tree_map(_unwrap, args), **tree_map(_unwrap, kwargs))
        if packet.__name__.endswith("_"):  # in place
            return args[0]
        return tree_map(_wrap, result) if on_device else result


def _waits(func: Any, args: Any, kwargs: dict[str, Any], on_device: bool) -> bool:
    """Return whether the program waits for a GPU at an operation."""
    packet = func.overloadpacket
    if packet is aten._to_copy and kwargs.get("device") is not None:
        moves = (torch.device(kwargs["device"]).type == DEVICE) != on_device
        return moves and not kwargs.get("non_blocking")
    if packet is aten.copy_:
        target, source = args[:2]
        moves = isinstance(target, DeviceTensor) != isinstance(source, DeviceTensor) and source.ndim > 0
        return moves and not any(args[2:])
    if packet in BY_PLACES:
        return on_device and any(x is not None and x.dtype == torch.bool for x in args[1])
    return on_device and packet in ANSWERS


def _wrap(x: Any) -> Any:
    return DeviceTensor(x) if isinstance(x, Tensor) else x


def _unwrap(x: Any) -> Any:
    return x.held if isinstance(x, DeviceTensor) else x
