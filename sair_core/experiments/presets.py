"""How large the experiments are, and where the photos of a set lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sair_core.experiments.published import NOT_SAID


@dataclass(frozen=True)
class Preset:
    """Photos and sizes of all experiments.

    train, test, labelled: folders below the one of the data; a set that `photos.datasets` knows is one folder
    for all. labelled: None where no photo has labels. size_px: side of the photos that are measured. limit:
    how many of them, None for all. sair, spn: what every training of that kind has beside its variant's
    fields. own: what a variant, by name, has beside these here. published: whose figures stand beside ours,
    as `published` calls their photos.
    """

    train: tuple[str, ...] = (".",)
    test: str = "."
    labelled: str | None = None
    size_px: int = 256
    limit: int | None = None
    sair: Mapping[str, Any] = field(default_factory=dict)
    spn: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    published: tuple[str, ...] = ()

    def folders(self, data: Path) -> tuple[str, ...]:
        """Return the folders of the photos to train on."""
        return tuple(str(data / name) for name in self.train)


# The SPN paper says neither how long it trains nor in what batches.
_PAPER_SPN = {"preset": "paper", "steps": 200_000, "batch": 8, "validate_every": 5000, "save_every": 1000}
_PAPER_SAIR = {"validate_every": 5000, "save_every": 1000}
_SMALL = {
    "size_px": 64,
    "final_size_px": 64,
    "validate_every": 100,
    "save_every": 100,
    "workers": 0,
}

PRESETS = {
    # Two CPU cores and an afternoon: networks of the paper's size see few and small photos. The SPN is the
    # one that is made for such machines, and its teacher's weights come in a package.
    "small": Preset(
        train=("scenes/train", "labelled/train"),
        test="scenes/val",
        labelled="labelled/val",
        size_px=64,
        limit=100,
        sair={
            **_SMALL,
            "encoder": "sair-clip",
            "encoder_upsample": 4.0,  # 8 x 8 places a photo; at 2, as it sees best, only 4 x 4
            "batch": 4,
            "queries": 576,  # of 4096 px; with LIIF's 2304 the decoder would cost as much as the encoder
            "steps": 600,
            "learning_rate": 5e-4,
            "warmup_steps": 50,
        },
        spn={**_SMALL, "preset": "lite", "batch": 8, "steps": 500, "image_steps": 100},
        own={
            # Where it is measured it sees 64 px, or 16 of a photo that is reduced four times.
            "restorer": {"size_px": 32, "final_size_px": 32, "batch": 16},
            # The weight 0.1 is for maps of a trained EfficientNet-Lite, whose values are about 7. Those of
            # edges are 0.12, of its random weights 3, of another SPN's priors 0.5: so all teach alike.
            "spn-edges": {"prior_weight": 5.0},
            "spn-random": {"prior_weight": 0.2},
            "spl-taught": {"prior_weight": 1.0},
        },
        published=("CelebA-HQ", "ADE20K", "Paris StreetView", NOT_SAID),
    ),
    "celebahq": Preset(labelled=".", sair=_PAPER_SAIR, spn=_PAPER_SPN, published=("CelebA-HQ", NOT_SAID)),
    "ade20k": Preset(labelled=".", sair=_PAPER_SAIR, spn=_PAPER_SPN, published=("ADE20K", NOT_SAID)),
    "places2": Preset(limit=12_000, sair=_PAPER_SAIR, spn=_PAPER_SPN, published=("Places2",)),
}
