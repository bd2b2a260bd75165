"""Build the text side of CLIP: words become unit vectors in the space of the dense image embedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from cachetools import LRUCache
from torch import Tensor, nn

from sair_core.devices import upload
from sair_core.encoders.dense_clip import DenseClip
from sair_core.encoders.open_clip_models import HUB_PREFIX, encoder_folder
from sair_core.encoders.semantic import SemanticConfig
from sair_core.errors import ConfigError

if TYPE_CHECKING:
    from open_clip import CLIP

PROMPTS_AT_ONCE = 256
MAX_LABELS = 4096  # that are remembered: visitors of a host may type new ones for ever
Tokenizer = Callable[[list[str]], Tensor]


class TextEncoder:
    """Embeds labels: open_clip's prompt templates around each, averaged, unit norm, remembered.

    One object belongs to one model, so what it remembers is keyed by model and label.
    """

    def __init__(self, text: CLIP, tokenizer: Tokenizer):
        """text: a model with open_clip's `encode_text`; tokenizer: prompts to token ids `(N, context)`."""
        self.text, self.tokenizer = text, tokenizer
        self._vectors: LRUCache[str, Tensor] = LRUCache(MAX_LABELS)

    def embed(self, labels: Sequence[str]) -> Tensor:
        """Return unit vectors `(len(labels), D)`, float32, on the text tower's device."""
        found = {label: self._vectors[label] for label in labels if label in self._vectors}
        new = [label for label in dict.fromkeys(labels) if label not in found]
        if new:
            # Each in memory of its own: as a row of all, one would keep the others alive.
            vectors = [vector.clone() for vector in embed_labels(self.text, self.tokenizer, new)]
            found.update(zip(new, vectors))
            self._vectors.update(zip(new, vectors))
        return torch.stack([found[label] for label in labels])

    def embed_plain(self, labels: Sequence[str]) -> Tensor:
        """Return unit vectors `(len(labels), D)` without templates around the labels; not remembered."""
        return embed_labels(self.text, self.tokenizer, labels, templates=False)

    def has_tokens(self, label: str) -> bool:
        """Whether every word of a label has one token: a frequent word, and none put together of letters."""
        empty, tokens = self.tokenizer(["", label]).ne(0).sum(dim=1).tolist()
        return tokens - empty == len(label.split())

    def clear(self) -> None:
        """Forget all labels."""
        self._vectors.clear()


def build_text_encoder(encoder: DenseClip, config: SemanticConfig) -> TextEncoder:
    """Build the text side of a dense encoder built with `keep_text`. Raises ConfigError when it has none."""
    if encoder.text is None:
        raise ConfigError(f"{config.name} was built without its text tower. Build it with keep_text=True.")
    return TextEncoder(encoder.text, find_tokenizer(config))


def find_tokenizer(config: SemanticConfig) -> Tokenizer:
    """Return the tokenizer that belongs to a model, from open_clip."""
    import open_clip  # takes seconds

    if config.name.startswith(HUB_PREFIX):
        return open_clip.get_tokenizer(config.name)
    folder = encoder_folder(config.name)
    return open_clip.get_tokenizer(config.name.replace("/", "-") if folder is None else f"local-dir:{folder}")


def prompts(label: str) -> list[str]:
    """Return open_clip's short list of templates around a label."""
    from open_clip import SIMPLE_IMAGENET_TEMPLATES

    return [template(label) for template in SIMPLE_IMAGENET_TEMPLATES]


@torch.inference_mode()
def embed_labels(
    text: CLIP, tokenizer: Tokenizer, labels: Sequence[str], *, templates: bool = True
) -> Tensor:
    """Return the mean of the unit vectors of each label's prompts, unit norm: `(len(labels), D)` float32.

    templates: False embeds the labels as they are.
    """
    asked = [prompts(label) if templates else [label] for label in labels]
    flat = [prompt for some in asked for prompt in some]
    parts = [
        F.normalize(encode_text(text, tokenizer(flat[i : i + PROMPTS_AT_ONCE])).float(), dim=-1)
        for i in range(0, len(flat), PROMPTS_AT_ONCE)
    ]
    return F.normalize(torch.cat(parts).unflatten(0, (len(labels), -1)).mean(dim=1), dim=-1)


def encode_text(text: CLIP, tokens: Tensor) -> Tensor:
    """Return `text.encode_text(tokens)`, without the padding behind the longest prompt where it is not read.

    tokens: ids `(N, context)`, on the CPU or where the tower is. Returns `(N, D)`, not normalised. In
    OpenAI's form of the text tower every token sees only those before it, and the end token is read: what
    follows has no say, and for short prompts it is most of the work.
    """
    import open_clip

    device = next((p.device for p in text.parameters()), tokens.device)
    mask = getattr(text, "attn_mask", None)
    if type(text) is not open_clip.CLIP or mask is None or text.text_pool_type != "argmax":
        return text.encode_text(upload(tokens, device))
    end = tokens.argmax(dim=-1)  # the end token has the highest id
    length = int(end.max()) + 1
    tokens, end = upload(tokens, device), upload(end, device)
    x = text.token_embedding(tokens[:, :length]) + text.positional_embedding[:length]
    x = text.ln_final(text.transformer(x, attn_mask=mask[:length, :length]))
    x = x[torch.arange(len(x), device=x.device), end]
    return (
        text.text_projection(x) if isinstance(text.text_projection, nn.Linear) else x @ text.text_projection
    )
