"""LPIPS (AlexNet), or the reason why it cannot be had. Never a guess: no weights, no number."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from sair_core.errors import MissingDependencyError
from sair_core.evaluation.download import TIMEOUT_SECONDS, ensure_cached

# The package itself carries the small calibrated layers; only the backbone comes over the network.
WEIGHTS_URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"

PerceptualMetric = Callable[[np.ndarray, np.ndarray], float]


def load_lpips(device: str = "cpu", *, timeout_seconds: float = TIMEOUT_SECONDS) -> PerceptualMetric:
    """LPIPS as a function of two uint8 (H, W, 3) pictures; 0 = identical, lower is better.

    The backbone comes from torch's cache, else from the network if that answers within `timeout_seconds`.
    Raises MissingDependencyError, with the reason, if the package or the weights cannot be had.
    """
    try:
        import lpips
        import torch
    except ImportError as error:
        raise MissingDependencyError(f"{error}: run `pip install lpips`.") from error
    ensure_cached(WEIGHTS_URL, timeout_seconds)
    with warnings.catch_warnings():
        # lpips still asks torchvision with the argument names of older releases.
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net="alex", verbose=False).to(device)

    @torch.inference_mode()
    def measure(a: np.ndarray, b: np.ndarray) -> float:
        pair = torch.from_numpy(np.stack([a, b])).to(device).permute(0, 3, 1, 2).float()  # (2, 3, H, W)
        pair = pair / 127.5 - 1
        return float(network(pair[:1], pair[1:]))

    return measure
