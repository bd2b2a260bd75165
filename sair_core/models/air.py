"""Appearance implicit representation: `rgb_p = sum_q w_q f_beta(z_q, c_q, d(p, q))` (SAIR paper, Eq. 5)."""

from __future__ import annotations

import math

from torch import Tensor, nn

from sair_core.coords import sample
from sair_core.decoders import Decoder
from sair_core.encoders.blocks import ChannelNorm

# Of c beside a normalised z: over a photo both then vary by about 1.8 where a training begins. With entries
# of about 1, as it comes, c is 16 (256 entries) or 23 (512) long and varies several times as much as z: AIR
# would learn from c alone.
SEMANTIC_LENGTH = 4.0


class Air(nn.Module):
    """Colour at any coordinate from appearance features, semantics and a starting picture.

    decoder: an implicit function from `decoders.DECODERS` over the channels of z and c together, z first.
    long_skip: the decoder predicts what is missing from the encoder's input sampled bilinearly, instead of
    the colour itself.
    normalised_channels: of z, whose entries then are about 1 at each place while c is `SEMANTIC_LENGTH` long;
    0 = both as they come.
    """

    def __init__(self, decoder: Decoder, long_skip: bool, normalised_channels: int = 0):
        super().__init__()
        self.decoder = decoder
        self.long_skip = long_skip
        self.norm = ChannelNorm(normalised_channels) if normalised_channels else None

    def project(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        """Compute what is needed of z `(B, C, h, w)` and c `(B, D, h', w')` for any query, computed once.

        On z's grid. c: directions, sqrt(D) long. Either is None where the model has only the other.
        """
        if z is not None and self.norm is not None:
            z = self.norm(z)
            c = None if c is None else c * (SEMANTIC_LENGTH / math.sqrt(c.shape[1]))
        return self.decoder.project(*(part for part in (z, c) if part is not None))

    def forward(self, projected: Tensor, start01: Tensor, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """Return colours `(B, N, 3)`, about [0, 1] but not clipped.

        projected: from `project`; start01: `(B, 3, H, W)` the encoder's input picture; coords_yx
        `(B, N, 2)`; cell `(B, 2)`.
        """
        rgb = self.decoder.query(projected, coords_yx, cell).float()
        return rgb + sample(start01.float(), coords_yx) if self.long_skip else rgb
