"""Validation of fills, on the same photos and holes every time: PSNR, sharpness and a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sair_core.evaluation.metrics import gradient, psnr
from sair_core.evaluation.samples import centre_square
from sair_core.holes import to_hole01, to_rgb01
from sair_core.photos.masks import BINS, irregular_mask
from sair_core.seeds import Stream, stream_generator
from sair_core.training.data.photos import TrainPhoto

SHOWN = 8  # photos in a picture

# From a photo uint8 (H, W, 3) and a hole bool (H, W) to the filled photo, and other pictures to show.
Fill = Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]]


class Validation:
    """Centre squares of held-back photos with one seeded hole each, bins in turn."""

    def __init__(self, photos: Sequence[TrainPhoto], size_px: int, seed: int):
        rng = stream_generator(seed, Stream.VALIDATION_HOLES)
        self.photos = [centre_square(p.rgb, size_px) for p in photos]
        self.masks = [
            irregular_mask(rng, (size_px, size_px), BINS[i % len(BINS)]) for i in range(len(self.photos))
        ]

    def __call__(self, fill: Fill) -> tuple[dict[str, float], Image.Image]:
        """Return figures and a picture of fills.

        Figures: mean PSNR in dB, overall and a bin (`psnr_20_40`), and sharpness in the holes (brightness
        gradient, filled over true; 1 is as sharp as the photos). The picture has rows masked, filled, true,
        and one for each further picture of `fill`.
        """
        pictures = [fill(photo, mask) for photo, mask in zip(self.photos, self.masks)]
        scores = [psnr(filled, photo) for (filled, *_), photo in zip(pictures, self.photos)]
        figures = {"psnr": float(np.mean(scores))}
        for i, (low, high) in enumerate(BINS):
            if scores[i :: len(BINS)]:
                figures[f"psnr_{100 * low:.0f}_{100 * high:.0f}"] = float(np.mean(scores[i :: len(BINS)]))
        filled, *others = zip(*pictures)
        found, true = (sum(map(gradient, photos, self.masks)) for photos in (filled, self.photos))
        figures["sharpness"] = found / max(true, 1e-6)
        masked = [np.where(m[..., None], np.uint8(128), p) for p, m in zip(self.photos, self.masks)]
        rows = [masked, filled, self.photos, *others]
        grid = np.concatenate([np.concatenate(row[:SHOWN], axis=1) for row in rows])
        return figures, Image.fromarray(grid)


def to_tensors(photo: np.ndarray, mask: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return `rgb01 (1, 3, H, W)` and `hole01 (1, 1, H, W)` of a photo uint8 and a mask bool."""
    return to_rgb01(photo, device), to_hole01(mask, device)


def paste_fill(photo: np.ndarray, mask: np.ndarray, rgb01: Tensor) -> np.ndarray:
    """Return the photo with colours in its hole: `rgb01 (N, 3)` of its N pixels, or `(3, H, W)` of all."""
    if rgb01.ndim == 3:
        rgb01 = rgb01.permute(1, 2, 0)[torch.from_numpy(mask).to(rgb01.device)]
    out = photo.copy()
    out[mask] = (rgb01.float().clamp(0, 1) * 255).round().byte().cpu().numpy()
    return out
