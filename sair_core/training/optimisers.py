"""Networks with their optimisers, and how Adam and AdamW are set up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from timm.optim import param_groups_weight_decay
from torch import Tensor, nn


class StatefulModel(Protocol):
    """An nn.Module that knows which part of its state is its own (`CheckpointModel` is one)."""

    def own_state(self) -> dict[str, Tensor]: ...

    def load_own_state(self, state: dict[str, Tensor], where: str) -> None: ...

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> object: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


@dataclass
class Learner:
    """A network and the optimiser that trains it."""

    model: StatefulModel
    optimiser: torch.optim.Optimizer

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of every parameter; a group with `lr_scale` gets that share (timm's name)."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group.get("lr_scale", 1.0)


def adam(model: nn.Module, rate: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Return Adam over all parameters of a model; fused where the device supports it."""
    return torch.optim.Adam(model.parameters(), lr=rate, betas=betas, fused=_can_fuse(model))


def adamw(
    model: nn.Module, rate: float, weight_decay: float, betas: tuple[float, float] = (0.9, 0.999)
) -> torch.optim.AdamW:
    """Return AdamW over the trained parameters of a model; fused where the device supports it.

    Matrices and kernels decay, biases and norms do not.
    """
    groups = param_groups_weight_decay(model, weight_decay)[::-1]  # what decays comes first in saved states
    return torch.optim.AdamW(groups, lr=rate, betas=betas, fused=_can_fuse(model))


def _can_fuse(model: nn.Module) -> bool:
    return next(model.parameters()).device.type != "mps"
