"""How a photo is cut into overlapping tiles, and a run of pixels into pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sair_core.encoders.blocks import MULTIPLE_PX

WHOLE_PX = 640  # a photo up to this long is one tile
CORE_PX = 384  # a tile's own part, about
OVERLAP_PX = 8  # width of the strip where two tiles are blended


@dataclass(frozen=True)
class Span:
    """A tile along one axis, photo px: it is encoded from `start` to `stop` and answers from `low` to `high`,
    alone from `low + fade_in` to `high - fade_out`."""

    start: int
    stop: int
    low: int
    high: int
    fade_in: int
    fade_out: int

    @property
    def encoded(self) -> slice:
        """The pixels that are encoded."""
        return slice(self.start, self.stop)

    @property
    def padded(self) -> int:
        """Length of what is encoded, filled up to whole cells."""
        return -(-(self.stop - self.start) // MULTIPLE_PX) * MULTIPLE_PX

    def weight(self, centres: np.ndarray) -> np.ndarray:
        """Return how much the tile counts at places along the axis, float32 in [0, 1]."""
        weight = np.ones(len(centres), np.float32)
        if self.fade_in:
            weight *= ((centres - self.low) / self.fade_in).clip(0, 1)
        if self.fade_out:
            weight *= ((self.high - centres) / self.fade_out).clip(0, 1)
        return weight


@dataclass(frozen=True)
class Region:
    """A tile's place in the photo."""

    rows: Span
    columns: Span

    @property
    def shape(self) -> tuple[tuple[int, int, int, bool, bool], ...]:
        """Everything about the tile but where it lies: with the pixels, all that its content depends on."""
        return tuple(
            (s.stop - s.start, s.low - s.start, s.high - s.start, bool(s.fade_in), bool(s.fade_out))
            for s in (self.rows, self.columns)
        )


def spans(length_px: int, margin_px: int) -> list[Span]:
    """Return the tiles along one axis of a photo, each encoded with a margin around what it answers for.

    Their weights sum to one everywhere in it.
    """
    if length_px <= WHOLE_PX:
        return [Span(0, length_px, 0, length_px, 0, 0)]
    count = -(-length_px // CORE_PX)
    core = -(-length_px // (count * MULTIPLE_PX)) * MULTIPLE_PX
    half = OVERLAP_PX // 2
    found = []
    for begin in range(0, length_px, core):
        end = min(begin + core, length_px)
        fade_in = OVERLAP_PX if begin else 0
        fade_out = OVERLAP_PX if end < length_px else 0
        found.append(
            Span(
                max(0, begin - margin_px),
                min(length_px, end + margin_px),
                begin - (half if fade_in else 0),
                end + (half if fade_out else 0),
                fade_in,
                fade_out,
            )  # fmt: skip
        )
    return found


def cut(pixels: slice, length_px: int) -> list[slice]:
    """Cut a run of pixels into pieces of this length, the last one shorter."""
    starts = range(pixels.start, pixels.stop, length_px)
    return [slice(start, min(start + length_px, pixels.stop)) for start in starts]
