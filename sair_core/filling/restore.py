"""A whole photo as a SAIR says that it is: its holes, and what is known of it as well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from sair_core.coords import cell_of, grid_coords
from sair_core.holes import to_hole01, to_rgb01
from sair_core.models.sair import Sair, decode_chunked


@torch.inference_mode()
def restore(
    model: Sair, rgb: np.ndarray, hole: np.ndarray, size_px: Sequence[int], device: torch.device
) -> np.ndarray:
    """Return every pixel that a model decodes, uint8 `(*size_px, 3)`; no pixel of the photo is kept.

    rgb: uint8 `(H, W, 3)`, degraded as the model was trained for; hole: bool `(H, W)`. size_px
    `(height, width)`: the photo's own, or larger where it was reduced. The photo is encoded in one piece.
    """
    features = model.encode(to_rgb01(rgb, device), to_hole01(hole, device))
    coords = grid_coords(size_px, device=device).flatten(0, 1)[None]
    found = decode_chunked(model.decode, features, coords, cell_of(size_px, device=device)[None])
    return (found[0].clamp(0, 1) * 255).round().byte().cpu().numpy().reshape(*size_px, 3)
