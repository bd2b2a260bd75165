"""The same photos and holes at every validation: PSNR, and a picture to look at."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from sair_core.coords import cell_of, pixel_coords
from sair_core.devices import autocast
from sair_core.evaluation.metrics import psnr
from sair_core.evaluation.samples import centre_square
from sair_core.masks import BINS, irregular_mask
from sair_core.models.sair import Sair
from sair_core.training.data import TrainPhoto

SHOWN = 8


class Validation:
    """Centre squares of held-back photos with one seeded hole each, bins in turn."""

    def __init__(self, photos: list[TrainPhoto], size_px: int, seed: int, most: int = 48):
        rng = np.random.default_rng([seed, 4])
        self.photos = [centre_square(p.rgb, size_px) for p in photos[:most]]
        self.masks = [
            irregular_mask(rng, (size_px, size_px), BINS[i % len(BINS)]) for i in range(len(self.photos))
        ]

    def __call__(self, model: Sair, device: torch.device, bf16: bool) -> tuple[dict[str, float], Image.Image]:
        """Mean PSNR in dB, overall and a bin (`psnr_20_40`), and a grid: rows masked, filled and true."""
        filled = [self._fill(model, p, m, device, bf16) for p, m in zip(self.photos, self.masks)]
        scores = [psnr(f, p) for f, p in zip(filled, self.photos)]
        figures = {"psnr": float(np.mean(scores))}
        for i, (low, high) in enumerate(BINS):
            if scores[i :: len(BINS)]:
                figures[f"psnr_{100 * low:.0f}_{100 * high:.0f}"] = float(np.mean(scores[i :: len(BINS)]))
        masked = [np.where(m[..., None], np.uint8(128), p) for p, m in zip(self.photos, self.masks)]
        rows = [np.concatenate(pictures[:SHOWN], axis=1) for pictures in (masked, filled, self.photos)]
        return figures, Image.fromarray(np.concatenate(rows))

    @torch.inference_mode()
    def _fill(
        self, model: Sair, photo: np.ndarray, mask: np.ndarray, device: torch.device, bf16: bool
    ) -> np.ndarray:
        rgb01 = torch.from_numpy(photo.copy()).to(device).permute(2, 0, 1)[None].float() / 255
        hole01 = torch.from_numpy(mask).to(device)[None, None].float()
        rows, columns = torch.from_numpy(mask).to(device).nonzero(as_tuple=True)
        with autocast(device, bf16):
            features = model.encode(rgb01, hole01)
            coords = pixel_coords(rows, columns, mask.shape)[None]
            rgb = model.decode(features, coords, cell_of(mask.shape, device=device)[None])
        out = photo.copy()
        out[mask] = (rgb[0].clamp(0, 1) * 255).round().byte().cpu().numpy()
        return out
