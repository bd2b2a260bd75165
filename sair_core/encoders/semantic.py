"""The semantic encoder: its configuration, how it is built, and the one that a name stands for."""

from __future__ import annotations

import difflib
from types import SimpleNamespace
from typing import Any

from sair_core.config import require, strict_dataclass
from sair_core.encoders.dense_clip import DenseClip, dense_form
from sair_core.encoders.folding import fold_batch_norms
from sair_core.encoders.open_clip_models import (
    HUB_PREFIX,
    encoder_folder,
    fetch,
    find_source,
    instantiate,
    load_checkpoint,
)
from sair_core.encoders.trunk import TIMM_PREFIX, build_trunk
from sair_core.errors import ModelNotFoundError
from sair_core.weights.bundled import BUNDLED_ENCODER

MIN_UPSAMPLE, MAX_UPSAMPLE = 0.25, 8.0


@strict_dataclass
class SemanticConfig:
    """Which CLIP is the semantic encoder.

    name: a bundled encoder ("sair-clip"), an open_clip model ("ViT-B-16"), "hf-hub:org/repository",
        "timm:NETWORK", which knows no words ("timm:samvit_base_patch16", SAM's), or a
        folder that holds an open_clip config (`open_clip_config.json`, or one JSON file with embed_dim,
        vision_cfg and text_cfg) beside its weights.
    pretrained: for open_clip models, the tag of the weights ("laion2b_s34b_b88k") or a file; None = random
        weights, no network. All others carry their weights: None.
    upsample: the photo is enlarged by this before the tower, in [0.25, 8]; tower stride / upsample is whole.
    context_scale: the photo is seen a second time at this share of its size, in (0, 1), and the directions
        of both are averaged: what is large is named better from further away. None: it is seen once.
    trainable: False keeps the tower frozen. keep_text: keep the text tower beside the image tower.
    key_smoothing: average each token with those like it, as MaskCLIP does; ViT towers only.
    mask_keys: tokens that are mostly hole are no keys; False is plain dense CLIP, as in the paper. ViT towers
        only.

    Raises ConfigError.
    """

    name: str = "ViT-B-16"
    pretrained: str | None = None
    upsample: float = 1.0
    context_scale: float | None = None
    trainable: bool = False
    keep_text: bool = False
    key_smoothing: bool = False
    mask_keys: bool = True

    def __post_init__(self) -> None:
        require(bool(self.name.strip()), "name must be an open_clip model name or a folder, got ''.")
        require(
            self.pretrained is None or bool(self.pretrained.strip()),
            f"pretrained must be a tag, a file or None, got {self.pretrained!r}.",
        )
        require(
            not self.name.startswith((HUB_PREFIX, TIMM_PREFIX)) or self.pretrained is None,
            f"{self.name} carries its weights: leave pretrained={self.pretrained!r} out.",
        )
        require(
            not (self.keep_text and self.name.startswith(TIMM_PREFIX)),
            f"{self.name} knows no words: leave keep_text out.",
        )
        require(
            MIN_UPSAMPLE <= self.upsample <= MAX_UPSAMPLE,
            f"upsample must be within [{MIN_UPSAMPLE}, {MAX_UPSAMPLE}], got {self.upsample}.",
        )
        require(
            self.context_scale is None or 0 < self.context_scale < 1,
            f"context_scale must be within (0, 1) or None, got {self.context_scale}.",
        )


# How the bundled encoder sees best: measured on training photos that were held back from its training.
BUNDLED_CONFIG = SemanticConfig(BUNDLED_ENCODER, upsample=2.0, context_scale=0.4, keep_text=True)


def build_semantic_encoder(config: SemanticConfig, *, load_weights: bool = True) -> DenseClip:
    """Build the encoder on the CPU in float32, in evaluation mode.

    load_weights: False builds the same network (activation and normalisation of the named weights included)
    with random weights, for checkpoints that carry them; only "hf-hub:" names may then need a network.
    Raises ModelNotFoundError (unknown name or tag, or it cannot be fetched), CheckpointError (config or
    weights damaged), ConfigError (no dense form, or no keys to smooth by), MissingDependencyError (text tower
    of transformers).
    """
    if config.name.startswith(TIMM_PREFIX):
        name = config.name.removeprefix(TIMM_PREFIX)
        model: Any = SimpleNamespace(visual=build_trunk(name, fetch if load_weights else None))
        loaded = load_weights
    else:
        source = find_source(config.name, config.pretrained)
        fetch_weights = source.fetch_weights if load_weights else None
        model = instantiate(source, full=config.keep_text or fetch_weights is not None)
        if fetch_weights is not None:
            # Refuses an unfit tower before hundreds of megabytes are fetched.
            dense_form(model.visual, key_smoothing=config.key_smoothing)
            load_checkpoint(model, fetch_weights())
        loaded = fetch_weights is not None
    if loaded and not config.trainable:
        fold_batch_norms(model.visual)
    return DenseClip(
        model,
        upsample=config.upsample,
        context_scale=config.context_scale,
        trainable=config.trainable,
        keep_text=config.keep_text,
        key_smoothing=config.key_smoothing,
        mask_keys=config.mask_keys,
    )


def find_encoder(name: str) -> SemanticConfig:
    """Return how the encoder of a name that a person types is used, with its words where it knows any.

    name: a bundled encoder, a folder, "hf-hub:org/repository", an open_clip model ("ViT-B-16", or with the
    tag of its weights "ViT-B-16:laion2b_s34b_b88k"; without, the first of open_clip's list), or a network of
    timm.
    Raises ModelNotFoundError.
    """
    if name == BUNDLED_ENCODER:
        return BUNDLED_CONFIG
    if encoder_folder(name) is not None or name.startswith(HUB_PREFIX):
        return SemanticConfig(name, keep_text=True)
    if name.startswith(TIMM_PREFIX):
        return SemanticConfig(name)
    import open_clip
    import timm

    model, _, tag = name.replace("/", "-").partition(":")
    tags = open_clip.list_pretrained_tags_by_model(model)
    if tags:
        return SemanticConfig(model, tag or tags[0], keep_text=True)
    if timm.is_model(name):
        return SemanticConfig(TIMM_PREFIX + name)
    near = difflib.get_close_matches(name, [*open_clip.list_models(), *timm.list_models()], n=5)
    hint = f"Did you mean {', '.join(near)}?" if near else "Give a name of open_clip or of timm."
    raise ModelNotFoundError(
        f"There is no encoder {name!r}. {BUNDLED_ENCODER} is bundled, a folder may hold one. {hint}"
    )
