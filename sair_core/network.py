"""Whether there is a network, found out in seconds."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from collections.abc import Iterator

from huggingface_hub import constants, errors

# What huggingface-hub raises when it cannot be reached or says no; HTTPError is of the library below it.
HUB_ERRORS = (errors.HTTPError, errors.LocalEntryNotFoundError, OSError)
TIMEOUT_SECONDS = 4.0


@contextlib.contextmanager
def hub_or_cache() -> Iterator[None]:
    """Inside, huggingface-hub knows when the hub cannot be reached.

    It then takes what is in its cache or fails at once; by itself it tries again, for half a minute.
    """
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _answers(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _answers(url: str) -> bool:
    request = urllib.request.Request(url, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError:
        return True  # it said no, but it is there
    except (OSError, ValueError):
        return False
    return True
