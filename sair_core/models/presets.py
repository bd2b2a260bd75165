"""Named configurations."""

from __future__ import annotations

import dataclasses

from sair_core.config import require
from sair_core.encoders.semantic import SemanticConfig
from sair_core.models.sair import Part, SairConfig
from sair_core.models.sir import SirConfig

PRESETS = {
    # The SAIR paper: CLIP ViT-B/16 (512-d), Table 4's encoder, MLPs of 4 x 256.
    "paper": SairConfig(
        appearance=Part("table4"),
        decoder=Part("liif", {"hidden": 256, "layers": 4, "use_cell": False}),
        semantic=SemanticConfig(name="ViT-B-16", pretrained="openai", keep_text=True),
    ),
    # Trains on two CPU cores in an afternoon, fills a 512 x 512 photo on them in about a second and shows a
    # view of a megapixel in about half of one. With the bundled text-aligned encoder; c at 1/8 of the photo.
    "lite": SairConfig(
        appearance=Part("unet"),
        decoder=Part("liif", {"hidden": 64, "layers": 4, "use_cell": True}),
        semantic=SemanticConfig(name="sair-clip", upsample=2.0, keep_text=True),
        sir=SirConfig(hidden=128, layers=3, context_blocks=3, context_width=192, heads=6),
        semantic_stride_px=8,
        # The encoder starts from a smooth fill, but the decoder does not add to it: with a long skip,
        # predicting nothing is so good a start that the decoder's ReLUs die before they learn more.
        initial_fill="pull_push",
    ),
}


def preset(name: str, **changes: object) -> SairConfig:
    """The preset `name` with fields of `SairConfig` changed, e.g. `preset("paper", semantics="none")`.

    Raises ConfigError for an unknown name or a contradiction.
    """
    require(name in PRESETS, f"unknown preset {name!r}; known are {sorted(PRESETS)}")
    return dataclasses.replace(PRESETS[name], **changes)
