"""Ways to fill a hole without a trained model, all `fill(photo, mask) -> filled`.

photo: uint8 (H, W, 3) RGB; mask: bool (H, W), True = hole; filled: uint8 (H, W, 3). Known pixels are
returned bit-identical.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import ModuleType

import numpy as np

from sair_core.errors import EmptyMaskError, FullMaskError, MaskSizeError, MissingDependencyError, PhotoError
from sair_core.filling.seams import remove_seam

FillMethod = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Neighbourhood of the two OpenCV methods. On photos of 256 px, 5 is about 0.1 dB better than the 3 of
# OpenCV's tutorial: the baselines are not handicapped.
OPENCV_RADIUS_PX = 5


def telea(photo: np.ndarray, mask: np.ndarray, radius_px: float = OPENCV_RADIUS_PX) -> np.ndarray:
    """Fast marching (Telea 2004). Raises MissingDependencyError without OpenCV."""
    _check(photo, mask)
    cv2 = _opencv()
    return _inpaint_opencv(cv2, photo, mask, radius_px, cv2.INPAINT_TELEA)


def navier_stokes(photo: np.ndarray, mask: np.ndarray, radius_px: float = OPENCV_RADIUS_PX) -> np.ndarray:
    """Navier-Stokes (Bertalmio et al. 2001). Raises MissingDependencyError without OpenCV."""
    _check(photo, mask)
    cv2 = _opencv()
    return _inpaint_opencv(cv2, photo, mask, radius_px, cv2.INPAINT_NS)


def biharmonic(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Biharmonic interpolation (scikit-image): about 0.1 s a photo of 256 px, grows with the hole."""
    _check(photo, mask)
    from skimage.restoration import inpaint_biharmonic

    # Separate regions give the same values and smaller systems to solve.
    filled01 = inpaint_biharmonic(photo, mask, split_into_regions=True, channel_axis=-1)
    return composite(photo, _to_uint8(filled01), mask)


def harmonic(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The known border extended harmonically, which is the seam removal alone: no model at all.

    What a model is worth is what it adds to this.
    """
    _check(photo, mask)
    known01 = photo.astype(np.float32) / 255
    return composite(photo, _to_uint8(remove_seam(np.zeros_like(known01), known01, mask)), mask)


def mean(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean colour of the known pixels: what any method has to beat."""
    _check(photo, mask)
    filled = photo.copy()
    filled[mask] = np.rint(photo[~mask].mean(axis=0)).astype(np.uint8)
    return filled


# Those that a model is compared with come first; `mean` is there to check the measurement itself.
BASELINES: dict[str, FillMethod] = {
    "harmonic": harmonic,
    "telea": telea,
    "navier-stokes": navier_stokes,
    "biharmonic": biharmonic,
}
METHODS: dict[str, FillMethod] = {**BASELINES, "mean": mean}


def composite(photo: np.ndarray, filled: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`filled` inside the hole, `photo` outside: uint8 (H, W, 3)."""
    return np.where(mask[..., None], filled, photo)


def _to_uint8(filled01: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(filled01, 0, 1) * 255).astype(np.uint8)


def _inpaint_opencv(
    cv2: ModuleType, photo: np.ndarray, mask: np.ndarray, radius_px: float, algorithm: int
) -> np.ndarray:
    # At the picture's edge OpenCV reads a few pixels of the hole: hide what is there. Both algorithms treat
    # the channels alike: RGB needs no conversion to BGR.
    filled = cv2.inpaint(mean(photo, mask), mask.astype(np.uint8) * 255, radius_px, algorithm)
    return composite(photo, filled, mask)


def require_opencv(methods: Collection[str]) -> None:
    """Raises MissingDependencyError if one of these methods needs OpenCV and it is not installed."""
    if {"telea", "navier-stokes"} & set(methods):
        _opencv()


def _opencv() -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise MissingDependencyError(
            "The methods 'telea' and 'navier-stokes' need OpenCV: run `pip install opencv-python-headless`, "
            "or choose others with --methods."
        ) from error
    return cv2


def _check(photo: np.ndarray, mask: np.ndarray) -> None:
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        raise PhotoError(f"A baseline must be given uint8 (H, W, 3) photos, got {photo.dtype} {photo.shape}.")
    if mask.dtype != np.bool_ or mask.shape != photo.shape[:2]:
        raise MaskSizeError(
            f"The mask must be bool {photo.shape[:2]} as the photo, got {mask.dtype} {mask.shape}."
        )
    if not mask.any():
        raise EmptyMaskError("The mask marks nothing, so there is no hole to fill. Give another.")
    if mask.all():
        raise FullMaskError("The mask marks everything, so nothing is left to fill from. Give another.")
