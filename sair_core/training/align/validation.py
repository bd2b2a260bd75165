"""Validation of the encoder: how well it names held-back photos and their pixels."""

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
from sair_core.semantics.words import imagenet_words
from sair_core.training.align.data import NamedPhoto, label_ids
from sair_core.training.align.loss import AlignedEncoder
from sair_core.training.backend import Backend
from sair_core.training.data.photos import TrainPhoto


class Validation:
    """Pixel accuracy and mean IoU over held-back photos, whole and enlarged twice, as the encoder is used.

    Where there are photos of ImageNet's classes, their share named rightly among all of these, too: at once,
    and among the first five.
    """

    def __init__(self, photos: list[TrainPhoto], names: Tensor, shown: list[NamedPhoto], imagenet: Tensor):
        """names `(classes, D)` and imagenet `(1000, D)`: unit vectors of the words for them."""
        self.photos, self.names = photos[:96], names
        classes = {name: i for i, name in enumerate(imagenet_words())}
        self.shown = [(photo.rgb, classes[photo.word]) for photo in shown if photo.word in classes]
        self.imagenet = imagenet

    @torch.inference_mode()
    def __call__(self, model: AlignedEncoder, backend: Backend) -> tuple[dict[str, float], Image.Image]:
        """Return figures in [0, 1] and a picture: photo, classes found, true classes, for eight photos."""
        names = self.names.to(backend.device)
        confusion = Confusion(len(names))
        shown: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for photo in self.photos:
            found = F.normalize(_embed(model, photo.rgb, backend), dim=1)
            cosines = torch.einsum("bdhw,nd->bnhw", found, names)
            true = label_ids(photo)
            ids = F.interpolate(cosines, true.shape, mode="bilinear").argmax(dim=1)[0].cpu().numpy()
            confusion.add(ids, true)
            if len(shown) < 8:
                shown.append((photo.rgb, ids, true))
        figures = {"accuracy": confusion.accuracy(), "miou": confusion.mean_iou()}
        return {**figures, **self._name_photos(model, backend)}, _picture(shown)

    def _name_photos(self, model: AlignedEncoder, backend: Backend) -> dict[str, float]:
        names = self.imagenet.to(backend.device)
        ranks = []
        for rgb, true in self.shown:
            cosines = names @ _embed(model, rgb, backend).mean(dim=(2, 3))[0]
            ranks.append(int((cosines > cosines[true]).sum()))
        if not ranks:
            return {}
        return {f"top{n}": float(np.mean([rank < n for rank in ranks])) for n in (1, 5)}


def _embed(model: AlignedEncoder, rgb: np.ndarray, backend: Backend) -> Tensor:
    large = F.interpolate(to_rgb01(rgb, backend.device), scale_factor=2, mode="bilinear", align_corners=False)
    with backend.autocast():
        found: Tensor = model(large)
    return found


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
