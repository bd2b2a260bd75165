"""What keeps a SAIR's semantics in the space of words, and what makes its colours listen to them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sair_core.coords import grid_coords, sample
from sair_core.encoders.text import build_text_encoder
from sair_core.holes import hole_share
from sair_core.models.sair import Sair, SairFeatures
from sair_core.photos.folders import VOID, Classes
from sair_core.semantics.map import palette
from sair_core.semantics.words import label_presets

KNOWN_SHARE = 0.5  # of a hole's queried pixels must have a class, before that class is its word


class Meaning:
    """The teacher is the unmasked picture, seen by the model's own encoder; and classes, where known."""

    def __init__(self, model: Sair, classes: Classes | None, queries: int):
        """queries: pixels a photo asked for their meaning. classes: None where no photo has a map."""
        self.model, self.queries = model, queries
        text = build_text_encoder(model.semantic_encoder, model.config.semantic)
        self.names = None if classes is None else text.embed(classes.names).clone()  # (classes, D)
        everyday = dict.fromkeys(word for words in label_presets().values() for word in words)
        self.shown = text.embed(tuple(everyday)).clone() if self.names is None else self.names

    @torch.no_grad()
    def teach(self, rgb01: Tensor) -> Tensor:
        """Embedding `(B, D, h, w)` of the whole picture."""
        return self.model.semantic_encoder(rgb01, torch.zeros_like(rgb01[:, :1]))

    def words(self, rng: np.random.Generator, teacher: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """What to fill the holes with, as a user's words would say it.

        Either the teacher's whole map, or one vector for each photo `(B, D)`: the word for the class that
        most of its hole belongs to, or where nobody knows the teacher's mean over the hole.
        """
        if rng.random() < 0.5:
            return teacher
        hole = hole_share(batch["hole01"], teacher.shape[-2:])
        mean = (teacher * hole).sum((2, 3)) / hole.sum((2, 3)).clamp_min(1e-6)
        words = F.normalize(mean.float(), dim=1)
        if self.names is None:
            return words
        counts = F.one_hot(batch["ids"].clamp(max=len(self.names)), len(self.names) + 1)[..., :-1].sum(1)
        most = counts.max(dim=1)
        known = most.values > KNOWN_SHARE * batch["ids"].shape[1]
        return torch.where(known[:, None], self.names.to(words)[most.indices], words)

    def map(self, features: SairFeatures, size_px: tuple[int, int]) -> np.ndarray:
        """uint8 `(H, W, 3)`: the completed semantics of one picture as colours of the nearest names."""
        coords = grid_coords(size_px, device=features.projected.device).flatten(0, 1)[None]
        found = F.normalize(self.model.decode_semantics(features, coords).float(), dim=-1)
        ids = (found[0] @ self.shown.to(found).T).argmax(dim=-1)
        return palette(len(self.shown))[ids.cpu().numpy()].reshape(*size_px, 3)

    def losses(
        self, features: SairFeatures, teacher: Tensor, batch: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """`1 - cos(c_p, teacher_p)` over queried pixels, and cross-entropy over those whose class is known.

        The second is 0 where none is.
        """
        step = max(1, batch["coords_yx"].shape[1] // self.queries)
        coords, ids = batch["coords_yx"][:, ::step], batch["ids"][:, ::step]
        found = F.normalize(self.model.decode_semantics(features, coords).float(), dim=-1)
        target = F.normalize(sample(teacher.float(), coords), dim=-1)
        distance = 1 - (found * target).sum(-1).mean()
        known = ids != VOID
        if self.names is None or not known.any():
            return distance, found.sum() * 0
        logits = self.model.semantic_encoder.logit_scale.exp() * found[known] @ self.names.to(found).T
        return distance, F.cross_entropy(logits, ids[known])
