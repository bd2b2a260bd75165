"""The loss of the image tower: each pixel near the words for it, and away from all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from timm.optim import param_groups_weight_decay
from torch import Tensor, nn

from sair_core.encoders.dense_clip import DenseClip
from sair_core.encoders.text import Tokenizer, embed_labels
from sair_core.errors import ConfigError
from sair_core.photos.folders import VOID, Classes
from sair_core.seeds import Stream, stream_generator
from sair_core.semantics.words import imagenet_words, scene_words
from sair_core.training.align.config import AlignConfig
from sair_core.training.align.imagenet import ImageNetTeacher, pool_places, prototype_loss, teacher_loss
from sair_core.training.data.loader import Batch

if TYPE_CHECKING:
    from open_clip import CLIP

SIMILAR = 0.35  # words nearer than this (cosine) are related: not held against each other
NAME_SHARE = 0.7  # how often a class goes by its name; else by one of its synonyms
SCALE = 40.0  # inverse of the temperature to begin with
SHOWN_SHARE = 0.15  # of a photo known by a word only: this much of it, at least, is taken to show it


class AlignedEncoder(nn.Module):
    """A dense encoder with a temperature that is learned; the text tower stands beside it, frozen."""

    def __init__(self, encoder: DenseClip, *, frozen_stages: int | None = None):
        """frozen_stages: of a timm EfficientNet whose weights are worth keeping. Its stem and so many stages
        stay as they are, and so do the statistics of all its batch norms. None: all is trained."""
        super().__init__()
        self.encoder = encoder
        self.log_scale = nn.Parameter(torch.tensor(SCALE).log())
        self.keeps_statistics = frozen_stages is not None
        if frozen_stages:
            trunk: Any = self.trunk
            for part in (trunk.conv_stem, trunk.bn1, *trunk.blocks[:frozen_stages]):
                part.requires_grad_(False)

    @property
    def trunk(self) -> nn.Module:
        """timm's network under the projection."""
        visual: Any = self.encoder.visual
        trunk: nn.Module = visual.trunk
        return trunk

    @property
    def head(self) -> nn.Module:
        """The projection on it."""
        visual: Any = self.encoder.visual
        head: nn.Module = visual.head
        return head

    def train(self, mode: bool = True) -> AlignedEncoder:
        """As in torch, but a pretrained trunk's batch norms keep their statistics."""
        super().train(mode)
        if self.keeps_statistics:
            self.trunk.eval()
        return self

    def parameter_groups(self, weight_decay: float, trunk_rate: float) -> list[dict[str, Any]]:
        """Return what is trained for an optimiser: the trunk at `trunk_rate` of the rate of the rest."""
        trunk = {id(p) for p in self.trunk.parameters()}
        return [
            {**group, "params": chosen, "lr_scale": scale}
            for group in param_groups_weight_decay(self, weight_decay)
            for within, scale in ((False, 1.0), (True, trunk_rate))
            if (chosen := [p for p in group["params"] if (id(p) in trunk) is within])
        ]

    def project(self, features: Tensor) -> Tensor:
        """Project features of the trunk `(N, C)` as the tower does, `(N, D)`."""
        projected: Tensor = self.head(features)
        return projected

    def own_state(self) -> dict[str, Tensor]:
        """Return all state but that of the text tower, which no longer changes."""
        return {k: v for k, v in self.state_dict().items() if not k.startswith("encoder.text.")}

    def load_own_state(self, state: dict[str, Tensor], where: str) -> None:
        """Load what `own_state` returned. Raises ConfigError when it belongs to another model."""
        if state.keys() != self.own_state().keys():
            raise ConfigError(f"{where} belongs to another trunk. Resume with the run's own configuration.")
        self.load_state_dict(state, strict=False)

    def forward(self, rgb01: Tensor) -> Tensor:
        """Return the dense embedding `(B, D, h, w)`, float32, not normalised."""
        embedding: Tensor = self.encoder(rgb01)
        return embedding.float()

    def scale(self) -> Tensor:
        """Return the inverse of the temperature, at most 100 as in CLIP."""
        return self.log_scale.exp().clamp(max=100)


class WordEmbeddings:
    """Embeddings of the classes' names and synonyms, and of other words, from the frozen text tower.

    `imagenet (1000, D)` are those of ImageNet's names, in the order of its classes.
    """

    def __init__(self, classes: Classes, named: Sequence[str], text: CLIP, tokenizer: Tokenizer):
        """named: words that photos go by."""
        self.variants = [(name, *synonyms) for name, synonyms in zip(classes.names, classes.synonyms)]
        self.others = tuple(dict.fromkeys([*named, *scene_words(), *imagenet_words()]))
        flat = [word.lower() for variants in self.variants for word in variants]
        embedded = embed_labels(text, tokenizer, flat).cpu().clone()
        self.embedded = list(embedded.split([len(v) for v in self.variants]))
        self.names = torch.stack([e[0] for e in self.embedded])
        self.embedded_others = embed_labels(text, tokenizer, self.others).cpu().clone()
        places = {word: i for i, word in enumerate(self.others)}
        self.imagenet = self.embedded_others[[places[name] for name in imagenet_words()]]
        # (classes, others): whether any word for the class is related to the other word.
        self.related = torch.stack(
            [(e @ self.embedded_others.T).amax(dim=0) > SIMILAR for e in self.embedded]
        )

    def draw_names(self, rng: np.random.Generator) -> Tensor:
        """Draw one word for each class, `(classes, D)`: its name, or now and then a synonym."""
        return torch.stack(
            [e[0 if rng.random() < NAME_SHARE else rng.integers(len(e))] for e in self.embedded]
        )


def pixel_loss(
    found: Tensor,
    ids: Tensor,
    names: Tensor,
    distractors: Tensor,
    related: Tensor,
    scale: Tensor,
    weights: Tensor,
) -> Tensor:
    """Return the weighted cross-entropy of labelled pixels; 0 where there are none.

    found `(B, D, h, w)` unit; ids `(B, H, W)`, 255 = void; names `(C, D)` and distractors `(K, D)` unit;
    related bool `(C, K)`: distractors that are not held against a class; weights `(C,)`. Cosines are sampled
    bilinearly at the pixels.
    """
    known = ids != VOID
    if not known.any():
        return found.sum() * 0
    words = torch.cat([names, distractors])
    cosines = F.interpolate(
        torch.einsum("bdhw,nd->bnhw", found, words), ids.shape[-2:], mode="bilinear", align_corners=False
    )
    logits = scale * cosines.permute(0, 2, 3, 1)[known]  # (pixels, C + K)
    target = ids[known]
    left_out = F.pad(related, (len(names), 0))  # (C, C + K)
    logits = logits.masked_fill(left_out[target], -1e4)
    return F.cross_entropy(logits, target, weight=F.pad(weights, (0, len(distractors)), value=1.0))


def photo_loss(found: Tensor, word: Tensor, against: Tensor, scale: Tensor) -> Tensor:
    """Return the cross-entropy of photos that show a word somewhere, at the cells nearest to it.

    found `(B, D, h, w)` unit, word `(B, D)` and against `(K, D)` unit.
    """
    tokens = found.flatten(2).transpose(1, 2)  # (B, h w, D)
    count = max(1, round(SHOWN_SHARE * tokens.shape[1]))
    own = torch.einsum("bnd,bd->bn", tokens, word)
    nearest = own.topk(count, dim=1)
    chosen = tokens.gather(1, nearest.indices.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
    other = (chosen @ against.T).masked_fill((word @ against.T > SIMILAR).unsqueeze(1), -1e4)
    logits = scale * torch.cat([nearest.values.unsqueeze(-1), other], dim=-1)
    return F.cross_entropy(logits.flatten(0, 1), logits.new_zeros(logits[..., 0].numel(), dtype=torch.long))


class AlignLoss(nn.Module):
    """Cross-entropy over cosine logits: pixels against class words, whole photos against their word.

    With a teacher, photos without label maps are compared with what it says they show, too.
    """

    def __init__(
        self,
        model: AlignedEncoder,
        words: WordEmbeddings,
        weights: Tensor,
        config: AlignConfig,
        teacher: ImageNetTeacher | None = None,
    ):
        """weights `(classes,)`: of the classes."""
        super().__init__()
        self.model, self.words, self.weights, self.config = model, words, weights, config
        self.teacher = teacher

    def forward(self, batch: Batch, first_sample: int) -> Tensor:
        """Return the loss of a batch; the number of its first sample seeds the words drawn."""
        rgb01 = batch["rgb01"]
        cells = self.model(rgb01.contiguous(memory_format=torch.channels_last))
        found = F.normalize(cells, dim=1)
        scale = self.model.scale()
        rng = stream_generator(self.config.seed, Stream.DISTRACTORS, first_sample)
        names = self.words.draw_names(rng).to(rgb01.device)
        count = min(self.config.distractors, len(self.words.others))
        others = torch.from_numpy(rng.choice(len(self.words.others), count, replace=False))
        embedded = self.words.embedded_others.to(rgb01.device)
        distractors, related = embedded[others], self.words.related[:, others].to(rgb01.device)
        loss = pixel_loss(found, batch["ids"], names, distractors, related, scale, self.weights)
        shown = batch["word"] >= 0
        if shown.any() and self.config.named_weight:
            word, against = embedded[batch["word"][shown]], torch.cat([names, distractors])
            loss = loss + self.config.named_weight * photo_loss(found[shown], word, against, scale)
        free = ~batch["labelled"]
        if self.teacher is None or not free.any():
            return loss
        rng = stream_generator(self.config.seed, Stream.PROTOTYPES, first_sample)
        return loss + self._taught(self.teacher, rng, rgb01[free], cells[free], scale)

    def _taught(
        self, teacher: ImageNetTeacher, rng: np.random.Generator, rgb01: Tensor, cells: Tensor, scale: Tensor
    ) -> Tensor:
        """Return what the classifier adds to the loss, of crops and of the maps that were found of them."""
        names = self.words.imagenet.to(cells.device)
        features = teacher.features(rgb01)
        made_up, classes = teacher.make_prototypes(rng, features.flatten(0, 1))
        distance = teacher_loss(pool_places(cells), teacher.shares(features), names, scale)
        prototypes = prototype_loss(self.model.project(made_up).float(), classes, names, scale)
        return self.config.teacher_weight * distance + self.config.prototype_weight * prototypes
