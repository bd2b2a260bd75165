"""The features that FID compares pictures by, or the reason why they cannot be had.

FID (Heusel et al. 2017) is the Fréchet distance of two Gaussians, of filled and of true pictures, in the last
pooled features of TensorFlow's Inception-v3, which pytorch-fid carries over to torch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sair_core.errors import MissingDependencyError
from sair_core.evaluation.download import TIMEOUT_SECONDS, ensure_cached

PACKAGE = "pytorch-fid"

PictureFeatures = Callable[[np.ndarray], np.ndarray]  # uint8 (H, W, 3) -> float32 (2048,)


def load_inception(*, timeout_seconds: float = TIMEOUT_SECONDS) -> PictureFeatures:
    """Inception's pooled features of a picture uint8 `(H, W, 3)`: float32 `(2048,)`, on the CPU.

    The picture is enlarged or reduced to 299 px, as pytorch-fid does. Raises MissingDependencyError, with the
    reason, if the package or the weights cannot be had.
    """
    try:
        import torch
        from pytorch_fid.inception import FID_WEIGHTS_URL, InceptionV3
    except ImportError as error:
        raise MissingDependencyError(f"{error}: run `pip install {PACKAGE}`.") from error
    ensure_cached(FID_WEIGHTS_URL, timeout_seconds)
    network = InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval()

    @torch.inference_mode()
    def features(picture: np.ndarray) -> np.ndarray:
        rgb01 = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
        return network(rgb01)[0][0, :, 0, 0].numpy()

    return features
