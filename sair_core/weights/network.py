"""Whether there is a network, found out in seconds."""

from __future__ import annotations

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

from huggingface_hub import constants, errors
from huggingface_hub.utils import validate_repo_id

from sair_core.errors import ConfigError

# What huggingface-hub raises when it cannot be reached or says no; HTTPError is of the library below it.
HUB_ERRORS = (errors.HTTPError, errors.LocalEntryNotFoundError, OSError)
TIMEOUT_SECONDS = 2.0  # a person waits for the answer
_LOCK = threading.Lock()
_users = 0  # of the library's one flag, which is the whole process's
_before = False  # what it was before the first of them


@contextlib.contextmanager
def hub_or_cache() -> Iterator[None]:
    """Inside, huggingface-hub knows when the hub cannot be reached.

    It then takes what is in its cache or fails at once; by itself it tries again, for half a minute. Several
    may fetch at a time: the first one asks whether the hub is there.
    """
    global _users, _before
    with _LOCK:
        if not _users:
            _before = constants.HF_HUB_OFFLINE
            constants.HF_HUB_OFFLINE = _before or not _is_there(constants.ENDPOINT)
        _users += 1
    try:
        yield
    finally:
        with _LOCK:
            _users -= 1
            if not _users:
                constants.HF_HUB_OFFLINE = _before


def is_repo(name: str) -> bool:
    """Whether a name can be that of a repository on the hub, such as user/name."""
    try:
        validate_repo_id(name)
    except errors.HFValidationError:
        return False
    return name.count("/") == 1


def require_repo(name: str, what: str) -> None:
    """Raise ConfigError unless a name can be that of a repository; what: "a model"."""
    if not is_repo(name):
        raise ConfigError(f"--repo {name!r} is no name of {what}. Write it as user/name.")


def ask(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
    """Raise OSError unless the address answers in time: HTTPError where it says no."""
    failed: list[OSError] = [TimeoutError(f"no answer within {timeout_seconds:g} s")]

    def attempt() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=timeout_seconds):
                failed.clear()
        except OSError as error:
            failed[0] = error
        except ValueError as error:  # no address at all
            failed[0] = OSError(str(error))

    # A thread, because looking up a host name has no time limit of its own.
    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(timeout_seconds)
    if failed:
        raise failed[0]


def _is_there(url: str) -> bool:
    try:
        ask(url)
    except urllib.error.HTTPError:
        return True  # it said no, but it is there
    except OSError:
        return False
    return True
