import os
import sys

import numpy as np
import pytest

from sair_core.errors import MethodError, MissingDependencyError
from sair_core.evaluation import patchmatch
from sair_core.evaluation.metrics import psnr
from sair_core.evaluation.patchmatch import PatchMatch


def stripes() -> np.ndarray:
    photo = np.full((48, 48, 3), 40, np.uint8)
    photo[:, ::6] = photo[:, 1::6] = 220
    return photo


def a_mask() -> np.ndarray:
    mask = np.zeros((48, 48), bool)
    mask[16:30, 14:33] = True
    return mask


def crash(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    os._exit(9)


def test_texture_is_continued_the_same_each_time():
    pytest.importorskip("patchmatch")
    photo, mask = stripes(), a_mask()
    spoiled = np.where(mask[..., None], np.uint8(130), photo)
    fill = PatchMatch()
    first = fill(spoiled, mask)
    assert first.dtype == np.uint8 and np.array_equal(first[~mask], photo[~mask])
    assert psnr(first, photo) > psnr(spoiled, photo) + 4
    assert np.array_equal(first, fill(spoiled, mask))


def test_a_crash_costs_one_fill(monkeypatch):
    pytest.importorskip("patchmatch")
    fill, inpaint = PatchMatch(), patchmatch.inpaint
    monkeypatch.setattr(patchmatch, "inpaint", crash)
    with pytest.raises(MethodError, match="crashed"):
        fill(stripes(), a_mask())
    monkeypatch.setattr(patchmatch, "inpaint", inpaint)
    assert fill(stripes(), a_mask()).shape == (48, 48, 3)


def test_absence_and_failure_are_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "patchmatch", None)
    with pytest.raises(MissingDependencyError, match="pip install pypatchmatch"):
        patchmatch.inpaint(stripes(), a_mask())

    class Broken:
        @staticmethod
        def inpaint(photo, mask, *, patch_size):
            raise RuntimeError("the patchmatch native library is not available")

    monkeypatch.setitem(sys.modules, "patchmatch", Broken)
    with pytest.raises(MethodError, match="not available"):
        patchmatch.inpaint(stripes(), a_mask())
