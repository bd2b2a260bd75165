"""PatchMatch (Barnes et al. 2009) of the package pypatchmatch: texture copied from the photo, no model."""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from sair_core.errors import MethodError, MissingDependencyError

PACKAGE = "pypatchmatch"
PATCH_SIZE = 3  # radius in px; the package's default of 15 is several times slower and no better


class PatchMatch:
    """The package, in a process of its own: native code that crashes costs one fill, not the evaluation."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def __call__(self, photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """photo: uint8 (H, W, 3), mask: bool (H, W), True = hole -> uint8 (H, W, 3). The same fill each time.

        Raises MissingDependencyError without the package, MethodError when it fails.
        """
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, spawn, initializer=_leave_interrupts_to_parent)
        try:
            return self._pool.submit(inpaint, photo, mask).result()
        except BrokenProcessPool as error:
            self._pool = None
            raise MethodError("its native code crashed. Leave it out of --methods.") from error


def inpaint(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """In this process; as `PatchMatch`."""
    try:
        from patchmatch import inpaint as fill
    except ImportError as error:
        raise MissingDependencyError(f"{error}: run `pip install {PACKAGE}`.") from error
    try:
        return fill(photo, mask, patch_size=PATCH_SIZE)
    except RuntimeError as error:  # of the native library: absent, or it gave up
        raise MethodError(f"its native code gave up ({error}). Leave it out of --methods.") from error


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
