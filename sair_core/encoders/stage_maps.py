"""Maps after the stages of a network of timm's, on the way to its last one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from sair_core.config import require
from sair_core.errors import ConfigError
from sair_core.weights.bundled import BUNDLED_ENCODER


class StageMaps(nn.Module):
    """Maps after some stages of a network of timm's; what comes after the last one is not computed."""

    def __init__(self, network: nn.Module, indices: Sequence[int]):
        super().__init__()
        self.network: Any = network
        self.indices = list(indices)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: normalised `(B, 3, H, W)`. Returns the maps, finest first."""
        return self.network.forward_intermediates(
            x, indices=self.indices, stop_early=True, intermediates_only=True
        )


def find_stages(
    name: str, reductions: Sequence[int], available: Sequence[int], indices: Sequence[int]
) -> tuple[int, ...]:
    """Return the indices of the stages with these reductions, input pixels a cell.

    available: reductions of the network `name`, of the stages `indices`. Raises ConfigError for one that is
    not among them.
    """
    missing = [r for r in reductions if r not in available]
    require(
        not missing,
        f"{name} has maps at 1/{', 1/'.join(map(str, available))} of its input, not at "
        f"1/{', 1/'.join(map(str, missing))}. Change upsample: it multiplies the scales that are asked for.",
    )
    return tuple(indices[list(available).index(r)] for r in reductions)


def take_stages(
    name: str, network: Any, reductions: Sequence[int] | None
) -> tuple[StageMaps, tuple[int, ...]]:
    """Return the maps after a network's stages with these reductions, and their channels.

    network: a convolutional one of timm's. reductions: None = all of its stages. Raises ConfigError for any
    other network, and as `find_stages`.
    """
    levels = getattr(network, "feature_info", None)
    if not isinstance(levels, list):
        raise ConfigError(
            f"{name} has no maps at several scales. Choose an encoder whose image tower is a convolutional "
            f'network of timm, such as "{BUNDLED_ENCODER}".'
        )
    every = [level["reduction"] for level in levels]
    indices = find_stages(name, reductions or every, every, range(len(every)))
    return StageMaps(network, indices), tuple(levels[i]["num_chs"] for i in indices)
