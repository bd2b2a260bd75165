"""The backend that a training computes on: device, precision and processes, through accelerate."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from sair_core.devices import has_bf16, pick_device
from sair_core.training.data.loader import Batch

M = TypeVar("M", bound=nn.Module)


class Backend:
    """One process, or one of several that `accelerate launch` or `torchrun` started.

    device: where this process computes. rank: its number among all `processes`. is_main: whether it
    validates, saves and logs. is_local_main: whether it is the first one on its machine; local_main_rank: the
    rank of that one.
    """

    def __init__(self, device: str = "auto", bf16: bool = True, accumulate: int = 1):
        """device: auto, cpu, cuda, cuda:N or mps. bf16: compute in bfloat16 where the hardware has it.
        accumulate: parts that a batch is computed in, for less memory; the gradients are those of the whole.

        Raises DeviceError.
        """
        chosen = pick_device(device)
        if chosen.index is not None:
            os.environ["ACCELERATE_TORCH_DEVICE"] = str(chosen)  # the only way to name one to accelerate
        # accelerate keeps the first precision for the process's life; two trainings may differ.
        AcceleratorState._reset_state()
        self._accelerator = Accelerator(
            cpu=chosen.type == "cpu",
            mixed_precision="bf16" if bf16 and has_bf16(chosen) else "no",
            # Buffers here are frozen, or follow from weights that are the same in every process.
            kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
        )
        # Crops of one size, again and again: the fastest algorithm is worth looking for. (CUDA alone has it.)
        torch.backends.cudnn.benchmark = chosen.type == "cuda"
        self.accumulate = accumulate
        self.device: torch.device = self._accelerator.device
        self.rank: int = self._accelerator.process_index
        self.processes: int = self._accelerator.num_processes
        self.is_main: bool = self._accelerator.is_main_process
        self.is_local_main: bool = self._accelerator.is_local_main_process
        self.local_main_rank: int = self.rank - self._accelerator.local_process_index

    @property
    def precision(self) -> str:
        """ "bfloat16" or "float32"."""
        return "bfloat16" if self._accelerator.mixed_precision == "bf16" else "float32"

    @property
    def share(self) -> tuple[int, int]:
        """`(rank, processes)`, as loaders take it."""
        return self.rank, self.processes

    def place(self, module: M) -> M:
        """Move a module to the device, in the memory format in which convolutions are fastest."""
        return module.to(self.device).to(memory_format=torch.channels_last)

    def prepare(self, loss: nn.Module) -> nn.Module:
        """Wrap a module whose forward returns a loss: it computes in this precision, and all processes share
        its gradients."""
        prepared: nn.Module = self._accelerator.prepare_model(loss)
        return prepared

    def autocast(self) -> AbstractContextManager[None]:
        """Return a context in this precision, for what is computed outside a prepared module."""
        context: AbstractContextManager[None] = self._accelerator.autocast()
        return context

    def optimise(
        self,
        loss: nn.Module,
        optimiser: torch.optim.Optimizer,
        batch: Batch,
        *arguments: object,
        clip_norm: float,
    ) -> float:
        """Take one step on a batch (backward, clip, step) and return the loss, averaged over the processes.

        loss: prepared; called with (a part of) the batch and the arguments. clip_norm: largest norm of the
        gradient, 0 for any. Where the loss or a gradient of any process is not finite, no process takes the
        step, and NaN is returned.
        """
        optimiser.zero_grad(set_to_none=True)
        parts = list(_split(batch, self.accumulate))
        total = torch.zeros((), device=self.device)
        for i, (part, weight) in enumerate(parts, start=1):
            # Gradients are exchanged once, with the last part.
            with nullcontext() if i == len(parts) else self._accelerator.no_sync(loss):
                value = loss(part, *arguments) * weight
                self._accelerator.backward(value)
            total += value.detach()
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, clip_norm or math.inf)
        value = self.mean(total)
        if not (math.isfinite(value) and math.isfinite(norm.item())):
            return math.nan
        optimiser.step()
        return value

    def mean(self, value: Tensor | float) -> float:
        """Return a number averaged over the processes."""
        if self.processes == 1:
            return float(value)
        value = torch.as_tensor(value, dtype=torch.float32, device=self.device)
        reduced = self._accelerator.reduce(value, "mean")
        assert isinstance(reduced, Tensor)  # as what was given
        return reduced.item()

    def any(self, flag: bool) -> bool:
        """Return whether a flag is set in any process."""
        return self.mean(float(flag)) > 0

    def wait(self) -> None:
        """Wait until every process has come to this call."""
        self._accelerator.wait_for_everyone()


def _split(batch: Mapping[str, Tensor], count: int) -> Iterator[tuple[Batch, float]]:
    """Yield a batch in at most `count` parts, each with its share of the whole, in (0, 1]."""
    whole = len(next(iter(batch.values())))
    size = -(-whole // count)
    for start in range(0, whole, size):
        part = {name: value[start : start + size] for name, value in batch.items()}
        yield part, len(next(iter(part.values()))) / whole
