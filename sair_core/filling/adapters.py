"""The kinds of model, each as the pipeline asks it: one crop at its working size in, colours anywhere out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from sair_core.coords import LANCZOS, cell_of, sample_lanczos
from sair_core.devices import upload
from sair_core.layout import memory_format_of
from sair_core.models.inpainter import Inpainter
from sair_core.models.sair import Sair, SairFeatures, decode_chunked
from sair_core.models.spn import Spn, SpnFeatures

Guide = tuple[Tensor, float]  # a text embedding (1, D) and how much it counts, in [0, 1]

RESAMPLE_BYTES = 64 * 2**20  # of memory that enlarging a fill may take at once
# What one pixel takes: place, weight and colours of each of its taps.
TAP_BYTES = (2 * LANCZOS) ** 2 * (8 + 4 + 2 * 3 * 4)


class Filler(Protocol):
    """A model that fills. draws: every seed is another fill; listens: words can say what it fills with."""

    draws: bool
    listens: bool

    def encode(self, rgb01: Tensor, hole01: Tensor, guide: Guide | None = None) -> Any:
        """Compute what is needed of a crop for any fill.

        rgb01 `(1, 3, h, w)` in [0, 1], hole01 `(1, 1, h, w)`.
        """

    def decode(self, encoded: Any, coords_yx: Tensor, size_px: tuple[int, int], seed: int) -> Tensor:
        """Return colours, float32 `(N, 3)`, not clipped, at coords_yx `(N, 2)` of a crop.

        size_px: the crop's own size in the photo.
        """


class SairFiller:
    """A SAIR is continuous: it is asked for the crop's own pixels, whatever its working size."""

    draws = False

    def __init__(self, model: Sair, mirror: bool):
        """mirror: average what it says with what it says of the mirrored crop."""
        self.model, self.mirror = model, mirror
        self.listens = model.semantic_encoder is not None and model.semantic_encoder.text is not None

    def encode(self, rgb01: Tensor, hole01: Tensor, guide: Guide | None = None) -> SairFeatures:
        if self.mirror:
            rgb01, hole01 = (torch.cat([x, x.flip(-1)]) for x in (rgb01, hole01))
        words, strength = guide or (None, 1.0)
        rgb01 = rgb01.contiguous(memory_format=memory_format_of(self.model))
        return self.model.encode(rgb01, hole01, words=words, strength=strength)

    def decode(self, encoded: SairFeatures, coords_yx: Tensor, size_px: tuple[int, int], seed: int) -> Tensor:
        coords = coords_yx[None]
        if self.mirror:
            mirrored = upload(torch.tensor([1.0, -1.0]), coords.device)  # (y, x): x changes its sign
            coords = torch.cat([coords, coords * mirrored])
        cell = cell_of(size_px, device=coords.device).expand(len(coords), -1)
        return decode_chunked(self.model.decode, encoded, coords, cell).mean(dim=0)


class SpnFiller:
    """An SPN paints the crop at its working size; where the photo has more pixels the fill is enlarged."""

    listens = False

    def __init__(self, model: Spn, mirror: bool):
        """mirror: of no effect. The mean of two textures is a blur, and these fills are there to be sharp."""
        self.model = model
        self.draws = model.config.probabilistic

    def encode(self, rgb01: Tensor, hole01: Tensor, guide: Guide | None = None) -> SpnFeatures:
        return self.model.encode(rgb01.contiguous(memory_format=torch.channels_last), hole01)

    def decode(self, encoded: SpnFeatures, coords_yx: Tensor, size_px: tuple[int, int], seed: int) -> Tensor:
        fill01 = self.model.decode(encoded, draw_noise(self.model, encoded.size_px, seed)).rgb01.float()
        return _resample(fill01, coords_yx)


class InpainterFiller:
    """A model of others paints the crop at its working size; its fill is enlarged as an SPN's is."""

    draws = listens = False

    def __init__(self, model: Inpainter, mirror: bool):
        """mirror: of no effect, as with an SPN."""
        self.model = model

    def encode(self, rgb01: Tensor, hole01: Tensor, guide: Guide | None = None) -> Tensor:
        return self.model(rgb01, hole01)

    def decode(self, encoded: Tensor, coords_yx: Tensor, size_px: tuple[int, int], seed: int) -> Tensor:
        return _resample(encoded, coords_yx)


def _resample(fill01: Tensor, coords_yx: Tensor) -> Tensor:
    """Return the colours `(N, 3)` of a fill `(1, 3, h, w)` at coords_yx `(N, 2)`."""
    chunks = coords_yx.split(RESAMPLE_BYTES // TAP_BYTES)
    return torch.cat([sample_lanczos(fill01, chunk[None])[0] for chunk in chunks])


def draw_noise(model: Spn, size_px: tuple[int, int], seed: int) -> Tensor | None:
    """Draw the latent z that a seed means for a crop of `(height, width)`; None for a deterministic model.

    The same on every device, and in every crop of one size: a hole's fill does not depend on other holes.
    """
    if not model.config.probabilistic:
        return None
    return model.latent(size_px, torch.Generator().manual_seed(seed))


# A new kind of model is one class and one line here.
FILLERS: dict[type, Callable[[Any, bool], Filler]] = {
    Sair: SairFiller,
    Spn: SpnFiller,
    Inpainter: InpainterFiller,
}


def build_filler(model: Sair | Spn | Inpainter, mirror: bool) -> Filler:
    """Return what fills with a model. mirror: average with what it says of the mirrored crop."""
    return FILLERS[type(model)](model, mirror)
