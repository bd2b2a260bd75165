"""Named configurations."""

from __future__ import annotations

import dataclasses
from typing import Any

from sair_core.config import require
from sair_core.encoders.pretext import PretextConfig
from sair_core.encoders.semantic import BUNDLED_CONFIG, SemanticConfig
from sair_core.models.detail import DetailConfig
from sair_core.models.parts import Part
from sair_core.models.prior import PriorConfig, VariationalConfig
from sair_core.models.sair import SairConfig
from sair_core.models.sir import SirConfig
from sair_core.models.spade import GeneratorConfig
from sair_core.models.spn import SpnConfig

# The SAIR paper: plain dense CLIP ViT-B/16 (512-d), Table 4's encoder, MLPs of 4 x 256, holes that are zero.
PAPER = SairConfig(
    appearance=Part("table4", {"last_relu": True}),
    decoder=Part("liif", {"hidden": 256, "layers": 4, "use_cell": False}),
    semantic=SemanticConfig(name="ViT-B-16", pretrained="openai", keep_text=True, mask_keys=False),
)
EDSR, LTE = Part("edsr"), Part("lte")  # 16 blocks of width 64; 256 components

# The paper's tables, each row a change of what it is compared with.
PAPERS = {
    "paper": PAPER,
    # Tables 1 and 2, a model of its own: LIIF as published (EDSR, five layers, cells), but for its unfolding.
    "liif": SairConfig(
        appearance=EDSR,
        decoder=Part("liif", {"hidden": 256, "layers": 5, "use_cell": True}),
        semantics="none",
        semantic=None,
    ),
    # Table 5: another encoder and another implicit function, without semantics and with them.
    "edsr": dataclasses.replace(PAPER, appearance=EDSR, semantics="none", semantic=None),
    "sem-edsr": dataclasses.replace(PAPER, appearance=EDSR),
    "lte": dataclasses.replace(PAPER, decoder=LTE, semantics="none", semantic=None),
    "sem-lte": dataclasses.replace(PAPER, decoder=LTE),
    # Table 6: semantics not filled, only semantics, SAM's image encoder in the place of CLIP.
    "nfs": dataclasses.replace(PAPER, semantics="unfilled"),
    "ous": dataclasses.replace(PAPER, semantics="only", semantic_stride_px=1),
    "sam": dataclasses.replace(PAPER, semantic=SemanticConfig("timm:samvit_base_patch16")),
}

PRESETS = {
    **PAPERS,
    # For tests and first steps: everything in seconds.
    "tiny": SairConfig(
        appearance=Part(
            "unet",
            {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1], "context_blocks": 1, "heads": 2, "out_channels": 8},
        ),
        decoder=Part("liif", {"hidden": 16}),
        semantics="none",
        semantic=None,
        initial_fill="pull_push",
    ),
    # Trains on two CPU cores in an afternoon, fills a 512 x 512 photo on them in about a second and shows
    # a megapixel view in a third of one. With the bundled text-aligned encoder; c at 1/8 of the photo.
    "lite": SairConfig(
        appearance=Part("unet"),
        decoder=Part("liif", {"hidden": 64, "layers": 4, "use_cell": True}),
        semantic=BUNDLED_CONFIG,
        sir=SirConfig(hidden=128, layers=3, context_blocks=3, context_width=192, heads=6),
        semantic_stride_px=8,
        # The encoder starts from a smooth fill, but the decoder does not add to it: with a long skip,
        # predicting nothing is so good a start that the decoder's ReLUs die before they learn more.
        initial_fill="pull_push",
        detail=DetailConfig(),
    ),
}
# As lite; the U-Net also sees the encoder's maps of the smoothly filled photo and is modulated by completed
# semantics. A training can begin with lite's weights: both begin at zero.
PRESETS["lite-trunk"] = dataclasses.replace(
    PRESETS["lite"],
    appearance=Part("unet", {"trunk_channels": [24, 48, 120, 352], "semantic_channels": 256}),
)


def preset(name: str, **changes: Any) -> SairConfig:
    """Return the preset `name` with fields of `SairConfig` changed, e.g. `preset("paper", semantics="none")`.

    Raises ConfigError for an unknown name or a contradiction.
    """
    require(name in PRESETS, f"unknown preset {name!r}; known are {sorted(PRESETS)}")
    return dataclasses.replace(PRESETS[name], **changes)


SPN_PRESETS = {
    # The SPN paper: priors at 1, 1/2 and 1/4 of the photo, eight SPADE ResBlocks. It names neither widths nor
    # the number of residual blocks in the prior learner; with these the sizes of its Tables 4 and 6 come out
    # (docs/spn.md). Its teacher's weights (TResNet-L, labels of OpenImages) are not in timm: the same network
    # trained on ImageNet stands in.
    "paper": SpnConfig(),
    # The paper's earlier system (Table 3, first line): the coarsest prior only.
    "spl": SpnConfig(scales=1),
    # For tests and first steps: everything in seconds.
    "tiny": SpnConfig(
        widths=(8, 8, 16),
        stride_px=2,
        prior=PriorConfig(blocks=1, enlarge=False),
        generator=GeneratorConfig(blocks=1, hidden=8, kernel=1),
        variational=VariationalConfig(channels=4, halvings=1, width=8, decoder_width=8),
        pretext=PretextConfig("edges"),
        initial_fill="pull_push",
    ),
    # Trains on two CPU cores: everything at half of the photo's resolution or below, most of the work at an
    # eighth. Attention lets so few residual blocks see across a hole.
    "lite": SpnConfig(
        widths=(48, 96, 160),
        stride_px=2,
        prior=PriorConfig(blocks=4, enlarge=False, attention_blocks=2, heads=5),
        generator=GeneratorConfig(hidden=64, kernel=1, noise=True),
        variational=VariationalConfig(channels=32, halvings=2, width=96, decoder_width=64),
        pretext=PretextConfig("tf_efficientnet_lite2", upsample=2),
        initial_fill="pull_push",
    ),
}


def spn_preset(name: str, **changes: Any) -> SpnConfig:
    """Return the SPN preset `name` with fields changed, e.g. `spn_preset("lite", probabilistic=True)`.

    Raises ConfigError for an unknown name or a contradiction.
    """
    require(name in SPN_PRESETS, f"unknown SPN preset {name!r}; known are {sorted(SPN_PRESETS)}")
    return dataclasses.replace(SPN_PRESETS[name], **changes)
