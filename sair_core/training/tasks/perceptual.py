"""Fixed networks whose maps compare pictures: `varphi` of Eq. (13) and (14) of the SPN paper, and a SAIR's
(`PerceptualLoss`)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import torch
from torch import Tensor, nn

from sair_core.encoders.pretext import FrozenFeatures, text_aligned_features
from sair_core.evaluation.samples import centre_square
from sair_core.holes import to_rgb01
from sair_core.models.projected import MapNorm
from sair_core.photos.folders import spread
from sair_core.training.data.store import PhotoStore
from sair_core.training.tasks.spn_losses import feature_loss
from sair_core.weights.bundled import BUNDLED_ENCODER
from sair_core.weights.network import ask

logger = logging.getLogger(__name__)

MEASURED = 32  # photos by whose maps others are normalised
# VGG19's relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1, as SPADE uses it: K = 5.
VGG_STAGES = ((0, 2), (2, 7), (7, 12), (12, 21), (21, 30))
VGG_CHANNELS = (64, 128, 256, 512, 512)


def build_perceptual(timeout_seconds: float = 4.0) -> tuple[FrozenFeatures, str]:
    """Return VGG19 where torchvision has its weights or fetches them, else the bundled encoder; and its name.

    Both give five maps. The name ("vgg19" or the encoder's) belongs in the model card.
    """
    try:
        features = _vgg19(timeout_seconds)
    except OSError as error:  # URLError and timeouts are OSErrors too
        logger.info(
            "perceptual losses: the weights of VGG19 cannot be had (%s); maps of %s instead",
            error,
            BUNDLED_ENCODER,
        )
        return text_aligned_features(BUNDLED_ENCODER), BUNDLED_ENCODER
    logger.info("perceptual losses: maps of VGG19")
    return FrozenFeatures(features, VGG_CHANNELS), "vgg19"


class Stages(nn.Module):
    """A network cut into stages; returns the outputs of all of them."""

    def __init__(self, stages: list[nn.Module]):
        super().__init__()
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def _vgg19(timeout_seconds: float) -> Stages:
    """Return the five stages of VGG19. Raises OSError when the weights cannot be had."""
    from torchvision.models import VGG19_Weights, vgg19

    weights = VGG19_Weights.IMAGENET1K_V1
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(weights.url).path).name
    if not cached.is_file():
        # First whether it answers: torch's own download has no time limit.
        ask(weights.url, timeout_seconds)
    network = vgg19()
    network.load_state_dict(weights.get_state_dict(progress=False, check_hash=True, weights_only=True))
    layers = network.features
    assert isinstance(layers, nn.Sequential)
    return Stages([layers[start:stop] for start, stop in VGG_STAGES])


def take_measured(photos: PhotoStore, size_px: int) -> list[np.ndarray]:
    """Return squares, uint8 `(size_px, size_px, 3)`, of photos by whose maps a network's are normalised."""
    return [centre_square(photos[i].rgb, size_px) for i in spread(len(photos), MEASURED)]


class PerceptualLoss(nn.Module):
    """The distance of pictures in the maps of a frozen network, in units of their deviations on photos."""

    def __init__(self, features: FrozenFeatures, photos: Sequence[np.ndarray]):
        """photos: some, uint8 `(n, n, 3)` of one size, by whose maps the deviations are measured."""
        super().__init__()
        self.features, self.norm = features, MapNorm(features.channels)
        self.norm.measure(features(torch.cat([to_rgb01(one) for one in photos])))

    def forward(self, shown01: Tensor, true01: Tensor) -> Tensor:
        """Return the mean absolute difference over maps; both `(B, 3, H, W)`, no gradient to the second."""
        with torch.no_grad():
            true = self.norm(self.features(true01))
        return feature_loss(self.norm(self.features(shown01)), true)
