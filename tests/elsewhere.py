"""A device that is not the processor, without hardware: what is left behind is found as CUDA would find it.

Tensors there are wrappers of tensors here that call themselves `meta`; every operation is done on what they
wrap. As on a GPU, an operation refuses tensors of both places, only copies go from one to the other, and
numpy sees nothing of what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

ELSEWHERE = torch.device("meta")
aten = torch.ops.aten
COPIES = {aten._to_copy.default, aten.copy_.default, aten.to.device}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}


class There(torch.Tensor):
    """A tensor elsewhere. here: the one that it wraps."""

    here: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, here: Tensor) -> There:
        # Also in inference mode, where a view of a weight is to be no inference tensor.
        with torch.inference_mode(False):
            return cls._wrap(here)

    @classmethod
    def _wrap(cls, here: Tensor) -> There:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=ELSEWHERE,
            requires_grad=here.requires_grad,
        )

    def __init__(self, here: Tensor):
        self.here = here

    def tolist(self) -> Any:
        return self.here.tolist()

    def __repr__(self, **_: Any) -> str:
        return f"There({self.here!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Everywhere(TorchDispatchMode):
    """Sees what is made and copied, also where nothing of it is elsewhere yet."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


@contextmanager
def device_elsewhere() -> Iterator[torch.device]:
    """The device, for as long as the context lasts."""
    with _Everywhere():
        yield ELSEWHERE


def _run(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = any(isinstance(tensor, There) for tensor in tensors)
    _refuse_mixtures(func, args, tensors, there)
    wanted = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.device)]
    if wanted:
        there = wanted[0] == ELSEWHERE
        if there and kwargs.get("generator") is not None:
            raise RuntimeError(f"{func}: a generator of the processor draws there only")
    if func is aten.copy_.default:
        there = isinstance(args[0], There)
    if func is aten._local_scalar_dense.default:
        return args[0].here.item() if there else func(*args, **kwargs)
    made = func(*tree_map(_unwrap, tuple(args)), **tree_map(_unwrap, dict(kwargs)))
    if not there:
        return made
    known = {id(tensor.here): tensor for tensor in tensors if isinstance(tensor, There)}  # changed in place
    return tree_map(
        lambda one: known[id(one)] if id(one) in known else There(one) if isinstance(one, Tensor) else one,
        made,
    )


def _unwrap(leaf: Any) -> Any:
    if isinstance(leaf, torch.device):
        return torch.device("cpu")
    return leaf.here if isinstance(leaf, There) else leaf


def _refuse_mixtures(func: Any, args: Sequence[Any], tensors: Sequence[Tensor], there: bool) -> None:
    """A number in a tensor may come from here, and so may the indices of an array that is there."""
    if not there or func in COPIES or (func in INDEXING and isinstance(args[0], There)):
        return
    left = [tuple(tensor.shape) for tensor in tensors if not isinstance(tensor, There) and tensor.dim()]
    if left:
        raise RuntimeError(f"{func}: tensors of shapes {left} were left on the processor")
