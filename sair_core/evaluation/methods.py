"""The rows of a table of fills: models, baselines, and what others have made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sair_core.devices import autocast
from sair_core.errors import ConfigError
from sair_core.evaluation.baselines import METHODS, FillMethod
from sair_core.evaluation.external import FinishedFills, read_method
from sair_core.evaluation.patchmatch import PatchMatch
from sair_core.filling.restore import restore
from sair_core.filling.texture.config import TextureConfig
from sair_core.models.sair import Sair
from sair_core.photos.photo import load_photo

Method = FillMethod | FinishedFills


@dataclass(frozen=True)
class ModelRow:
    """A model as a row: which one, with what options of the pipeline around it and of its `fill`.

    restores: the model says every pixel, the known ones too (a SAIR; `RestoreMethod`).
    """

    model: str
    pipeline: Mapping[str, Any] = field(default_factory=dict)
    fill: Mapping[str, Any] = field(default_factory=dict)
    restores: bool = False


SMOOTH = {"texture": False}  # the model's colours, as the product shows them
RAW = {**SMOOTH, "remove_seams": False}  # what the model alone says

SEMANTIC_GUIDE = 0.03  # of the row that takes grass from grass

# One more way to fill is one line here.
MODEL_ROWS = {
    "sair": ModelRow("sair", SMOOTH),
    "natural": ModelRow("sair"),
    "natural-semantics": ModelRow("sair", {"texture": TextureConfig(semantic_guide=SEMANTIC_GUIDE)}),
    "natural-painted": ModelRow("spn", {"texture": True}),
    "spn": ModelRow("spn"),
    "engine": ModelRow("engine", SMOOTH),
    "engine-natural": ModelRow("engine", {"texture": True}),
    "sair-raw": ModelRow("sair", RAW),
    "spn-raw": ModelRow("spn", RAW),
    "sair-restore": ModelRow("sair", RAW, restores=True),
}


class ModelMethod:
    """A pipeline as a method on arrays. device: where it runs. samples: fills of each hole; one where the
    model does not draw."""

    def __init__(self, model: str, row: ModelRow, device: str, samples: int = 1) -> None:
        """model: name, folder or hub id; of the row's "engine" as `load_engine` takes it."""
        from sair_core.pipeline import InpaintPipeline

        if row.model == "engine":
            self.pipeline = InpaintPipeline.from_pretrained(engine=model, device=device, **row.pipeline)
        else:
            self.pipeline = InpaintPipeline.from_pretrained(model, device=device, **row.pipeline)
        self.options = row.fill
        self.device = str(self.pipeline.device)
        self.samples = samples if samples > 1 and self.pipeline.draws else 1

    def __call__(self, photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """photo: uint8 (H, W, 3), mask: bool (H, W), True = hole -> uint8 (H, W, 3), or of several samples
        (N, H, W, 3)."""
        opened = load_photo(photo)
        if self.samples == 1:
            return self.pipeline.fill(opened, mask, seed=0, **self.options).photo.rgb
        fills = self.pipeline.variations(opened, mask, self.samples, seed=0, **self.options)
        return np.stack([fill.photo.rgb for fill in fills])


class RestoreMethod(ModelMethod):
    """A SAIR as a method that says every pixel of a photo, those that are known, too."""

    def __call__(
        self, photo: np.ndarray, mask: np.ndarray, size_px: tuple[int, int] | None = None
    ) -> np.ndarray:
        """As `ModelMethod`; size_px: of a photo that was reduced, the size that it had.

        Raises ConfigError for a model that is no SAIR.
        """
        model = self.pipeline.model
        if not isinstance(model, Sair):
            raise ConfigError("--methods sair-restore needs a SAIR. Name one with --model.")
        with autocast(self.pipeline.device, self.pipeline.bf16):
            return restore(model, photo, mask, size_px or mask.shape, self.pipeline.device)


def build_methods(
    names: Collection[str],
    models: Mapping[str, str | None],
    *,
    external: Iterable[str] = (),
    given: Mapping[str, FillMethod] | None = None,
    device: str = "auto",
    samples: int = 1,
) -> dict[str, Method]:
    """The rows asked for, in that order, then the external ones.

    names: of models (MODEL_ROWS), baselines (METHODS), "patchmatch", or of `given`, which goes before them.
    models: name, folder or hub id for each model that a row has, None where it was not named.
    external: "NAME=FOLDER" or "NAME=COMMAND", as `read_method` takes them. samples: fills of each hole by a
    model that draws.

    Raises ConfigError for a name that does not exist, is there twice, and when no model can give the samples;
    and what loading a model raises.
    """
    known: dict[str, FillMethod] = {**METHODS, "patchmatch": PatchMatch(), **(given or {})}
    methods: dict[str, Method] = {}
    for name in names:
        if name in known:
            methods[name] = known[name]
        elif name in MODEL_ROWS:
            row = MODEL_ROWS[name]
            model = models[row.model]
            if model is None:
                raise ConfigError(f"--methods {name} needs --{row.model} and the model to measure.")
            kind = RestoreMethod if row.restores else ModelMethod
            methods[name] = kind(model, row, device, 1 if row.restores else samples)
        else:
            choices = ", ".join(dict.fromkeys((*MODEL_ROWS, *known)))
            raise ConfigError(f"--methods must be some of {choices}, got {name!r}.")
    for name, method in map(read_method, external):
        if name in methods:
            raise ConfigError(f"There are two methods called {name!r}. Give one of them another name.")
        methods[name] = method
    if samples > 1 and not any(isinstance(m, ModelMethod) and m.samples > 1 for m in methods.values()):
        raise ConfigError("--samples needs a model that draws: add --methods spn, with a probabilistic SPN.")
    return methods
