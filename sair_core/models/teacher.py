"""What teaches an SPN's priors: a pretext model, or the priors of another SPN (SPN paper, Table 5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sair_core.config import require
from sair_core.encoders.blocks import pad_to_multiple
from sair_core.encoders.pretext import Pretext, PretextConfig, build_pretext
from sair_core.models.spn import Spn
from sair_core.weights.bundled import BUNDLED
from sair_core.weights.checkpoint import CONFIG_NAME, read_config

ENLARGEMENTS = (1, 2, 4, 8)


class PriorTeacher(nn.Module):
    """The priors of a trained SPN that sees the whole photo, as a pretext model."""

    def __init__(self, spn: Spn, strides_px: Sequence[int], name: str):
        """strides_px: photo pixels a cell of each map, finest first; the photo is enlarged until the SPN's
        priors have them. Raises ConfigError where they cannot."""
        super().__init__()
        own = spn.config.prior_strides_px
        fitting = [k for k in ENLARGEMENTS if all(k * stride in own for stride in strides_px)]
        require(
            bool(fitting),
            f"The priors of {name} lie at 1/{', 1/'.join(map(str, own))} of a photo and cannot teach those "
            f"at 1/{', 1/'.join(map(str, strides_px))}. Choose another --pretext.",
        )
        self.spn = spn.requires_grad_(False)
        self.enlarge, self.strides_px = fitting[0], tuple(strides_px)
        self.places = [own.index(self.enlarge * stride) for stride in strides_px]
        self.channels = tuple(spn.config.prior_channels[place] for place in self.places)

    def train(self, mode: bool = True) -> PriorTeacher:
        """As in torch, but it stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, rgb01: Tensor) -> list[Tensor]:
        """rgb01 `(B, 3, H, W)`; one `(B, C, ceil(H / stride), ceil(W / stride))` a scale, finest first."""
        height, width = rgb01.shape[-2:]
        x = pad_to_multiple(rgb01, max(self.strides_px))  # as the learner pads: cells cover the same pixels
        if self.enlarge > 1:
            x = F.interpolate(x, scale_factor=float(self.enlarge), mode="bilinear", align_corners=False)
        features = self.spn.encode(x, torch.zeros_like(x[:, :1]))
        priors = self.spn.prior.decode(features.encoded, features.mean)
        chosen = zip((priors[place] for place in self.places), self.strides_px)
        return [prior[..., : -(-height // s), : -(-width // s)].float() for prior, s in chosen]


def build_teacher(config: PretextConfig, strides_px: Sequence[int]) -> Pretext:
    """Build what a configuration names: an SPN (bundled, or a folder), or a pretext model.

    Raises what `build_pretext` raises, ConfigError, and CheckpointError for a damaged SPN.
    """
    for folder in (BUNDLED / config.name, Path(config.name)):
        if (folder / CONFIG_NAME).is_file() and read_config(folder)[0] == Spn.model_type:
            return PriorTeacher(Spn.from_pretrained(folder), strides_px, config.name)
    return build_pretext(config, strides_px)
