"""Published weights that no package carries: torch's cache, else the network if it answers. Never a guess."""

from __future__ import annotations

import hashlib
import logging
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from sair_core.errors import MissingDependencyError
from sair_core.weights.network import ask

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 4.0


def cached_file(url: str) -> Path:
    """Return where torch keeps (or will keep) what a URL names."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name


def ensure_cached(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Path:
    """Return the cached file, which is downloaded where it is missing and the server answers in time.

    url: of a file whose name ends in the first digits of its SHA-256, as torchvision's do
    (`alexnet-owt-7be5be79.pth`). Raises MissingDependencyError, with the reason.
    """
    path = cached_file(url)
    if not path.is_file():
        _download(url, path, timeout_seconds)
    elif not _is_whole(path):
        raise MissingDependencyError(f"{path} is damaged: delete it, it is then downloaded again.")
    return path


def _is_whole(path: Path, name: str | None = None) -> bool:
    """Whether a file's digest is what its name, or the given one, says."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest().startswith(Path(name or path.name).stem.rpartition("-")[2])


def _download(url: str, path: Path, timeout_seconds: float) -> None:
    """Asks first whether the server answers: a machine without a network loses seconds, not minutes."""
    try:
        ask(url, timeout_seconds)
    except OSError as error:
        raise MissingDependencyError(
            f"its network is not cached and {urlsplit(url).hostname} does not answer within "
            f"{timeout_seconds:g} s: put {url} at {path}."
        ) from error
    log.info("downloading %s to %s", url, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    try:
        with urllib.request.urlopen(url, timeout=10) as response, partial.open("wb") as file:
            while block := response.read(1 << 20):
                file.write(block)
        if not _is_whole(partial, path.name):
            raise MissingDependencyError("its network arrived damaged: try again.")
        partial.replace(path)
    except OSError as error:  # URLError and timeouts are OSErrors too
        raise MissingDependencyError(f"its network could not be downloaded ({error}): try again.") from error
    finally:
        partial.unlink(missing_ok=True)
