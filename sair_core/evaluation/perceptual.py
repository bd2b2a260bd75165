"""LPIPS (AlexNet), or the reason why it cannot be had. Never a guess: no weights, no number."""

from __future__ import annotations

import hashlib
import logging
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from sair_core.errors import MissingDependencyError
from sair_core.weights.network import ask

log = logging.getLogger(__name__)

WEIGHTS_URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
# torchvision writes the first digits of the file's SHA-256 into its name.
WEIGHTS_SHA256_PREFIX = "7be5be79"
# The package itself carries the small calibrated layers; only the backbone above comes over the network.

PerceptualMetric = Callable[[np.ndarray, np.ndarray], float]


def load_lpips(device: str = "cpu", *, timeout_seconds: float = 4.0) -> PerceptualMetric:
    """LPIPS as a function of two uint8 (H, W, 3) pictures; 0 = identical, lower is better.

    The backbone comes from torch's cache, else from the network if that answers within `timeout_seconds`.
    Raises MissingDependencyError, with the reason, if the package or the weights cannot be had.
    """
    try:
        import lpips
        import torch
    except ImportError as error:
        raise MissingDependencyError(f"{error}: run `pip install lpips`.") from error
    _ensure_backbone(timeout_seconds)
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


def cached_backbone() -> Path:
    """Where torch keeps (or will keep) the backbone's weights."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(WEIGHTS_URL).path).name


def _ensure_backbone(timeout_seconds: float) -> None:
    path = cached_backbone()
    if not path.is_file():
        _download(path, timeout_seconds)
    elif not _is_whole(path):
        raise MissingDependencyError(f"{path} is damaged: delete it, it is then downloaded again.")


def _is_whole(path: Path) -> bool:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest().startswith(WEIGHTS_SHA256_PREFIX)


def _download(path: Path, timeout_seconds: float) -> None:
    """Asks first whether the server answers: a machine without a network loses seconds, not minutes."""
    try:
        ask(WEIGHTS_URL, timeout_seconds)
    except OSError as error:
        raise MissingDependencyError(
            f"its backbone is not cached and {urlsplit(WEIGHTS_URL).hostname} does not answer within "
            f"{timeout_seconds:g} s: put {WEIGHTS_URL} at {path}."
        ) from error
    log.info("downloading %s to %s", WEIGHTS_URL, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    try:
        with urllib.request.urlopen(WEIGHTS_URL, timeout=10) as response, partial.open("wb") as file:
            while block := response.read(1 << 20):
                file.write(block)
        if not _is_whole(partial):
            raise MissingDependencyError("its backbone arrived damaged: try again.")
        partial.replace(path)
    except OSError as error:  # URLError and timeouts are OSErrors too
        raise MissingDependencyError(f"its backbone could not be downloaded ({error}): try again.") from error
    finally:
        partial.unlink(missing_ok=True)
