"""What every pixel of a photo is called: the map, its colours, its files."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scipy import ndimage

from sair_core.errors import LabelError

GOLDEN = 0.618034  # steps of this share of the colour circle never come close to each other for long
CLOSED_PX = 2


@dataclass(frozen=True, eq=False)
class SemanticMap:
    """The best label of every pixel.

    labels: what was asked. ids: uint8 `(H, W)`, places in `labels`. confidence: float32 `(H, W)` in [0, 1],
    the softmax share of the best label. embedding: float16 `(h, w, D)`, the text-aligned unit vectors that
    the map was made from, on a coarser grid whose cells cover the photo evenly.
    """

    labels: tuple[str, ...]
    ids: np.ndarray = field(repr=False)
    confidence: np.ndarray = field(repr=False)
    embedding: np.ndarray = field(repr=False)

    @property
    def shares(self) -> dict[str, float]:
        """Share of the photo by label, in [0, 1], largest first; labels that are nowhere come last with 0."""
        counts = np.bincount(self.ids.ravel(), minlength=len(self.labels)) / self.ids.size
        order = np.argsort(-counts, kind="stable")
        return {self.labels[i]: float(counts[i]) for i in order}

    def mask(self, words: Sequence[str], min_confidence: float = 0.0) -> np.ndarray:
        """Return bool `(H, W)`, the pixels of these labels, closed over specks and pinholes.

        Raises LabelError naming a word that was not asked for.
        """
        unknown = [word for word in words if word not in self.labels]
        if unknown:
            raise LabelError(
                f"{unknown[0]!r} is not among the labels. Choose one of them: {', '.join(self.labels)}."
            )
        chosen = np.isin(self.ids, [self.labels.index(word) for word in words])
        if min_confidence > 0:
            chosen &= self.confidence >= min_confidence
        disc = ndimage.iterate_structure(ndimage.generate_binary_structure(2, 1), CLOSED_PX)
        closed = ndimage.binary_closing(np.pad(chosen, 2 * CLOSED_PX, mode="edge"), disc)
        return closed[2 * CLOSED_PX : -2 * CLOSED_PX, 2 * CLOSED_PX : -2 * CLOSED_PX] | chosen

    def to_image(self) -> Image.Image:
        """Return the map as a palette picture: pixel values are places in `labels`."""
        image = Image.fromarray(self.ids, mode="P")
        image.putpalette(palette(len(self.labels)).ravel().tolist())
        return image

    def png(self) -> bytes:
        """Return `to_image` as a PNG file, the labels in its text under "labels", one a line."""
        text = PngInfo()
        text.add_itxt("labels", "\n".join(self.labels))
        buffer = io.BytesIO()
        self.to_image().save(buffer, "PNG", pnginfo=text)
        return buffer.getvalue()

    def npy(self) -> bytes:
        """Return the raw embedding, float16 `(h, w, D)`, as a NumPy file."""
        buffer = io.BytesIO()
        np.save(buffer, self.embedding)
        return buffer.getvalue()

    def overlay(self, rgb: np.ndarray, opacity: float) -> np.ndarray:
        """Return uint8 `(H, W, 3)`, the map over the photo `rgb` of the same size; opacity in [0, 1]."""
        colours = palette(len(self.labels))[self.ids].astype(np.float32)
        return (rgb + (colours - rgb) * opacity).round().astype(np.uint8)


def palette(count: int) -> np.ndarray:
    """Return colours uint8 `(count, 3)` that differ well; a label's colour depends on its place only."""
    colours = [
        colorsys.hls_to_rgb((0.58 + i * GOLDEN) % 1, (0.55, 0.4, 0.7)[i % 3], (0.75, 0.65)[i // 3 % 2])
        for i in range(count)
    ]
    return (np.array(colours) * 255).round().astype(np.uint8)
