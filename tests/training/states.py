"""What a training saves to be resumed."""

from pathlib import Path
from typing import Any

import torch


def load_state(run: str | Path, name: str = "state.pt") -> dict[str, Any]:
    """Return the state that a run has saved in its folder."""
    state: dict[str, Any] = torch.load(Path(run) / name, weights_only=True)
    return state
