"""What teaches an SPN's priors: a pretext model, or the priors of another SPN (SPN paper, Table 5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from sair_core.config import require
from sair_core.encoders.pretext import NetworkPretext, Pretext, PretextConfig, build_pretext
from sair_core.models.spn import Spn
from sair_core.weights.bundled import BUNDLED
from sair_core.weights.checkpoint import CONFIG_NAME, read_config

ENLARGEMENTS = (1, 2, 4, 8)


class PriorMaps(nn.Module):
    """The priors of a trained SPN that sees the whole photo, without gradients."""

    def __init__(self, spn: Spn, places: Sequence[int]):
        """places: which of its scales."""
        super().__init__()
        self.spn, self.places = spn.requires_grad_(False), list(places)
        self.channels = tuple(spn.config.prior_channels[place] for place in places)
        self.train(False)

    def train(self, mode: bool = True) -> PriorMaps:
        """As in torch, but it stays in evaluation mode."""
        return super().train(False)

    def forward(self, rgb01: Tensor) -> list[Tensor]:
        """rgb01 `(B, 3, H, W)`, sides whole multiples of the coarsest cell. Returns one float map a place."""
        features = self.spn.encode(rgb01, torch.zeros_like(rgb01[:, :1]))
        priors = self.spn.prior.decode(features.encoded, features.mean)
        return [priors[place].float() for place in self.places]


def teach_priors(spn: Spn, strides_px: Sequence[int], name: str) -> NetworkPretext:
    """Return an SPN's priors of the photo, enlarged until they have these photo pixels a cell, finest first.

    Raises ConfigError where they cannot.
    """
    own = spn.config.prior_strides_px
    fitting = [k for k in ENLARGEMENTS if all(k * stride in own for stride in strides_px)]
    require(
        bool(fitting),
        f"The priors of {name} lie at 1/{', 1/'.join(map(str, own))} of a photo and cannot teach those "
        f"at 1/{', 1/'.join(map(str, strides_px))}. Choose another --pretext.",
    )
    enlarge = fitting[0]
    places = [own.index(enlarge * stride) for stride in strides_px]
    return NetworkPretext(PriorMaps(spn, places), strides_px, enlarge)


def build_teacher(config: PretextConfig, strides_px: Sequence[int]) -> Pretext:
    """Build what a configuration names: an SPN (bundled, or a folder), or a pretext model.

    Raises what `build_pretext` raises, ConfigError, and CheckpointError for a damaged SPN.
    """
    for folder in (BUNDLED / config.name, Path(config.name)):
        if (folder / CONFIG_NAME).is_file() and read_config(folder)[0] == Spn.model_type:
            return teach_priors(Spn.from_pretrained(folder), strides_px, config.name)
    return build_pretext(config, strides_px)
