"""The moving average of a model's weights, which is what is validated and exported."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sair_core.training.optimisers import StatefulModel


class Average:
    """Exponential moving average of a model's own state, with a smaller decay in the first steps.

    Neither torch's `AveragedModel` nor timm's `ModelEmaV3`: both copy and average the whole module, with the
    frozen encoders that are no part of a checkpoint.
    """

    def __init__(self, model: StatefulModel, decay: float):
        self.decay = decay
        self.state = {name: value.detach().clone() for name, value in model.own_state().items()}

    def update(self, model: StatefulModel, step: int) -> None:
        """Move towards the model's present state after optimiser step number `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        current = model.own_state()
        floating = [name for name, value in self.state.items() if value.is_floating_point()]
        move = get_ema_multi_avg_fn(decay)
        move([self.state[name] for name in floating], [current[name] for name in floating], step)

    def to_half(self, prefix: str = "") -> dict[str, Tensor]:
        """Return the state under `prefix` for a checkpoint: half precision, names without the prefix."""
        return {
            name.removeprefix(prefix): value.half() if value.is_floating_point() else value
            for name, value in self.state.items()
            if name.startswith(prefix)
        }

    @contextlib.contextmanager
    def swap_into(self, model: StatefulModel) -> Iterator[None]:
        """Let the model hold the averaged weights inside a `with` block, and its own again afterwards."""
        trained = {name: value.clone() for name, value in model.own_state().items()}
        model.load_state_dict(self.state, strict=False)
        try:
            yield
        finally:
            model.load_state_dict(trained, strict=False)
