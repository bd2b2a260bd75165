"""The semantic encoder: its configuration, and how open_clip models are found and loaded.

open_clip takes seconds to import, so it is imported by the functions that need it.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from sair_core.config import require, strict_dataclass
from sair_core.encoders.dense_clip import DenseClip, dense_form
from sair_core.encoders.folding import fold_batch_norms
from sair_core.encoders.trunk import TIMM_PREFIX, build_trunk
from sair_core.errors import CheckpointError, ConfigError, MissingDependencyError, ModelNotFoundError
from sair_core.weights.bundled import BUNDLED, BUNDLED_ENCODER
from sair_core.weights.network import hub_or_cache

if TYPE_CHECKING:
    from open_clip import CLIP

T = TypeVar("T")

HUB_PREFIX = "hf-hub:"
CONFIG_FILE = "open_clip_config.json"
MIN_UPSAMPLE, MAX_UPSAMPLE = 0.25, 8.0
# What an image tower is built beside when the text tower is dropped at once. It keeps models whose text tower
# needs a download (or gigabytes) cheap to build.
_TINY_TEXT = {"context_length": 8, "vocab_size": 8, "width": 8, "heads": 1, "layers": 1}


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
        model: Any = SimpleNamespace(visual=build_trunk(name, _fetch if load_weights else None))
        loaded = load_weights
    else:
        source = _find(config)
        fetch = source.fetch_weights if load_weights else None
        model = _instantiate(source, full=config.keep_text or fetch is not None)
        if fetch is not None:
            # Refuses an unfit tower before hundreds of megabytes are fetched.
            dense_form(model.visual, key_smoothing=config.key_smoothing)
            _load(model, fetch())
        loaded = fetch is not None
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


def encoder_folder(name: str) -> Path | None:
    """Return the folder of a bundled name or of a path; None when `name` is open_clip's or the hub's."""
    if (BUNDLED / name / CONFIG_FILE).is_file():
        return BUNDLED / name
    return Path(name) if Path(name).is_dir() else None


@dataclass(frozen=True)
class _Source:
    """A model found: how open_clip builds it, what normalisation it has, how to get its weights."""

    label: str
    model_cfg: dict[str, Any]
    preprocess_cfg: dict[str, Any]
    fetch_weights: Callable[[], str] | None


def _find(config: SemanticConfig) -> _Source:
    if config.name.startswith(HUB_PREFIX):
        return _find_on_hub(config.name)
    folder = encoder_folder(config.name)
    return _find_in_open_clip(config) if folder is None else _find_in_folder(folder, config.pretrained)


def _find_on_hub(name: str) -> _Source:
    from open_clip.pretrained import download_pretrained_from_hf

    repository = name.removeprefix(HUB_PREFIX)
    path = _fetch(name, partial(download_pretrained_from_hf, repository, filename=CONFIG_FILE))
    model_cfg, preprocess_cfg = _read_config(Path(path))
    weights = partial(_fetch, name, partial(download_pretrained_from_hf, repository))
    return _Source(name, model_cfg, preprocess_cfg, weights)


def _find_in_folder(folder: Path, pretrained: str | None) -> _Source:
    if pretrained is not None:
        raise ConfigError(f"{folder} carries its weights: leave pretrained={pretrained!r} out.")
    found = [folder / CONFIG_FILE] if (folder / CONFIG_FILE).is_file() else _configs_in(folder)
    if len(found) != 1:
        raise ModelNotFoundError(
            f"{folder} must hold {CONFIG_FILE}, or one JSON file with embed_dim, vision_cfg and text_cfg; it "
            f"has {[path.name for path in found]}. Point to the folder of an open_clip model."
        )
    model_cfg, preprocess_cfg = _read_config(found[0])

    def weights() -> str:
        files = sorted(folder.glob("*.safetensors"))
        preferred = [file for file in files if file.stem in ("open_clip_model", "model")] or files
        if len(preferred) != 1:
            raise ModelNotFoundError(
                f"{folder} must hold weights as model.safetensors; it has {[file.name for file in files]}."
                " Put the weights beside the config."
            )
        return str(preferred[0])

    return _Source(str(folder), model_cfg, preprocess_cfg, weights)


def _find_in_open_clip(config: SemanticConfig) -> _Source:
    import open_clip

    name = config.name.replace("/", "-")  # open_clip's own rule: "ViT-B/16" is "ViT-B-16"
    model_cfg = open_clip.get_model_config(name)
    if model_cfg is None:
        near = difflib.get_close_matches(name, open_clip.list_models(), n=5)
        hint = f"Did you mean {', '.join(near)}?" if near else "Choose one of open_clip.list_models()."
        raise ModelNotFoundError(
            f"{config.name!r} is neither a folder nor an open_clip model, nor bundled. {hint}"
        )
    if config.pretrained is None:
        return _Source(name, model_cfg, {}, None)
    if open_clip.is_pretrained_cfg(name, config.pretrained):
        tag = open_clip.get_pretrained_cfg(name, config.pretrained)
        # Weights trained with QuickGELU are wrong under GELU; open_clip only warns about it.
        model_cfg["quick_gelu"] = bool(model_cfg.get("quick_gelu") or tag.get("quick_gelu"))
        label = f"{name} ({config.pretrained})"
        weights = partial(_fetch, label, partial(open_clip.download_pretrained, tag))
        return _Source(label, model_cfg, tag, weights)
    if Path(config.pretrained).is_file():
        return _Source(name, model_cfg, {}, partial(str, config.pretrained))
    raise ModelNotFoundError(
        f"{config.pretrained!r} is neither a file nor a tag of {name}. Choose one of its tags: "
        f"{', '.join(open_clip.list_pretrained_tags_by_model(name)) or 'none'}."
    )


def _fetch(label: str, fetch: Callable[[], T]) -> T:
    """Run a download; every way it fails becomes a ModelNotFoundError that says what to do."""
    try:
        with hub_or_cache():
            return fetch()
    except (OSError, RuntimeError) as error:
        raise ModelNotFoundError(
            f"{label} is not on this machine and could not be fetched ({error}). Connect to the network and "
            "try again, or choose the bundled encoder or a folder with an open_clip config and its weights."
        ) from error


def _configs_in(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.json")) if _is_model_config(_read_json(path))]


def _is_model_config(content: object) -> bool:
    return isinstance(content, dict) and {"embed_dim", "vision_cfg", "text_cfg"} <= content.keys()


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not readable JSON ({error}). Fetch the model again.") from error


def _read_config(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read `(model_cfg, preprocess_cfg)` of an open_clip config, in the hub's form or the bare one."""
    content = _read_json(path)
    model_cfg = content.get("model_cfg", content) if isinstance(content, dict) else content
    if not _is_model_config(model_cfg):
        raise CheckpointError(
            f"{path} is no open_clip config. Give one with embed_dim, vision_cfg and text_cfg."
        )
    preprocess_cfg = content.get("preprocess_cfg", {})
    return model_cfg, preprocess_cfg if isinstance(preprocess_cfg, dict) else {}


def _instantiate(source: _Source, *, full: bool) -> CLIP:
    """Build the open_clip model with random weights; unless `full`, its text tower is a tiny stand-in."""
    import open_clip

    cfg = {key: value for key, value in source.model_cfg.items() if key != "custom_text"}
    # The towers' own pretrained weights would be downloads, and are replaced or not wanted.
    cfg["vision_cfg"] = {**cfg["vision_cfg"], "timm_model_pretrained": False}
    cfg["text_cfg"] = {**cfg["text_cfg"], "hf_model_pretrained": False} if full else dict(_TINY_TEXT)
    transformers_text = bool(cfg["text_cfg"].get("hf_model_name"))
    if transformers_text and importlib.util.find_spec("transformers") is None:
        raise MissingDependencyError(
            f"The text tower of {source.label} needs the package transformers. pip install transformers, or "
            "choose another model."
        )
    kind = open_clip.CLIP
    if full and (source.model_cfg.get("custom_text") or transformers_text):
        kind = open_clip.CoCa if "multimodal_cfg" in cfg else open_clip.CustomTextCLIP
    elif not full:
        cfg.pop("multimodal_cfg", None)
    try:
        model = kind(**cfg)
    except (TypeError, KeyError, AssertionError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"open_clip cannot build the config of {source.label}. Choose another model: {error}"
        ) from error
    statistics = {key: source.preprocess_cfg.get(key) for key in ("mean", "std")}
    open_clip.set_model_preprocess_cfg(model, statistics)
    return model


def _load(model: CLIP, path: str) -> None:
    """Load a full open_clip checkpoint strictly, in any of the forms open_clip knows."""
    import open_clip
    from safetensors import SafetensorError

    damaged = (OSError, KeyError, AttributeError, RuntimeError, SafetensorError, pickle.UnpicklingError)
    try:
        open_clip.load_checkpoint(model, path, weights_only=True)
    except damaged as error:
        raise CheckpointError(
            f"{path} does not hold the weights of this model. Fetch them again: {error}"
        ) from error
