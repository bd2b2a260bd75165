"""Appearance implicit representation: `rgb_p = sum_q w_q f_beta(z_q, c_q, d(p, q))` (SAIR paper, Eq. 5)."""

from __future__ import annotations

from torch import Tensor, nn

from sair_core.coords import sample
from sair_core.decoders import Decoder


class Air(nn.Module):
    """Colour at any coordinate from appearance features, semantics and a starting picture.

    decoder: an implicit function from `decoders.DECODERS` over the channels of z and c together, z first.
    long_skip: the decoder predicts what is missing from the encoder's input sampled bilinearly, instead of
    the colour itself.
    """

    def __init__(self, decoder: Decoder, long_skip: bool):
        super().__init__()
        self.decoder = decoder
        self.long_skip = long_skip

    def project(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        """Compute what is needed of z `(B, C, h, w)` and c `(B, D, h', w')` for any query, computed once.

        On z's grid. Either is None where the model has only the other.
        """
        return self.decoder.project(*(part for part in (z, c) if part is not None))

    def forward(self, projected: Tensor, start01: Tensor, coords_yx: Tensor, cell: Tensor) -> Tensor:
        """Return colours `(B, N, 3)`, about [0, 1] but not clipped.

        projected: from `project`; start01: `(B, 3, H, W)` the encoder's input picture; coords_yx
        `(B, N, 2)`; cell `(B, 2)`.
        """
        rgb = self.decoder.query(projected, coords_yx, cell).float()
        return rgb + sample(start01.float(), coords_yx) if self.long_skip else rgb
