"""Validation of the encoder: how well it names the pixels of held-back photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from sair_core.evaluation.segmentation import Confusion
from sair_core.holes import to_rgb01
from sair_core.photos.folders import VOID
from sair_core.training.align.data import label_ids
from sair_core.training.align.loss import AlignedEncoder
from sair_core.training.backend import Backend
from sair_core.training.data.photos import TrainPhoto


class Validation:
    """Pixel accuracy and mean IoU over held-back photos, whole and enlarged twice, as the encoder is used."""

    def __init__(self, photos: list[TrainPhoto], names: Tensor):
        self.photos, self.names = photos[:96], names

    @torch.inference_mode()
    def __call__(self, model: AlignedEncoder, backend: Backend) -> tuple[dict[str, float], Image.Image]:
        """Return figures in [0, 1] and a picture: photo, classes found, true classes, for eight photos."""
        device, names = backend.device, self.names.to(backend.device)
        confusion = Confusion(len(names))
        shown: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for photo in self.photos:
            rgb01 = to_rgb01(photo.rgb, device)
            large = F.interpolate(rgb01, scale_factor=2, mode="bilinear", align_corners=False)
            with backend.autocast():
                found = model(large)
            cosines = torch.einsum("bdhw,nd->bnhw", found, names)
            true = label_ids(photo)
            ids = F.interpolate(cosines, true.shape, mode="bilinear").argmax(dim=1)[0].cpu().numpy()
            confusion.add(ids, true)
            if len(shown) < 8:
                shown.append((photo.rgb, ids, true))
        return {"accuracy": confusion.accuracy(), "miou": confusion.mean_iou()}, _picture(shown)


def _picture(shown: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Image.Image:
    colours = np.random.default_rng(0).integers(40, 256, (256, 3), dtype=np.uint8)
    colours[VOID] = 0
    tiles = [
        np.concatenate([_square(rgb), _square(colours[found]), _square(colours[true])])
        for rgb, found, true in shown
    ]
    return Image.fromarray(np.concatenate(tiles, axis=1))


def _square(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb.astype(np.uint8)).resize((160, 160), Image.Resampling.NEAREST))
