"""Semantic supervision of a SAIR: it keeps the semantics in the text space, and colours guided by them."""

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

KNOWN_SHARE = 0.5  # of a hole's queried pixels must be of one class before the hole is named after it


class SemanticSupervision:
    """Targets for the semantics: the unmasked picture's, from the model's own encoder, and known classes."""

    def __init__(self, model: Sair, classes: Classes | None, queries: int):
        """queries: pixels a photo at which losses are taken. classes: None where no photo has a label map,
        and for an encoder that knows no words."""
        assert model.semantic_encoder is not None  # there is something to supervise
        self.model, self.encoder, self.queries = model, model.semantic_encoder, queries
        self.names = self.shown = None  # (classes, D), (words, D)
        if self.encoder.text is not None and model.config.semantic is not None:
            text = build_text_encoder(self.encoder, model.config.semantic)
            preset_words = dict.fromkeys(word for words in label_presets().values() for word in words)
            self.names = None if classes is None else text.embed(classes.names).clone()
            self.shown = text.embed(tuple(preset_words)).clone() if self.names is None else self.names

    @torch.no_grad()
    def embed(self, rgb01: Tensor) -> Tensor:
        """Return the target: the embedding `(B, D, h, w)` of the unmasked picture."""
        embedding: Tensor = self.encoder(rgb01, torch.zeros_like(rgb01[:, :1]))
        return embedding

    def draw_guidance(self, rng: np.random.Generator, target: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Draw what the holes are to be filled with, as a user's words would name it.

        Either the whole target, or one vector for each photo `(B, D)`: the word for the class that most of
        its hole belongs to, or where that is unknown the target's mean over the hole.
        """
        if rng.random() < 0.5:
            return target
        hole = hole_share(batch["hole01"], target.shape[-2:])
        mean = (target * hole).sum((2, 3)) / hole.sum((2, 3)).clamp_min(1e-6)
        words = F.normalize(mean.float(), dim=1)
        if self.names is None:
            return words
        counts = F.one_hot(batch["ids"].clamp(max=len(self.names)), len(self.names) + 1)[..., :-1].sum(1)
        most = counts.max(dim=1)
        known = most.values > KNOWN_SHARE * batch["ids"].shape[1]
        return torch.where(known[:, None], self.names.to(words)[most.indices], words)

    def draw_maps(self, features: SairFeatures, size_px: tuple[int, int]) -> list[np.ndarray]:
        """Draw the completed semantics of one picture in colours of the nearest names, uint8 `(H, W, 3)`.

        Nothing for an encoder that knows no words.
        """
        if self.shown is None:
            return []
        coords = grid_coords(size_px, device=features.projected.device).flatten(0, 1)[None]
        found = F.normalize(self.model.decode_semantics(features, coords).float(), dim=-1)
        ids = (found[0] @ self.shown.to(found).T).argmax(dim=-1)
        return [palette(len(self.shown))[ids.cpu().numpy()].reshape(*size_px, 3)]

    def losses(
        self, features: SairFeatures, target: Tensor, batch: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return `1 - cos(c_p, target_p)` over queried pixels, and cross-entropy over those of known class.

        The second is 0 where there are none.
        """
        step = max(1, batch["coords_yx"].shape[1] // self.queries)
        coords, ids = batch["coords_yx"][:, ::step], batch["ids"][:, ::step]
        found = F.normalize(self.model.decode_semantics(features, coords).float(), dim=-1)
        wanted = F.normalize(sample(target.float(), coords), dim=-1)
        distance = 1 - (found * wanted).sum(-1).mean()
        known = ids != VOID
        if self.names is None or not known.any():
            return distance, found.sum() * 0
        logits = self.encoder.logit_scale.exp() * found[known] @ self.names.to(found).T
        return distance, F.cross_entropy(logits, ids[known])
