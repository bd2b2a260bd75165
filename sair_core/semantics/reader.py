"""From a photo to meanings: text-aligned embeddings of every place, and the labels nearest to them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from cachetools import LRUCache
from torch import Tensor

from sair_core.coords import grid_coords
from sair_core.devices import autocast, pick_device, upload
from sair_core.encoders.dense_clip import DenseClip
from sair_core.encoders.refine import denoise_prompts
from sair_core.encoders.semantic import BUNDLED_CONFIG, SemanticConfig, build_semantic_encoder
from sair_core.encoders.text import TextEncoder, build_text_encoder
from sair_core.errors import UnknownWordError
from sair_core.holes import hole_share, reduce_known, to_hole01, to_rgb01
from sair_core.models.sair import Sair
from sair_core.semantics.map import SemanticMap
from sair_core.semantics.words import EVERYTHING_ELSE, imagenet_words, scene_words
from sair_core.stages import stage
from sair_core.window import Window

MAX_WORK_PX = 512  # long side at which a photo is read
GRID_STEP_PX = 4  # completed meanings are asked for at every fourth pixel of that
SIMILAR = 0.6  # a word nearer than this (cosine) to a label is no "everything else"
BEST = 5  # words that "everything else" is as likely as, on average; measured on held-back training photos
# A word is known when it is this near (cosine) to the name of a thing: docs/semantics.md.
KNOWN = 0.37
THINGS = (scene_words, imagenet_words)  # by which words are known, the short list first
NEVER = -1e4  # as a logit; finite, because 0 * -inf in the interpolation is no number
MAX_EMBEDDINGS = 8  # of photos, that are remembered
STRIP_VALUES = 4_000_000  # logits in memory at once

Names = Callable[[], Sequence[str]]


@dataclass(frozen=True, eq=False)
class Embedding:
    """Unit vectors `(D, h, w)`, float32, over a photo of `size_px` (height, width)."""

    vectors: Tensor
    size_px: tuple[int, int]


class SemanticReader:
    """Names what is in photos, with one text-aligned encoder."""

    def __init__(
        self,
        encoder: DenseClip,
        text: TextEncoder,
        *,
        model: Sair | None = None,
        device: str = "auto",
        bf16: bool = True,
        mirror: bool = False,
    ):
        """model: a SAIR with this encoder and a SIR, whose completion of holes is used. mirror: average with
        the mirrored photo, for twice the time."""
        self.device = pick_device(device)
        self.encoder = encoder.to(self.device).eval()
        self.text, self.model = text, model
        self.bf16, self.mirror = bf16, mirror
        self._embeddings: LRUCache[bytes, Embedding] = LRUCache(MAX_EMBEDDINGS)
        self._things: dict[Names, Tensor] = {}

    @classmethod
    def from_pretrained(
        cls,
        config: SemanticConfig | None = None,
        *,
        device: str = "auto",
        bf16: bool = True,
        mirror: bool = False,
    ) -> SemanticReader:
        """Build a reader with the bundled encoder, or any that `build_semantic_encoder` finds.

        The rest as in the constructor. Raises what `build_semantic_encoder` raises.
        """
        config = config or BUNDLED_CONFIG
        encoder = build_semantic_encoder(config)
        text = build_text_encoder(encoder, config)
        return cls(encoder, text, device=device, bf16=bf16, mirror=mirror)

    @classmethod
    def from_model(
        cls, model: Sair, *, device: str = "auto", bf16: bool = True, mirror: bool = False
    ) -> SemanticReader:
        """Build a reader with a SAIR's own encoder, or with the bundled one where that knows no words."""
        encoder, config = model.semantic_encoder, model.config.semantic
        if encoder is None or encoder.text is None or config is None:
            return cls.from_pretrained(device=device, bf16=bf16, mirror=mirror)
        completing = None if model.sir is None else model
        text = build_text_encoder(encoder, config)
        return cls(encoder, text, model=completing, device=device, bf16=bf16, mirror=mirror)

    def close(self) -> None:
        """Free what is remembered of photos and words. The reader may be used again."""
        self._embeddings.clear()
        self._things.clear()
        self.text.clear()

    def read(self, rgb: np.ndarray, hole: np.ndarray | None = None, *, complete: bool = True) -> Embedding:
        """Return the meaning of every place; remembered, so that asking for other labels costs nothing.

        rgb: uint8 `(H, W, 3)`; hole: bool `(H, W)`, never looked into. complete: let the model's SIR say what
        the hole hides; without a model, or with False, it is the encoder's own guess from the rim. What is in
        view is always what the encoder sees there.
        """
        hole = None if hole is None or not hole.any() else hole
        complete = complete and self.model is not None and hole is not None
        key = _digest(rgb, hole, complete)
        if key not in self._embeddings:
            self._embeddings[key] = Embedding(self._read(rgb, hole, complete), rgb.shape[:2])
        return self._embeddings[key]

    def name(
        self,
        embedding: Embedding,
        labels: Sequence[str],
        *,
        denoise: float = 0.0,
        window: Window | None = None,
    ) -> SemanticMap:
        """Return the nearest label of every pixel; labels as `parse_labels` gives them.

        window: the pixels of this window instead, at its scale; beyond the photo its edge goes on.
        denoise: labels that are nowhere more likely than this are left out (MaskCLIP's prompt denoising).
        "everything else" stands for the vocabularies' words that mean none of the other labels: it is as
        likely as the five best of them are on average.

        Raises UnknownWordError for a label that means nothing to the encoder.
        """
        self.require_known(labels)
        logits = self._logits(embedding.vectors, [label for label in labels if label != EVERYTHING_ELSE])
        if EVERYTHING_ELSE in labels:
            place = labels.index(EVERYTHING_ELSE)
            logits = torch.cat([logits[:place], self._else(embedding.vectors, labels), logits[place:]])
        if denoise > 0:
            logits = denoise_prompts(logits.movedim(0, -1), denoise).movedim(-1, 0).clamp_min(NEVER)
        window = window or Window.whole(embedding.size_px, 1.0)
        ids, confidence = _name_pixels(logits.cpu(), window, embedding.size_px)
        vectors = embedding.vectors.permute(1, 2, 0).cpu().numpy().astype(np.float16)
        return SemanticMap(tuple(labels), ids, confidence, vectors)

    def find(self, rgb: np.ndarray, words: Sequence[str], hole: np.ndarray | None = None) -> np.ndarray:
        """Return a mask, bool `(H, W)`, of all that the words name rather than anything else.

        Raises UnknownWordError.
        """
        self.require_known(words)
        embedding = self.read(rgb, hole)
        return self.name(embedding, [*words, EVERYTHING_ELSE]).mask(words)

    def require_known(self, words: Sequence[str]) -> None:
        """Raise UnknownWordError for words that mean nothing to the encoder: it would find them by chance."""
        if unknown := self.find_unknown(words):
            raise UnknownWordError(
                f"{', '.join(map(repr, unknown))}: far from all that this encoder has words for, so it would "
                "be found by chance. Type a plain word for a thing that can be seen, such as person or car."
            )

    def find_unknown(self, words: Sequence[str]) -> list[str]:
        """Return the words that mean nothing to the encoder.

        A word is known when it is a name of a thing or near to one, or when the tokenizer has a token for it.
        """
        unknown = [word for word in words if word != EVERYTHING_ELSE and not self.text.has_tokens(word)]
        for names in THINGS:
            unknown = [word for word in unknown if word not in names()]
            if unknown:
                nearest = (self.text.embed_plain(unknown) @ self._embed_things(names).T).amax(dim=1)
                unknown = [word for word, cosine in zip(unknown, nearest.cpu().tolist()) if cosine < KNOWN]
        return unknown

    def _embed_things(self, names: Names) -> Tensor:
        if names not in self._things:
            self._things[names] = self.text.embed_plain(names())
        return self._things[names]

    def _logits(self, vectors: Tensor, words: Sequence[str]) -> Tensor:
        """Return the logits of N words, `(N, h, w)`."""
        if not words:
            return vectors.new_zeros(0, *vectors.shape[1:])
        text = upload(self.text.embed(words), vectors.device)
        return self._scale() * torch.einsum("dhw,nd->nhw", vectors, text)

    def _else(self, vectors: Tensor, labels: Sequence[str]) -> Tensor:
        """Return `(1, h, w)`, how well the best few words fit that mean none of the labels.

        All of hundreds of words together would win everywhere, and the best one wins too often.
        """
        others = self._other_words([label for label in labels if label != EVERYTHING_ELSE])
        if not others:  # the labels mean all there is
            return vectors.new_full((1, *vectors.shape[1:]), NEVER)
        best = self._logits(vectors, others).topk(min(BEST, len(others)), dim=0).values
        return best.logsumexp(dim=0, keepdim=True) - math.log(len(best))

    def _other_words(self, labels: Sequence[str]) -> list[str]:
        """Return the vocabularies' words that are not close to any label."""
        others = list(scene_words())
        if not labels:
            return others
        nearest = (self.text.embed(others) @ self.text.embed(labels).T).amax(dim=1)
        return [word for word, cosine in zip(others, nearest.cpu().tolist()) if cosine <= SIMILAR]

    def _scale(self) -> float:
        return float(self.encoder.logit_scale.exp())

    @stage("semantics")
    @torch.inference_mode()
    def _read(self, rgb: np.ndarray, hole: np.ndarray | None, complete: bool) -> Tensor:
        rgb01 = to_rgb01(rgb, self.device)
        hole01 = torch.zeros_like(rgb01[:, :1]) if hole is None else to_hole01(hole, self.device)
        scale = min(1.0, MAX_WORK_PX / max(rgb.shape[:2]))
        work_px = tuple(max(1, round(n * scale)) for n in rgb.shape[:2])
        rgb01, hole01 = reduce_known(rgb01, hole01, work_px)
        if self.mirror:
            rgb01, hole01 = (torch.cat([x, x.flip(-1)]) for x in (rgb01, hole01))
        with autocast(self.device, self.bf16):
            if complete and self.model is not None:
                vectors = _complete(self.model, rgb01, hole01)
            else:
                vectors = F.normalize(self.encoder(rgb01, hole01).float(), dim=1)
        if self.mirror:
            vectors = F.normalize(vectors[:1] + vectors[1:].flip(-1), dim=1)
        return vectors[0]


def _complete(model: Sair, rgb01: Tensor, hole01: Tensor) -> Tensor:
    """Unit vectors: what the encoder sees in view, what SIR says in the hole."""
    features = model.encode(rgb01, hole01)
    assert features.seen is not None
    size = tuple(max(1, n // GRID_STEP_PX) for n in rgb01.shape[-2:])
    coords = grid_coords(size, device=rgb01.device).flatten(0, 1).expand(len(rgb01), -1, -1)
    said = model.decode_semantics(features, coords).transpose(1, 2).unflatten(2, size)
    seen = F.interpolate(
        F.normalize(features.seen.float(), dim=1), size, mode="bilinear", align_corners=False
    )
    mixed = torch.lerp(seen, F.normalize(said.float(), dim=1), hole_share(hole01, size))
    return F.normalize(mixed, dim=1)


@stage("label pixels")
def _name_pixels(logits: Tensor, window: Window, photo_px: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Logits `(N, h, w)` of labels over a photo, sampled bilinearly; the best one's id and softmax share."""
    height, width = window.size_px
    down, across = (
        _bilinear(cells, window.centres(axis) / photo_px[axis]) for axis, cells in enumerate(logits.shape[1:])
    )
    across = across.T  # (w, W)
    ids, confidence = np.empty(window.size_px, np.uint8), np.empty(window.size_px, np.float32)
    rows = max(1, STRIP_VALUES // (len(logits) * width))
    for top in range(0, height, rows):
        strip = torch.einsum("yh,nhw->nyw", down[top : top + rows], logits) @ across
        best = strip.softmax(dim=0).max(dim=0)
        ids[top : top + rows] = best.indices.to(torch.uint8).numpy()
        confidence[top : top + rows] = best.values.clamp(0, 1).numpy()
    return ids, confidence


def _bilinear(cells: int, places: np.ndarray) -> Tensor:
    """`(N, cells)`: weights of cell-centred linear interpolation at places in [0, 1], edges repeated."""
    position = (places * cells - 0.5).clip(0, cells - 1)
    near = 1 - np.abs(position[:, None] - np.arange(cells))
    return torch.from_numpy(near.clip(0, None)).float()


def _digest(rgb: np.ndarray, hole: np.ndarray | None, complete: bool) -> bytes:
    digest = hashlib.blake2b(repr((rgb.shape, complete)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(rgb).data)
    if hole is not None:
        digest.update(np.packbits(hole).data)
    return digest.digest()
