"""An inpainting model that others have trained, such as LaMa, of an architecture that spandrel knows."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sair_core.errors import CheckpointError, NotFiniteError
from sair_core.holes import check_shapes
from sair_core.weights.inpainters import require_spandrel

GENERATOR = "generator."  # what LaMa's trainer calls the part that fills, beside its discriminator


class Inpainter(nn.Module):
    """Photo and hole in, the filled photo out."""

    def __init__(self, descriptor: Any):
        """descriptor: spandrel's MaskedImageModelDescriptor of three channels in and out."""
        super().__init__()
        self.network: nn.Module = descriptor.model
        self._call = descriptor  # pads to the sizes that the architecture takes

    def forward(self, rgb01: Tensor, hole01: Tensor) -> Tensor:
        """rgb01 `(1, 3, H, W)` in [0, 1], hole01 `(1, 1, H, W)`, in float32.

        Returns the whole picture `(1, 3, H, W)` in [0, 1]. Some architectures draw noise: it is always the
        same. Raises ValueError for other shapes.
        """
        check_shapes(rgb01, hole01)
        with torch.random.fork_rng(), torch.autocast(rgb01.device.type, enabled=False):
            torch.manual_seed(0)
            # Fourier convolutions do not exist in bfloat16 on every device.
            filled01: Tensor = self._call(rgb01.float(), hole01.float())
        return filled01


def load_inpainter(path: Path) -> Inpainter:
    """Load a model from a file, on the CPU, ready for inference.

    path: safetensors, or a pickle of tensors alone. Raises MissingDependencyError without spandrel,
    CheckpointError for a file that is damaged, holds code or another kind of model, NotFiniteError.
    """
    require_spandrel()
    import spandrel

    if importlib.util.find_spec("spandrel_extra_arches") is not None:
        import spandrel_extra_arches

        spandrel_extra_arches.install(ignore_duplicates=True)
    state = _read_state(path)
    try:
        descriptor = spandrel.ModelLoader().load_from_state_dict(state)
    except spandrel.UnsupportedModelError as error:
        raise CheckpointError(
            f"{path} holds no model of an architecture that spandrel knows. Give an inpainting model, "
            "such as LaMa; for MAT, pip install 'sair-studio[mat]', too."
        ) from error
    except (RuntimeError, KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
        raise CheckpointError(
            f"{path} is not whole: its weights do not fit its architecture ({_first_line(error)}). "
            "Fetch it again."
        ) from error
    architecture = descriptor.architecture.name
    if not isinstance(descriptor, spandrel.MaskedImageModelDescriptor):
        raise CheckpointError(
            f"{path} holds {architecture}, which takes no mask and enlarges {descriptor.scale} times. Give "
            "an inpainting model, such as LaMa."
        )
    if (descriptor.input_channels, descriptor.output_channels) != (3, 3):
        raise CheckpointError(
            f"{path} holds a {architecture} from {descriptor.input_channels} to {descriptor.output_channels} "
            "channels. Give one that was trained on colour photos."
        )
    return Inpainter(descriptor).float().eval().requires_grad_(False)


def _read_state(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file. Raises CheckpointError and NotFiniteError."""
    import spandrel

    try:
        if path.suffix.lower() == ".safetensors":
            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds more than weights, which could be code that runs when it is read, so it was not. "
            "Give the same model as .safetensors."
        ) from error
    except (OSError, EOFError, SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path} cannot be read as weights ({_first_line(error)}). A TorchScript archive is none: give "
            "the same model as .safetensors; otherwise fetch it again."
        ) from error
    if not isinstance(state, dict):
        kind = type(state).__name__
        raise CheckpointError(f"{path} holds a {kind} and no weights by name. Give another file.")
    state = spandrel.canonicalize_state_dict(state)
    if any(str(key).startswith(GENERATOR) for key in state):
        state = {key: value for key, value in state.items() if str(key).startswith(GENERATOR)}
    wrong = [key for key, value in state.items() if not (isinstance(key, str) and isinstance(value, Tensor))]
    if wrong or not state:
        what = f"{wrong[0]!r}, which is no tensor" if wrong else "no tensors"
        raise CheckpointError(f"{path} holds {what}. Give a file of weights alone.")
    for key, value in state.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise NotFiniteError(f"{path} holds values that are no numbers, in {key}. Fetch it again.")
    return state


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
