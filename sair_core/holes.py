"""Photos and their holes as tensors, and made smaller so that what is unknown stays out of what is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sair_core.devices import upload


def to_rgb01(rgb: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Turn a photo, uint8 or uint16 `(H, W, 3)`, into float32 `(1, 3, H, W)` in [0, 1]."""
    # A copy, because a photo's own pixels are read-only, which torch does not know; of 16 bits as floats,
    # because torch computes little with uint16.
    own = rgb.copy() if rgb.dtype == np.uint8 else rgb.astype(np.float32)
    return upload(torch.from_numpy(own), device).permute(2, 0, 1)[None].float() / np.iinfo(rgb.dtype).max


def to_hole01(hole: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Turn a mask, bool `(H, W)`, into float32 `(1, 1, H, W)`, 1 = hole."""
    return upload(torch.from_numpy(hole.copy()), device)[None, None].float()  # masks may be read-only, too


def check_shapes(rgb01: Tensor, hole01: Tensor) -> None:
    """Raise ValueError unless rgb01 is `(B, 3, H, W)` and hole01 `(B, 1, H, W)` of the same pictures."""
    if rgb01.ndim != 4 or rgb01.shape[1] != 3 or hole01.shape != (len(rgb01), 1, *rgb01.shape[-2:]):
        raise ValueError(
            "want rgb01 (B, 3, H, W) and hole01 (B, 1, H, W), "
            f"got {tuple(rgb01.shape)} and {tuple(hole01.shape)}"
        )


def hole_share(hole01: Tensor, size_cells: Sequence[int]) -> Tensor:
    """Return the share of hole in each cell of a grid: `(B, 1, H, W)` to float32 `(B, 1, *size_cells)`."""
    hole01, (height, width) = hole01.float(), size_cells
    if hole01.device.type == "mps":  # pools only to sizes that divide the picture's
        return F.adaptive_avg_pool2d(hole01.cpu(), (height, width)).to(hole01.device)
    return F.adaptive_avg_pool2d(hole01, (height, width))


def reduce_known(rgb01: Tensor, hole01: Tensor, size_px: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Resize a photo with a hole; what lies in the hole never bleeds into what is known.

    rgb01 `(B, 3, H, W)`, hole01 `(B, 1, H, W)`, size_px `(height, width)`. Known colours are averages over
    the known pixels only; a pixel that is mostly hole becomes hole.
    """
    if tuple(rgb01.shape[-2:]) == tuple(size_px):
        return rgb01 * (1 - hole01), hole01
    known = 1 - hole01
    stacked = torch.cat([rgb01 * known, known], dim=1)
    small = F.interpolate(stacked, size_px, mode="bilinear", antialias=True, align_corners=False)
    share = small[:, 3:]
    hole_small = (share < 0.5).float()
    return (small[:, :3] / share.clamp_min(1e-3)).clamp(0, 1) * (1 - hole_small), hole_small
