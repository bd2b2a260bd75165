"""Any timm network as an image encoder that knows no words, such as SAM's image encoder (`samvit_*`).

The SAIR paper has one as an ablation (Table 6, "SAM Encoder"). timm takes seconds to import, so it is
imported by the functions that need it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sair_core.errors import ConfigError, ModelNotFoundError

TIMM_PREFIX = "timm:"
# How vision transformers of timm are told to take photos of any size, and those with windows; convolutional
# networks take them.
ANY_SIZE: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {"strict_img_size": False}, {})


class Trunk(nn.Module):
    """A timm network up to its last map.

    Attributes: `stride` (input pixels a cell); `image_mean` and `image_std` (what it was trained with).
    """

    def __init__(self, network: Any, name: str):
        """Raises ConfigError for a network without such a map."""
        super().__init__()
        levels = getattr(network, "feature_info", None)
        if not levels or not hasattr(network, "forward_intermediates"):
            raise ConfigError(f"{name} of timm has no map to read. Choose another encoder.")
        self.network, self.name = network, name
        # A list of dictionaries, or timm's object around one.
        self.stride = int(levels[-1]["reduction"])
        statistics = network.pretrained_cfg
        self.image_mean, self.image_std = tuple(statistics["mean"]), tuple(statistics["std"])

    def forward(self, image: Tensor) -> Tensor:
        """image: `(B, 3, stride h, stride w)`, normalised. Returns `(B, C, h, w)`."""
        (last,) = self.network.forward_intermediates(image, indices=1, norm=True, intermediates_only=True)
        return last


def trunk_form(trunk: Trunk) -> tuple[Callable[[nn.Module, Tensor, Tensor | None], Tensor], int, int]:
    """Return the function that computes a trunk's map, its stride and its channels.

    Raises ConfigError for a network that does not take photos of any size.
    """
    probe = next(trunk.parameters()).new_zeros(1, 3, 2 * trunk.stride, trunk.stride)
    try:
        with torch.no_grad():
            found = trunk(probe)
    except (AssertionError, RuntimeError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{trunk.name} of timm takes photos of one size only. Choose another encoder ({error})."
        ) from error
    if found.ndim != 4 or found.shape[2:] != (2, 1):
        raise ConfigError(
            f"The last map of {trunk.name} of timm has no cell for every {trunk.stride} px. Choose another "
            "encoder."
        )
    return _last_map, trunk.stride, found.shape[1]


def build_trunk(name: str, fetch: Callable[[str, Callable[[], Any]], Any] | None) -> Trunk:
    """Build a network of timm by its name (without "timm:"), in evaluation mode.

    fetch: `(what, how)`, runs a download and explains its failure; None leaves the weights random.
    Raises ModelNotFoundError for an unknown name or weights that cannot be had, ConfigError.
    """
    import timm

    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=5)
        hint = f"Did you mean {', '.join(near)}?" if near else "Choose one of timm.list_models()."
        raise ModelNotFoundError(f"timm has no network {name!r}. {hint}")
    trunk = Trunk(_create(name), name).eval()
    if fetch is None:
        return trunk
    trunk_form(trunk)  # refuses an unfit network before hundreds of megabytes are fetched
    return Trunk(fetch(f"{name} of timm", lambda: _create(name, pretrained=True)), name).eval()


def _create(name: str, pretrained: bool = False) -> Any:
    import timm

    *special, plain = ANY_SIZE
    for any_size in special:
        try:
            return timm.create_model(name, pretrained, num_classes=0, **any_size)
        except TypeError:  # an argument that this network does not have
            continue
    return timm.create_model(name, pretrained, num_classes=0, **plain)


def _last_map(trunk: nn.Module, image: Tensor, hole: Tensor | None) -> Tensor:
    found: Tensor = trunk(image)
    return found
