"""Checkpoints that describe themselves: `config.json` + `model.safetensors` + `README.md`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from huggingface_hub import ModelHubMixin, snapshot_download
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sair_core.config import from_dict, to_dict
from sair_core.errors import CheckpointError, ModelNotFoundError
from sair_core.files import replacing
from sair_core.weights.network import HUB_ERRORS, hub_or_cache

if TYPE_CHECKING:
    from typing_extensions import Self

CONFIG_NAME, WEIGHTS_NAME = "config.json", "model.safetensors"
# Options that are no more, with the value at which a model is the same without them.
RETIRED = {"normalise": False}


class CheckpointModel(nn.Module, ModelHubMixin):
    """A module with `config`, saved, loaded and pushed through huggingface-hub's mixin.

    Subclasses set `model_type`, `config_class` and, when parts are rebuilt from weights of their own,
    `frozen_prefixes`: those are not saved.
    """

    model_type: ClassVar[str]
    config_class: ClassVar[type]
    frozen_prefixes: ClassVar[tuple[str, ...]] = ()
    config: Any

    @classmethod
    def from_pretrained(  # type: ignore[override]  # the mixin's arguments for a constructor are its config
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
    ) -> Self:
        """Load a model from a folder or a hub id, on the CPU; the other arguments are those of `fetch`.

        Raises ModelNotFoundError when it cannot be had, CheckpointError when it is damaged.
        """
        folder = Path(pretrained_model_name_or_path)
        if not folder.is_dir():
            folder = fetch(
                str(pretrained_model_name_or_path),
                force_download=force_download,
                token=token,
                cache_dir=cache_dir,
                local_files_only=local_files_only,
                revision=revision,
            )
        model_type, config = read_config(folder)
        if model_type != cls.model_type:
            raise CheckpointError(
                f"{folder} holds a {model_type!r} model, not {cls.model_type!r}. Give another folder."
            )
        model = cls(from_dict(cls.config_class, config))
        model.load_own_state(read_weights(folder), where=str(folder))
        return model

    def _save_pretrained(self, save_directory: Path) -> None:
        save_checkpoint(save_directory, self.own_state(), self.model_type, self.config)

    def own_state(self) -> dict[str, Tensor]:
        """Return the state that a checkpoint holds: everything but the parts under `frozen_prefixes`."""
        return {
            k: v for k, v in self.state_dict().items() if not k.startswith(self.frozen_prefixes or ("\0",))
        }

    def load_own_state(self, state: dict[str, Tensor], where: str) -> None:
        """Load strictly: raises CheckpointError listing every missing, unexpected or misshapen key."""
        own = self.own_state()
        problems = [f"missing {k}" for k in sorted(own.keys() - state.keys())]
        problems += [f"unexpected {k}" for k in sorted(state.keys() - own.keys())]
        problems += [
            f"{k} is {tuple(state[k].shape)}, want {tuple(own[k].shape)}"
            for k in sorted(own.keys() & state.keys())
            if state[k].shape != own[k].shape
        ]
        if problems:
            raise CheckpointError(
                f"{where} does not fit its configuration. Save or fetch the model again:\n  "
                + "\n  ".join(problems)
            )
        # Strict by the check above; frozen parts keep their weights.
        self.load_state_dict(state, strict=False)


def fetch(
    model_id: str,
    *,
    force_download: bool = False,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    revision: str | None = None,
) -> Path:
    """Return the folder of a hub model, fetched unless it is here already.

    force_download: fetch it even so. token: of the hub, True for the one of `hf auth login`. cache_dir: where
    it is kept. local_files_only: never ask the hub. revision: branch, tag or commit.
    Raises ModelNotFoundError.
    """
    try:
        with hub_or_cache():
            folder = snapshot_download(
                model_id,
                allow_patterns=[CONFIG_NAME, WEIGHTS_NAME],
                force_download=force_download,
                token=token,
                cache_dir=cache_dir,
                local_files_only=local_files_only,
                revision=revision,
            )
    except HUB_ERRORS as error:
        raise ModelNotFoundError(
            f"{model_id!r} is not on this machine and could not be fetched from the hub ({error}). Check the "
            "name and the network, or give a folder."
        ) from error
    return Path(folder)


def start_from(model: CheckpointModel, state: dict[str, Tensor]) -> tuple[list[str], list[str]]:
    """Copy what fits of `state` into `model`; `(missing, unexpected)` keys, a misshapen one is in both.

    The lenient counterpart of `load_own_state`, to begin a training with another model's weights.
    """
    own = model.own_state()
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    model.load_state_dict(fitting, strict=False)
    return sorted(own.keys() - fitting.keys()), sorted(state.keys() - fitting.keys())


def save_checkpoint(folder: Path, state: dict[str, Tensor], model_type: str, config: Any) -> None:
    """Write config and weights into `folder` so that a crash leaves the old files or the new, never half."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"model_type": model_type, **to_dict(config)}, indent=2)
    with replacing(folder / WEIGHTS_NAME) as path:
        save_file(
            {k: v.detach().cpu().contiguous() for k, v in state.items()}, path, metadata={"format": "pt"}
        )
    with replacing(folder / CONFIG_NAME) as path:
        path.write_text(text + "\n", encoding="utf-8")


def read_config(folder: Path) -> tuple[str, dict[str, Any]]:
    """Read `(model_type, config)` of a checkpoint folder. Raises CheckpointError when it is not one."""
    try:
        config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
        kept = {name: value for name, value in config.items() if (name, value) not in RETIRED.items()}
        return kept.pop("model_type"), kept
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"{folder / CONFIG_NAME} is missing or no model configuration ({error!r})."
            " Save or fetch the model again."
        ) from error


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read all tensors of a checkpoint folder, as float32.

    Raises CheckpointError when they cannot be read.
    """
    try:
        state = load_file(folder / WEIGHTS_NAME)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder / WEIGHTS_NAME} cannot be read ({error}). Save or fetch the model again."
        ) from error
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
