"""Dense CLIP: an embedding in CLIP's text space for every cell of an image, without any new parameter.

CLIP pools its image tower's last features into one vector. Here the pooling is taken away (MaskCLIP, Zhou
et al. 2022) and what it does to the position it looks at is done at every position instead. `x_j` below is
what the pooling sees at position j, `dense_j` what this module returns there.

- ViT: the last block drops query and key, so a token's attention output is the output projection of its own
  value. The block's residual and MLP, the final norm and the projection stay (MaskCLIP's convention). So
  `dense_j` is the pooled output when the pooled token enters the last block as `x_j` and attends to j only.
- ModifiedResNet: `dense_j = c_proj(v_proj(x_j))`, as MaskCLIP does. The pooled output for an attention that
  looks at j only is `c_proj(v_proj(x_j + p_j))`, p_j the pool's position embedding. Both are equal for
  p_j = 0; otherwise they differ by `C V p_j` (the two weight matrices), which does not depend on the image.
- timm trunk without words (`trunk.Trunk`): its last map as it is.
- timm tower with average pooling: everything after the pooling (norm, projection or MLP) at every position.
  `dense_j` is the pooled output of the 1 x 1 map `x_j`; where the head is affine (timm's ResNets with a
  linear projection) the mean of `dense` over the map is the pooled output.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sair_core.devices import upload
from sair_core.encoders.dense_vit import dense_vit
from sair_core.encoders.stage_maps import StageMaps, take_stages
from sair_core.encoders.trunk import Trunk, trunk_form
from sair_core.errors import ConfigError

if TYPE_CHECKING:
    from open_clip import CLIP
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.timm_model import TimmModel
    from open_clip.transformer import VisionTransformer

LOGIT_SCALE_INIT = math.log(1 / 0.07)


class DenseClip(nn.Module):
    """Dense, text-aligned embedding of a masked image from an open_clip model's image tower.

    The input is `rgb01 * (1 - hole01)`: holes are black before the tower's own mean and standard deviation
    are applied. Where needed it is resized (bilinear, the whole image onto the whole grid, so that cells stay
    cell-centred) to `(h, w) * tower stride`, h = ceil(H / stride), w = ceil(W / stride): any size of at least
    one pixel works. In ViT towers, tokens whose patch is more than half hole are never keys
    (unless `mask_keys` is off); they do attend.

    Attributes: `embed_dim`; `stride` (input pixels per cell: the tower's stride / upsample); `visual` (the
    tower itself); `logit_scale` (buffer, the logarithm, as open_clip keeps it); `text` (the model without its
    image tower, for `text.encode_text(tokens)`, or None).
    """

    logit_scale: Tensor

    def __init__(
        self,
        model: CLIP,
        *,
        upsample: float = 1.0,
        context_scale: float | None = None,
        trainable: bool = False,
        keep_text: bool = False,
        key_smoothing: bool = False,
        mask_keys: bool = True,
    ):
        """Wrap an open_clip model (anything with an image tower in `model.visual`); the tower is shared.

        upsample: the input is enlarged by this before the tower. context_scale: the image is seen a second
        time at this share of its size, and the directions of both are averaged: what is large is named better
        from further away. trainable: False freezes the tower (no gradients, always in evaluation mode).
        keep_text: keep the text tower, always frozen.
        key_smoothing: average each token's output with those of tokens like it (`refine.smooth_by_keys`).
        mask_keys: False lets tokens of holes be keys, as in MaskCLIP and the SAIR paper.
        Raises ConfigError for a tower without a dense form, for an `upsample` that does not give a stride of
        whole pixels and for `key_smoothing` of a tower that is no ViT.
        """
        super().__init__()
        self.visual: nn.Module = model.visual
        self.trainable = trainable
        self.context_scale = context_scale
        self.mask_keys = mask_keys
        self.text = _without_image_tower(model) if keep_text else None
        if not trainable:
            self.visual.requires_grad_(False)
        if self.text is not None:
            self.text.requires_grad_(False)
        self.train(False)

        self._dense, self._tower_stride, self.embed_dim = dense_form(self.visual, key_smoothing=key_smoothing)
        self.stride = _input_stride(self._tower_stride, upsample)
        self.image_mean, self.image_std = _normalisation(self.visual)
        scale = getattr(model, "logit_scale", None)
        scale = torch.tensor(LOGIT_SCALE_INIT) if scale is None else scale.detach().clone()
        self.register_buffer("logit_scale", scale)

    def train(self, mode: bool = True) -> DenseClip:
        """As in torch, but what is frozen stays in evaluation mode (batch norm, drop path, dropout)."""
        super().train(mode and self.trainable)
        if self.text is not None:
            self.text.train(False)
        return self

    def grid_size(self, size_px: tuple[float, float]) -> tuple[int, int]:
        """Return the cells `(h, w)` of the map for an image of `(height, width)`."""
        return math.ceil(size_px[0] / self.stride), math.ceil(size_px[1] / self.stride)

    def forward(self, rgb01: Tensor, hole01: Tensor | None = None) -> Tensor:
        """Embed every cell of the masked image.

        rgb01: `(B, 3, H, W)` in [0, 1]; hole01: `(B, 1, H, W)`, 1 = hole, or None for no hole.
        Returns `(B, embed_dim, ceil(H / stride), ceil(W / stride))` in the tower's dtype, not normalised.
        Raises ValueError for other shapes.
        """
        if rgb01.ndim != 4 or rgb01.shape[1] != 3 or 0 in rgb01.shape:
            raise ValueError(f"rgb01 must be (B, 3, H, W) and not empty, got {tuple(rgb01.shape)}")
        if hole01 is not None and hole01.shape != (rgb01.shape[0], 1, *rgb01.shape[2:]):
            raise ValueError(
                f"hole01 must be (B, 1, H, W) of the photo {tuple(rgb01.shape)}, got {tuple(hole01.shape)}"
            )
        near = self._dense(self.visual, *self._prepare(rgb01, hole01))
        if self.context_scale is None:
            return near
        far = self._dense(self.visual, *self._prepare(rgb01, hole01, self.context_scale))
        far = F.interpolate(far.float(), near.shape[-2:], mode="bilinear", align_corners=False)
        norm = near.float().norm(dim=1, keepdim=True).clamp_min(1e-6)
        return (0.5 * (near + norm * F.normalize(far, dim=1))).to(near.dtype)

    def stage_channels(self, reductions: Sequence[int]) -> tuple[int, ...]:
        """Return the channels of what `stage_maps` returns. Raises ConfigError for a tower without stages."""
        _, channels = self._take_stages(reductions)
        return channels

    def stage_maps(self, rgb01: Tensor, reductions: Sequence[int]) -> list[Tensor]:
        """Return maps of the tower's trunk, before its projection, of photos at their own size.

        rgb01: `(B, 3, H, W)` in [0, 1]; reductions: pixels a cell of each map, finest first, such as a
        convolutional network of timm has. Returns `(B, C_i, ceil(H / r_i), ceil(W / r_i))` a reduction.
        Raises ConfigError as `stage_channels`.
        """
        stages, _ = self._take_stages(reductions)
        return stages(self._normalise(rgb01.float()))

    def _take_stages(self, reductions: Sequence[int]) -> tuple[StageMaps, tuple[int, ...]]:
        network = getattr(self.visual, "trunk", self.visual)
        return take_stages(type(network).__name__, network, reductions)

    def _prepare(
        self, rgb01: Tensor, hole01: Tensor | None, scale: float = 1.0
    ) -> tuple[Tensor, Tensor | None]:
        """Return the tower's input in its dtype, and the hole at the same size in float32."""
        x = rgb01.float()
        if hole01 is not None:
            hole01 = hole01.float()
            x = torch.cat([x * (1 - hole01), hole01], dim=1)  # (B, 4, H, W): one resize for both
        h, w = self.grid_size((scale * x.shape[2], scale * x.shape[3]))
        size = (h * self._tower_stride, w * self._tower_stride)
        if size != tuple(x.shape[2:]):
            shrinks = size[0] < x.shape[2] or size[1] < x.shape[3]
            x = F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=shrinks)
        return self._normalise(x[:, :3]), x[:, 3:] if hole01 is not None and self.mask_keys else None

    def _normalise(self, rgb01: Tensor) -> Tensor:
        """Return a picture as the tower was trained with, in its dtype."""
        mean, std = upload(torch.tensor([self.image_mean, self.image_std]), rgb01.device).view(2, 1, 3, 1, 1)
        return ((rgb01 - mean) / std).to(next(self.visual.parameters()).dtype)


DenseForward = Callable[[nn.Module, Tensor, "Tensor | None"], Tensor]


def dense_form(tower: nn.Module, *, key_smoothing: bool = False) -> tuple[DenseForward, int, int]:
    """Return the function that computes a tower's dense output, the tower's stride and its embedding size.

    Raises ConfigError for a tower without a dense form, and for `key_smoothing` of one that is no ViT.
    """
    # Here and not above: open_clip takes seconds to import, and whoever made the tower has paid for it.
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.timm_model import TimmModel
    from open_clip.transformer import VisionTransformer

    forms = {
        VisionTransformer: _vit_form,
        ModifiedResNet: _resnet_form,
        TimmModel: _timm_form,
        Trunk: trunk_form,
    }
    for kind, form in forms.items():
        if isinstance(tower, kind):
            dense, stride, embed_dim = form(tower)
            return _add_key_smoothing(dense, tower) if key_smoothing else dense, stride, embed_dim
    raise ConfigError(
        f"{type(tower).__name__} has no dense form. Choose an open_clip model whose image tower is a "
        "VisionTransformer, a ModifiedResNet or a timm network with average pooling."
    )


def _add_key_smoothing(dense: DenseForward, tower: nn.Module) -> DenseForward:
    if dense is not dense_vit:
        raise ConfigError(
            "Key smoothing compares the keys of a ViT's last attention block, and "
            f"{type(getattr(tower, 'trunk', tower)).__name__} has no such block. Turn key_smoothing off or "
            "choose a ViT."
        )
    return partial(dense_vit, key_smoothing=True)


def _vit_form(tower: VisionTransformer) -> tuple[DenseForward, int, int]:
    if tower.attn_pool is not None or tower.pool_type not in ("tok", "avg"):
        raise ConfigError(
            "ViT towers with an attentional pool (CoCa) or without pooling have no dense form. "
            "Choose a model with pool type 'tok' or 'avg', for example ViT-B-16."
        )
    if tower.patch_size[0] != tower.patch_size[1]:
        raise ConfigError(f"Patches must be square, got {tower.patch_size}. Choose another model.")
    if any(getattr(block.attn, "logit_scale", None) is not None for block in tower.transformer.resblocks):
        raise ConfigError("ViT towers with scaled cosine attention have no dense form. Choose another model.")
    width = tower.class_embedding.shape[0]
    return dense_vit, tower.patch_size[0], width if tower.proj is None else tower.proj.shape[1]


def _resnet_form(tower: ModifiedResNet) -> tuple[DenseForward, int, int]:
    return _dense_resnet, 32, tower.attnpool.c_proj.out_features


def _timm_form(tower: TimmModel) -> tuple[DenseForward, int, int]:
    from timm.layers import SelectAdaptivePool2d

    trunk = tower.trunk
    refusal = (
        f"The timm tower {type(trunk).__name__} has no dense form: it must be a convolutional network with "
        "(B, C, h, w) features and average pooling. Choose for example convnext_base_w, RN50 or ViT-B-16."
    )
    pools = [module.pool_type for module in trunk.modules() if isinstance(module, SelectAdaptivePool2d)]
    averages = bool(pools) and all(pool in ("avg", "fast", "fastavg") for pool in pools)
    if not averages or hasattr(tower.head, "pool") or getattr(trunk, "output_fmt", "NCHW") != "NCHW":
        raise ConfigError(refusal)
    stride = int(trunk.feature_info[-1]["reduction"])
    # timm describes neither which trunks take any size nor how wide each head is: two by one cells tell.
    probe = next(trunk.parameters()).new_zeros(1, 3, 2 * stride, stride)
    training = tower.training
    tower.eval()
    try:
        with torch.no_grad():
            dense = _dense_timm(tower, probe)
    except (AssertionError, RuntimeError, ValueError) as error:  # a trunk for one fixed input size
        raise ConfigError(refusal) from error
    finally:
        tower.train(training)
    if dense.shape[2:] != (2, 1):
        raise ConfigError(refusal)
    return _dense_timm, stride, dense.shape[1]


def _dense_resnet(tower: ModifiedResNet, image: Tensor, hole: Tensor | None = None) -> Tensor:
    """image: `(B, 3, 32 h, 32 w)`. Returns `(B, D, h, w)`. Convolutions have no keys: `hole` is not used."""
    x = tower.layer4(tower.layer3(tower.layer2(tower.layer1(tower.stem(image)))))
    pool = tower.attnpool
    return pool.c_proj(pool.v_proj(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


def _dense_timm(tower: TimmModel, image: Tensor, hole: Tensor | None = None) -> Tensor:
    """image: `(B, 3, stride h, stride w)`. Returns `(B, D, h, w)`. `hole` is not used, as above.

    Each position goes through trunk head and projection as a map of one cell, whose average is itself: that
    is right for every head timm has, also for those with a norm or an activation after the pooling.
    """
    x = tower.trunk.forward_features(image)
    batch, channels, h, w = x.shape
    cells = x.permute(0, 2, 3, 1).reshape(-1, channels, 1, 1)
    dense = tower.head(tower.trunk.forward_head(cells))  # (B h w, D)
    return dense.reshape(batch, h, w, -1).permute(0, 3, 1, 2)


def _input_stride(tower_stride: int, upsample: float) -> int:
    stride = tower_stride / upsample
    if abs(stride - round(stride)) > 1e-6 or stride < 1:
        whole = [f"{tower_stride / s:g} (stride {s})" for s in (8, 14, 16, 32) if tower_stride % s == 0]
        raise ConfigError(
            f"upsample={upsample:g} gives a stride of {tower_stride} / {upsample:g} = {stride:g} px, not a "
            f"whole number. Try {', '.join(whole) or 1}."
        )
    return round(stride)


def _normalisation(tower: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and deviation the tower was trained with; OpenAI's when the model names none."""
    from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    mean = getattr(tower, "image_mean", None) or OPENAI_DATASET_MEAN
    std = getattr(tower, "image_std", None) or OPENAI_DATASET_STD
    return tuple(mean), tuple(std)


def _without_image_tower(model: CLIP) -> CLIP:
    """Return the same model (weights shared) without `visual`; the given one is left as it is."""
    text = copy.copy(model)
    text._modules = {name: module for name, module in model._modules.items() if name != "visual"}
    return text
