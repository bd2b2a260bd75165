"""What patches are compared by: principal components of their colours, and what the guides say there."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from sair_core.filling.seams import extend_harmonically
from sair_core.filling.texture.canvas import Canvas
from sair_core.filling.texture.config import TextureConfig
from sair_core.filling.texture.pyramid import Scene

BASIS_SAMPLES = 2048
CHUNK_VALUES = 16_000_000  # numbers in memory at once
ENERGY_SIGMA_PX = 2.0
MIN_KNOWN = 0.3  # weight of known differences in the blur from which texture energy is measured, not extended
SEMANTIC_DIRECTIONS = 16


class Descriptors:
    """Vectors whose squared distance says how different two patches are.

    sources: `(S, K)`, of every source patch.
    """

    def __init__(self, canvas: Canvas, colours: Tensor, guides: Tensor, components: int):
        """colours: `(N, C)`, of which those of source patches are read; guides: `(N, G)`, weighted."""
        self._canvas, self._guides = canvas, guides
        self._mean, self._basis = _principal(canvas, colours, components)
        self.sources = self._describe(colours, canvas.sources)

    def of_targets(self, colours: Tensor) -> Tensor:
        """`(T, K)`: the target patches of the painted picture `(N, C)`."""
        return self._describe(colours, self._canvas.targets)

    def _describe(self, colours: Tensor, centres: Tensor) -> Tensor:
        """The principal components of patches are a convolution of the picture with the directions."""
        canvas, guides = self._canvas, self._guides
        components, reach = self._basis.shape[1], canvas.margin // 2
        result = colours.new_empty(len(centres), components + guides.shape[1])
        result[:, components:] = guides[centres]
        filters = self._basis.T.reshape(components, 2 * reach + 1, 2 * reach + 1, -1).permute(0, 3, 1, 2)
        offset = -(self._mean @ self._basis)
        picture = colours.view(canvas.height, canvas.width, -1)
        y, x = torch.div(centres, canvas.width, rounding_mode="floor"), centres % canvas.width
        top, left, right = int(y[0]), int(x.min()), int(x.max()) + 1
        for rows in chunks(int(y[-1]) + 1 - top, (right - left) * (components + colours.shape[1])):
            start, stop = top + rows.start, top + rows.stop
            window = picture[start - reach : stop + reach, left - reach : right + reach]
            found = F.conv2d(window.permute(2, 0, 1)[None], filters, offset)[0].permute(1, 2, 0)
            inside = slice(*torch.searchsorted(y, torch.tensor([start, stop], device=y.device)).tolist())
            result[inside, :components] = found[y[inside] - start, x[inside] - left]
        return result


def chunks(count: int, values_each: int, values: int = CHUNK_VALUES) -> list[slice]:
    """Slices that cover `count` rows of `values_each` values, each of at most about `values`."""
    step = max(1, values // max(values_each, 1))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _principal(canvas: Canvas, colours: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Mean `(P * C,)` and leading directions `(P * C, components)` of a sample of the source patches.

    Computed on the CPU in float64: the same on every device.
    """
    draw = torch.Generator().manual_seed(0)
    chosen = torch.randint(len(canvas.sources), (BASIS_SAMPLES,), generator=draw).to(colours.device)
    patches = colours[canvas.sources[chosen, None] + canvas.steps].flatten(1).cpu().double()
    directions = torch.linalg.eigh(torch.cov(patches.T)).eigenvectors
    basis = directions[:, -components:].to(colours)
    return patches.mean(dim=0).to(colours), basis.contiguous()


def weigh_guides(
    canvas: Canvas, scene: Scene, semantics: Tensor | None, config: TextureConfig, level: int
) -> Tensor:
    """What the guides say at every position, times the roots of their weights: `(N, G)`.

    semantics: `(D, h, w)` of the whole scene, at any resolution, as `reduce_semantics` gives them.
    """
    scale = config.patch_px  # a guide counts as much as if every pixel of the patch had it
    guides = []
    if level >= config.guided_level:
        if config.colour_guide > 0 and scene.guide is not None:
            seen = torch.where(scene.known, scene.colours, scene.guide)
            sigma_px = max(config.guide_blur * scene.thickness_px, 0.5)
            guides.append(blurred(seen, sigma_px) * math.sqrt(config.colour_guide))
        if config.texture_energy > 0:
            guides.append(texture_energy(scene) * math.sqrt(config.texture_energy))
        if config.semantic_guide > 0 and semantics is not None:
            places = F.interpolate(semantics[None], scene.known.shape, mode="bilinear")[0]
            guides.append(places * math.sqrt(config.semantic_guide))
    if not guides:
        return scene.colours.new_zeros(canvas.size, 0)
    return canvas.place(torch.cat(guides) * scale)


def blurred(picture: Tensor, sigma_px: float) -> Tensor:
    """A Gaussian blur of `(C, h, w)`; wide ones on a reduced picture, in a time that does not grow."""
    size = picture.shape[1:]
    factor = max(1, min(int(sigma_px / 2), *size))
    if factor > 1:
        small = F.interpolate(picture[None], tuple(math.ceil(n / factor) for n in size), mode="area")[0]
        return F.interpolate(blurred(small, sigma_px / factor)[None], size, mode="bilinear")[0]
    filtered = ndimage.gaussian_filter(picture.cpu().numpy(), (0, sigma_px, sigma_px), mode="nearest")
    return torch.from_numpy(filtered).to(picture)


def texture_energy(scene: Scene) -> Tensor:
    """Blurred absolute vertical and horizontal differences of the first channel, `(2, h, w)`.

    Extended harmonically to where too few are known.
    """
    values, known = scene.colours[0].cpu().numpy(), scene.known.cpu().numpy()
    change, both = np.zeros((2, 2, *known.shape), np.float32)
    for axis in (0, 1):
        ahead = [slice(None)] * 2
        behind = [slice(None)] * 2
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        both[axis][tuple(behind)] = known[tuple(ahead)] & known[tuple(behind)]
        change[axis][tuple(behind)] = np.abs(values[tuple(ahead)] - values[tuple(behind)])
    sigma = (0, ENERGY_SIGMA_PX, ENERGY_SIGMA_PX)
    weight = ndimage.gaussian_filter(both, sigma, mode="nearest")
    energy = ndimage.gaussian_filter(change * both, sigma, mode="nearest") / np.maximum(weight, 1e-4)
    unknown = (weight < MIN_KNOWN).any(axis=0)
    energy[:, unknown] = extend_harmonically(energy.transpose(1, 2, 0), unknown).T
    return torch.from_numpy(energy).to(scene.colours)


def reduce_semantics(vectors: Tensor) -> Tensor:
    """The leading principal directions of embeddings: `(D, h, w)` to `(K, h, w)`."""
    flat = vectors.flatten(1).T.cpu().double()
    flat = flat - flat.mean(dim=0)
    directions = torch.linalg.eigh(flat.T @ flat).eigenvectors[:, -SEMANTIC_DIRECTIONS:]
    return (flat @ directions).T.reshape(-1, *vectors.shape[1:]).float().to(vectors.device)
