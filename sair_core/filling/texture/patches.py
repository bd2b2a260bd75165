"""What patches are compared by: principal components of their colours, and what the guides say there."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from sair_core.devices import upload
from sair_core.filling.seams import extend_harmonically
from sair_core.filling.texture.canvas import Canvas
from sair_core.filling.texture.config import TextureConfig
from sair_core.filling.texture.pyramid import Scene

BASIS_SAMPLES = 2048
CHUNK_VALUES = 4_000_000  # numbers in memory at once
ENERGY_SIGMA_PX = 2.0
MIN_KNOWN = 0.3  # weight of known differences in the blur from which texture energy is measured, not extended
SEMANTIC_DIRECTIONS = 16


class Descriptors:
    """Vectors whose squared distance says how different two patches are.

    sources: `(S, K)`, of every source patch.
    """

    def __init__(self, canvas: Canvas, colours: Tensor, guides: Tensor, components: int):
        """colours: `(N, C)`, of which those of source patches are read; guides: `(N, G)`, weighted."""
        self._canvas = canvas
        self._mean, self._basis = _principal(canvas, colours, components)
        values_each = self._basis.shape[1] + colours.shape[1]
        self._targets = _Strips(canvas, canvas.targets, values_each)
        self._target_guides = guides[canvas.targets]
        self.sources = colours.new_empty(len(canvas.sources), self._basis.shape[1] + guides.shape[1])
        for rows, columns, inside in _Strips(canvas, canvas.sources, values_each):
            places = canvas.sources[inside]
            self._describe(colours, rows, columns, places, guides[places], self.sources[inside])

    def of_targets(self, colours: Tensor) -> Tensor:
        """`(T, K)`: the target patches of the painted picture `(N, C)`."""
        places, guides = self._canvas.targets, self._target_guides
        out = colours.new_empty(len(places), self.sources.shape[1])
        for rows, columns, inside in self._targets:
            self._describe(colours, rows, columns, places[inside], guides[inside], out[inside])
        return out

    def _describe(
        self, colours: Tensor, rows: slice, columns: slice, places: Tensor, guides: Tensor, out: Tensor
    ) -> None:
        """Write the descriptors of patches whose centres `(M,)` lie in a strip of the picture: out `(M, K)`.

        Their principal components are a convolution of the picture with the directions.
        """
        canvas = self._canvas
        components, reach = self._basis.shape[1], canvas.margin // 2
        filters = self._basis.T.reshape(components, 2 * reach + 1, 2 * reach + 1, -1).permute(0, 3, 1, 2)
        offset = -(self._mean @ self._basis)
        picture = colours.view(canvas.height, canvas.width, -1)
        window = picture[rows.start - reach : rows.stop + reach, columns.start - reach : columns.stop + reach]
        found = F.conv2d(window.permute(2, 0, 1)[None], filters, offset)[0].permute(1, 2, 0)
        y = torch.div(places, canvas.width, rounding_mode="floor") - rows.start
        x = places % canvas.width - columns.start
        out[:, :components], out[:, components:] = found[y, x], guides


class _Strips:
    """Patches by strips of rows that are computed at once.

    Yields rows and columns that hold all centres of a strip, and where among the centres they are.
    """

    def __init__(self, canvas: Canvas, centres: Tensor, values_each: int):
        """centres: `(M,)`, ascending positions; values_each: numbers in memory for every place of a strip."""
        width = canvas.width
        x = centres % width
        bounds = torch.stack([centres[0], centres[-1], x.min(), x.max()])
        first, last, left, right = bounds.cpu().tolist()
        top, bottom = first // width, last // width + 1
        self._columns = slice(left, right + 1)
        rows = chunks(bottom - top, (right + 1 - left) * values_each)
        self._rows = [slice(top + part.start, top + part.stop) for part in rows]
        starts = upload(torch.tensor([part.start * width for part in self._rows]), centres.device)
        inside = [*torch.searchsorted(centres, starts).cpu().tolist(), len(centres)]
        self._inside = [slice(*ends) for ends in zip(inside, inside[1:])]

    def __iter__(self) -> Iterator[tuple[slice, slice, slice]]:
        return ((rows, self._columns, inside) for rows, inside in zip(self._rows, self._inside))


def chunks(count: int, values_each: int, values: int = CHUNK_VALUES) -> list[slice]:
    """Slices that cover `count` rows of `values_each` values, each of at most about `values`."""
    step = max(1, values // max(values_each, 1))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _principal(canvas: Canvas, colours: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Mean `(P * C,)` and leading directions `(P * C, components)` of a sample of the source patches.

    Computed on the CPU in float64: the same on every device.
    """
    draw = torch.Generator().manual_seed(0)
    chosen = upload(torch.randint(len(canvas.sources), (BASIS_SAMPLES,), generator=draw), colours.device)
    patches = colours[canvas.sources[chosen, None] + canvas.steps].flatten(1).cpu().double()
    directions = torch.linalg.eigh(torch.cov(patches.T)).eigenvectors
    basis = directions[:, -components:].to(colours.dtype).contiguous()
    return upload(patches.mean(dim=0).to(colours.dtype), colours.device), upload(basis, colours.device)


def weigh_guides(
    canvas: Canvas, scene: Scene, semantics: Tensor | None, config: TextureConfig, level: int
) -> Tensor:
    """What the guides say at every position, times the roots of their weights: `(N, G)`.

    semantics: `(D, h, w)` of the whole scene, at any resolution, as `reduce_semantics` gives them.
    """
    scale = config.patch_px  # a guide counts as much as if every pixel of the patch had it
    placed = [scene.colours.new_zeros(canvas.size, 0)]
    if level >= config.guided_level:
        if config.colour_guide > 0 and scene.guide is not None:
            sigma_px = max(config.guide_blur * scene.thickness_px, 0.5)
            colours = blurred(torch.where(scene.known, scene.colours, scene.guide), sigma_px)
            placed.append(canvas.place(colours.mul_(math.sqrt(config.colour_guide)).mul_(scale)))
        if config.texture_energy > 0:
            energy = texture_energy(scene)
            placed.append(canvas.place(energy.mul_(math.sqrt(config.texture_energy)).mul_(scale)))
        if config.semantic_guide > 0 and semantics is not None:
            places = F.interpolate(semantics[None], scene.known.shape, mode="bilinear")[0]
            placed.append(canvas.place(places.mul_(math.sqrt(config.semantic_guide)).mul_(scale)))
    return torch.cat(placed, dim=1)


def blurred(picture: Tensor, sigma_px: float) -> Tensor:
    """A Gaussian blur of `(C, h, w)`; wide ones on a reduced picture, in a time that does not grow."""
    size = picture.shape[1:]
    factor = max(1, min(int(sigma_px / 2), *size))
    if factor > 1:
        small = F.interpolate(picture[None], tuple(math.ceil(n / factor) for n in size), mode="area")[0]
        return F.interpolate(blurred(small, sigma_px / factor)[None], size, mode="bilinear")[0]
    filtered = ndimage.gaussian_filter(picture.cpu().numpy(), (0, sigma_px, sigma_px), mode="nearest")
    return upload(torch.from_numpy(filtered), picture.device)


def texture_energy(scene: Scene) -> Tensor:
    """Blurred absolute vertical and horizontal differences of the first channel, `(2, h, w)`.

    Extended harmonically to where too few are known.
    """
    values, known = scene.colours[0].cpu().numpy(), scene.known.cpu().numpy()
    energy = np.empty((2, *known.shape), np.float32)
    unknown = np.zeros_like(known)
    for axis in (0, 1):
        ahead = [slice(None)] * 2
        behind = [slice(None)] * 2
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        change, both = np.zeros((2, *known.shape), np.float32)
        both[tuple(behind)] = known[tuple(ahead)] & known[tuple(behind)]
        change[tuple(behind)] = np.abs(values[tuple(ahead)] - values[tuple(behind)])
        change *= both
        weight = ndimage.gaussian_filter(both, ENERGY_SIGMA_PX, mode="nearest")
        ndimage.gaussian_filter(change, ENERGY_SIGMA_PX, mode="nearest", output=energy[axis])
        energy[axis] /= np.maximum(weight, 1e-4)
        unknown |= weight < MIN_KNOWN
    energy[:, unknown] = extend_harmonically(energy.transpose(1, 2, 0), unknown).T
    return upload(torch.from_numpy(energy), scene.colours.device)


def reduce_semantics(vectors: Tensor) -> Tensor:
    """The leading principal directions of embeddings: `(D, h, w)` to `(K, h, w)`."""
    flat = vectors.flatten(1).T.cpu().double()
    flat = flat - flat.mean(dim=0)
    directions = torch.linalg.eigh(flat.T @ flat).eigenvectors[:, -SEMANTIC_DIRECTIONS:]
    return upload((flat @ directions).T.reshape(-1, *vectors.shape[1:]).float(), vectors.device)
