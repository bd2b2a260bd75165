"""One level of the synthesis: which patches look for which, in flat positions on a padded picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from sair_core.devices import upload
from sair_core.filling.texture.config import TextureConfig
from sair_core.filling.texture.pyramid import Scene, grown
from sair_core.photos.masks import bounding_box


@dataclass(frozen=True, eq=False)
class Canvas:
    """The geometry of a level. The picture is padded by `margin` px, so that every patch is whole; positions
    are `row * width + column` in it, N in all, and a step is a difference of positions.

    steps: `(P,)`, from a patch's centre to its pixels; steps_yx: the same as `(P, 2)`.
    targets: `(T,)`, centres of the patches that touch the hole. painted: `(V,)`, the pixels without a known
    colour that they cover; is_painted: the same as bool `(N,)`. sources: `(S,)`, centres of the patches that
    may be copied.
    target_row, source_row: int32 `(N,)`, the place in targets and sources, -1 elsewhere.
    trust: `(T,)` in (0, 1], less for deeper patches.
    """

    height: int
    width: int
    margin: int
    steps: Tensor
    steps_yx: Tensor
    targets: Tensor
    painted: Tensor
    sources: Tensor
    target_row: Tensor
    source_row: Tensor
    is_painted: Tensor
    trust: Tensor

    @property
    def size(self) -> int:
        """How many positions there are."""
        return self.height * self.width

    def place(self, picture: Tensor) -> Tensor:
        """`(C, h, w)` as rows of the padded picture `(N, C)`; the margin repeats the edge."""
        return F.pad(picture[None], (self.margin,) * 4, mode="replicate")[0].flatten(1).T.contiguous()

    def yx(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and columns in the picture without its margin."""
        rows = torch.div(positions, self.width, rounding_mode="floor")
        return rows - self.margin, positions - rows * self.width - self.margin

    def positions(self, y: Tensor, x: Tensor) -> Tensor:
        """The inverse of `yx`."""
        return (y + self.margin) * self.width + x + self.margin

    def row_of_target(self, positions: Tensor) -> Tensor:
        """int64, places in `targets`, -1 where there is none. Positions may lie outside."""
        return self.target_row[positions.clamp(0, self.size - 1)].long()

    def row_of_source(self, positions: Tensor) -> Tensor:
        """int64, places in `sources`, -1 where nothing may be copied from. Positions may lie outside."""
        return self.source_row[positions.clamp(0, self.size - 1)].long()


def build_canvas(scene: Scene, config: TextureConfig) -> Canvas:
    """Lay out a level. Beyond the photo nothing is known: there, too, pixels are painted where patches need
    them, and no patch has to be cut."""
    reach, margin = config.reach_px, 2 * config.reach_px
    known, wanted, usable = (F.pad(m, (margin,) * 4) for m in (scene.known, scene.wanted, scene.usable))
    target = grown(wanted, reach)
    painted = grown(wanted, 2 * reach) & ~known
    source = _nearest(~grown(~usable, reach, outside=True), wanted, config.max_sources)
    depth = upload(torch.from_numpy(_depth(painted.cpu().numpy())), target.device).flatten()
    height, width = known.shape
    span = torch.arange(-reach, reach + 1, device=target.device)
    steps_yx = torch.cartesian_prod(span, span)
    targets, sources = (m.flatten().nonzero()[:, 0] for m in (target, source))
    return Canvas(
        height,
        width,
        margin,
        steps_yx[:, 0] * width + steps_yx[:, 1],
        steps_yx,
        targets,
        painted.flatten().nonzero()[:, 0],
        sources,
        _rows_of(targets, height * width),
        _rows_of(sources, height * width),
        painted.flatten(),
        config.border_trust ** -depth[targets],
    )


def _depth(mask: np.ndarray) -> np.ndarray:
    """How many px deep each pixel lies in a mask `(h, w)`, diagonals included: float32, at most 30."""
    depth = np.zeros(mask.shape, np.float32)
    box = bounding_box(mask, margin_px=1)  # nothing outside is nearer than what is around the mask
    if box is not None:
        depth[box] = ndimage.distance_transform_cdt(mask[box], metric="chessboard").clip(0, 30)
    return depth


def _rows_of(positions: Tensor, count: int) -> Tensor:
    rows = positions.new_full((count,), -1, dtype=torch.int32)
    rows[positions] = torch.arange(len(positions), dtype=torch.int32, device=positions.device)
    return rows


def _nearest(source: Tensor, wanted: Tensor, limit: int) -> Tensor:
    """At most about `limit` of the sources: those nearest to what is wanted."""
    if int(source.sum()) <= limit:
        return source
    distance = ndimage.distance_transform_cdt(~wanted.cpu().numpy(), metric="chessboard")
    ranked = np.sort(distance[source.cpu().numpy()])
    return source & (upload(torch.from_numpy(distance), source.device) < int(ranked[limit]))
