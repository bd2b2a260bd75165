"""open_clip models: how they are found by a name, built, and given their weights.

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
from typing import TYPE_CHECKING, Any, TypeVar

from sair_core.errors import CheckpointError, ConfigError, MissingDependencyError, ModelNotFoundError
from sair_core.weights.bundled import BUNDLED
from sair_core.weights.network import hub_or_cache

if TYPE_CHECKING:
    from open_clip import CLIP

T = TypeVar("T")

HUB_PREFIX = "hf-hub:"
CONFIG_FILE = "open_clip_config.json"
# What an image tower is built beside when the text tower is dropped at once. It keeps models whose text tower
# needs a download (or gigabytes) cheap to build.
_TINY_TEXT = {"context_length": 8, "vocab_size": 8, "width": 8, "heads": 1, "layers": 1}


def encoder_folder(name: str) -> Path | None:
    """Return the folder of a bundled name or of a path; None when `name` is open_clip's or the hub's."""
    if (BUNDLED / name / CONFIG_FILE).is_file():
        return BUNDLED / name
    return Path(name) if Path(name).is_dir() else None


@dataclass(frozen=True)
class OpenClipSource:
    """A model found: how open_clip builds it, what normalisation it has, how to get its weights."""

    label: str
    model_cfg: dict[str, Any]
    preprocess_cfg: dict[str, Any]
    fetch_weights: Callable[[], str] | None


def find_source(name: str, pretrained: str | None) -> OpenClipSource:
    """Find an open_clip model by `SemanticConfig`'s name and pretrained.

    Raises ModelNotFoundError, CheckpointError, ConfigError.
    """
    if name.startswith(HUB_PREFIX):
        return _find_on_hub(name)
    folder = encoder_folder(name)
    return _find_in_open_clip(name, pretrained) if folder is None else _find_in_folder(folder, pretrained)


def _find_on_hub(name: str) -> OpenClipSource:
    from open_clip.pretrained import download_pretrained_from_hf

    repository = name.removeprefix(HUB_PREFIX)
    path = fetch(name, partial(download_pretrained_from_hf, repository, filename=CONFIG_FILE))
    model_cfg, preprocess_cfg = _read_config(Path(path))
    weights = partial(fetch, name, partial(download_pretrained_from_hf, repository))
    return OpenClipSource(name, model_cfg, preprocess_cfg, weights)


def _find_in_folder(folder: Path, pretrained: str | None) -> OpenClipSource:
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

    return OpenClipSource(str(folder), model_cfg, preprocess_cfg, weights)


def _find_in_open_clip(name: str, pretrained: str | None) -> OpenClipSource:
    import open_clip

    model = name.replace("/", "-")  # open_clip's own rule: "ViT-B/16" is "ViT-B-16"
    model_cfg = open_clip.get_model_config(model)
    if model_cfg is None:
        near = difflib.get_close_matches(model, open_clip.list_models(), n=5)
        hint = f"Did you mean {', '.join(near)}?" if near else "Choose one of open_clip.list_models()."
        raise ModelNotFoundError(f"{name!r} is neither a folder nor an open_clip model, nor bundled. {hint}")
    if pretrained is None:
        return OpenClipSource(model, model_cfg, {}, None)
    if open_clip.is_pretrained_cfg(model, pretrained):
        tag = open_clip.get_pretrained_cfg(model, pretrained)
        # Weights trained with QuickGELU are wrong under GELU; open_clip only warns about it.
        model_cfg["quick_gelu"] = bool(model_cfg.get("quick_gelu") or tag.get("quick_gelu"))
        label = f"{model} ({pretrained})"
        weights = partial(fetch, label, partial(open_clip.download_pretrained, tag))
        return OpenClipSource(label, model_cfg, tag, weights)
    if Path(pretrained).is_file():
        return OpenClipSource(model, model_cfg, {}, partial(str, pretrained))
    raise ModelNotFoundError(
        f"{pretrained!r} is neither a file nor a tag of {model}. Choose one of its tags: "
        f"{', '.join(open_clip.list_pretrained_tags_by_model(model)) or 'none'}."
    )


def fetch(label: str, fetch: Callable[[], T]) -> T:
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


def instantiate(source: OpenClipSource, *, full: bool) -> CLIP:
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


def load_checkpoint(model: CLIP, path: str) -> None:
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
