"""Validation of fills, on the same photos and holes every time: figures and a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sair_core.evaluation.features import load_features
from sair_core.evaluation.metrics import gradient, l1_inside, psnr
from sair_core.evaluation.objects import ellipse_mask
from sair_core.evaluation.realism import Texture, add_textures, filled_places, frechet, texture
from sair_core.evaluation.samples import centre_square
from sair_core.holes import to_hole01, to_rgb01
from sair_core.photos.degrade import Degradation, degrade_photo
from sair_core.photos.masks import BINS, irregular_mask
from sair_core.seeds import Stream, stream_generator
from sair_core.training.data.photos import TrainPhoto

SHOWN = 8  # photos in a picture

# From a photo uint8 (H, W, 3) and a hole bool (H, W) to the filled photo, and other pictures to show.
Fill = Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]]
# From a degraded photo uint8 (h, w, 3), its hole bool (h, w) and a size to the whole photo at that size.
Restore = Callable[[np.ndarray, np.ndarray, tuple[int, int]], np.ndarray]


class Validation:
    """Centre squares of held-back photos with one seeded hole each, bins in turn."""

    def __init__(self, photos: Sequence[TrainPhoto], size_px: int, seed: int):
        rng = stream_generator(seed, Stream.VALIDATION_HOLES)
        self.photos = [centre_square(p.rgb, size_px) for p in photos]
        self.masks = [self._draw_mask(rng, i, (size_px, size_px)) for i in range(len(self.photos))]

    def _draw_mask(self, rng: np.random.Generator, place: int, size_px: tuple[int, int]) -> np.ndarray:
        return irregular_mask(rng, size_px, BINS[place % len(BINS)])

    def __call__(self, fill: Fill) -> tuple[dict[str, float], Image.Image]:
        """Return figures and a picture of fills.

        Figures: mean PSNR in dB, overall and a bin (`psnr_20_40`), and sharpness in the holes (brightness
        gradient, filled over true; 1 is as sharp as the photos). The picture has rows masked, filled, true,
        and one for each further picture of `fill`.
        """
        filled, *others = zip(*[fill(photo, mask) for photo, mask in zip(self.photos, self.masks)])
        figures = self._measure(filled, *others) | {"sharpness": self._sharpness(filled)}
        masked = [np.where(m[..., None], np.uint8(128), p) for p, m in zip(self.photos, self.masks)]
        rows = [masked, filled, self.photos, *others]
        grid = np.concatenate([np.concatenate(row[:SHOWN], axis=1) for row in rows])
        return figures, Image.fromarray(grid)

    def _measure(self, filled: Sequence[np.ndarray], *others: Sequence[np.ndarray]) -> dict[str, float]:
        scores = [psnr(one, photo) for one, photo in zip(filled, self.photos)]
        figures = {"psnr": float(np.mean(scores))}
        for i, (low, high) in enumerate(BINS):
            if scores[i :: len(BINS)]:
                figures[f"psnr_{100 * low:.0f}_{100 * high:.0f}"] = float(np.mean(scores[i :: len(BINS)]))
        return figures

    def _sharpness(self, filled: Sequence[np.ndarray]) -> float:
        found, true = (sum(map(gradient, photos, self.masks)) for photos in (filled, self.photos))
        return found / max(true, 1e-6)


class RestorationValidation:
    """Centre squares of held-back photos, degraded and with one seeded hole each, to be restored as a whole.

    Degradations in turn, and for each of them bins in turn.
    """

    def __init__(
        self, photos: Sequence[TrainPhoto], size_px: int, seed: int, degradations: Sequence[Degradation]
    ):
        """size_px: side of what the model sees; where that is reduced the truth is larger."""
        rng = stream_generator(seed, Stream.VALIDATION_HOLES)
        self.size_px = size_px
        self.names = [degradations[i % len(degradations)].name for i in range(len(photos))]
        self.true, self.seen, self.masks = [], [], []
        for i, photo in enumerate(photos):
            drawn = degradations[i % len(degradations)].draw(rng)
            side = round(size_px * dict(drawn).get("scale", 1.0))
            self.true.append(centre_square(photo.rgb, side))
            self.seen.append(degrade_photo(self.true[-1], drawn, rng))
            bin_range = BINS[i // len(degradations) % len(BINS)]
            self.masks.append(irregular_mask(rng, self.seen[-1].shape[:2], bin_range))

    def __call__(self, restore: Restore) -> tuple[dict[str, float], Image.Image]:
        """Return figures and a picture of restored photos.

        Figures: mean PSNR in dB of whole photos, overall and of each degradation (`psnr_noise:0.1`). The
        picture has rows degraded, restored, true.
        """
        cases = zip(self.seen, self.masks, self.true)
        found = [restore(seen, mask, true.shape[:2]) for seen, mask, true in cases]
        scores = [psnr(one, true) for one, true in zip(found, self.true)]
        figures = {"psnr": float(np.mean(scores))}
        for name in dict.fromkeys(self.names):
            own = [score for score, other in zip(scores, self.names) if other == name]
            figures[f"psnr_{name}"] = float(np.mean(own))
        masked = [np.where(m[..., None], np.uint8(128), p) for p, m in zip(self.seen, self.masks)]
        rows = [
            [centre_square(one, self.size_px) for one in row[:SHOWN]] for row in (masked, found, self.true)
        ]
        return figures, Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in rows]))


class RealismValidation(Validation):
    """As `Validation`, but of how real fills look: holes are as large as objects.

    Figures: the Fréchet distance inside the holes (see `evaluation.realism`), mean PSNR in dB, diversity
    where there is a second fill (mean absolute difference of colours in [0, 1] in the holes), sharpness.
    """

    def __init__(self, photos: Sequence[TrainPhoto], size_px: int, seed: int):
        """Raises MissingDependencyError without the package that has the weights of `load_features`."""
        super().__init__(photos, size_px, seed)
        self.features = load_features()
        self.true = self._texture(self.photos)

    def _draw_mask(self, rng: np.random.Generator, place: int, size_px: tuple[int, int]) -> np.ndarray:
        return ellipse_mask(rng, size_px)

    def _measure(self, filled: Sequence[np.ndarray], *others: Sequence[np.ndarray]) -> dict[str, float]:
        distance = frechet(self._texture(filled), self.true)
        scores = [psnr(one, photo) for one, photo in zip(filled, self.photos)]
        # Without two places a scale there is no distance: photos are too few or too small.
        figures = {"frechet": math.inf if distance is None else distance, "psnr": float(np.mean(scores))}
        if others:
            figures["diversity"] = float(np.mean(list(map(l1_inside, filled, others[0], self.masks))))
        return figures

    def _texture(self, pictures: Sequence[np.ndarray]) -> Texture:
        """Return the moments of the features in the holes."""
        found: Texture | None = None
        for picture, mask in zip(pictures, self.masks):
            maps = self.features(picture)
            found = add_textures(found, texture(maps, filled_places(maps, mask)))
        assert found is not None  # a validation has photos
        return found


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
