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

BASIS_SAMPLES = 4096
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
        steps, guides = self._canvas.steps, self._guides
        result = colours.new_empty(len(centres), self._basis.shape[1] + guides.shape[1])
        offset = self._mean @ self._basis
        for rows in chunks(len(centres), len(steps) * colours.shape[1]):
            patches = colours[centres[rows, None] + steps].flatten(1)
            torch.sub(patches @ self._basis, offset, out=result[rows, : len(offset)])
            result[rows, len(offset) :] = guides[centres[rows]]
        return result


def chunks(count: int, values_each: int) -> list[slice]:
    """Slices that cover `count` rows, each of a bounded number of values."""
    step = max(1, CHUNK_VALUES // max(values_each, 1))
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
    energies = []
    for axis in (0, 1):
        ahead = [slice(None)] * 2
        behind = [slice(None)] * 2
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        both = np.zeros(known.shape, np.float32)
        both[tuple(behind)] = known[tuple(ahead)] & known[tuple(behind)]
        change = np.zeros(known.shape, np.float32)
        change[tuple(behind)] = np.abs(values[tuple(ahead)] - values[tuple(behind)])
        weight = ndimage.gaussian_filter(both, ENERGY_SIGMA_PX, mode="nearest")
        energy = ndimage.gaussian_filter(change * both, ENERGY_SIGMA_PX, mode="nearest")
        energy /= np.maximum(weight, 1e-4)
        unknown = weight < MIN_KNOWN
        energy[unknown] = extend_harmonically(energy[..., None], unknown)[:, 0]
        energies.append(energy)
    return torch.from_numpy(np.stack(energies)).to(scene.colours)


def reduce_semantics(vectors: Tensor) -> Tensor:
    """The leading principal directions of embeddings: `(D, h, w)` to `(K, h, w)`."""
    flat = vectors.flatten(1).T.cpu().double()
    flat = flat - flat.mean(dim=0)
    directions = torch.linalg.eigh(flat.T @ flat).eigenvectors[:, -SEMANTIC_DIRECTIONS:]
    return (flat @ directions).T.reshape(-1, *vectors.shape[1:]).float().to(vectors.device)
