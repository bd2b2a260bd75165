"""What `benchmarks/peers.py` has measured, as Markdown and as plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import as_markdown

LARGE_PX = 2_000_000  # of a photo; from here on the cost of a hole should hardly depend on it
LARGE_HOLE_PX = 200_000  # from here on what every fill costs, however small its hole, is a small part


@dataclass(frozen=True)
class Case:
    """A photo of size_px (height, width), and its hole or None where it is enlarged to that size."""

    size_px: tuple[int, int]
    hole_px: int | None = None

    @property
    def photo_px(self) -> int:
        return self.size_px[0] * self.size_px[1]

    @property
    def size(self) -> str:
        return f"{self.size_px[1]} x {self.size_px[0]}"


@dataclass(frozen=True)
class Figure:
    """What a way costs in a case. seconds is None where it was not measured; then `note` says why.

    extra_gb: memory at the peak, on top of what was loaded before. expected: seconds of one that was left out
    because it would have taken too long.
    """

    way: str
    case: Case
    seconds: float | None
    extra_gb: float = 0.0
    runs: int = 0
    note: str = ""
    expected: float | None = None


Series = dict[str, tuple[list[int], list[float]]]  # way -> pixels, seconds


def growing_hole(figures: Sequence[Figure]) -> Series:
    """Return seconds against the hole's pixels, each way in the largest photo whose holes it all filled."""
    series: Series = {}
    for way in dict.fromkeys(figure.way for figure in figures):
        by_size: dict[int, list[Figure]] = {}
        for figure in figures:
            if figure.way == way:
                by_size.setdefault(figure.case.photo_px, []).append(figure)
        whole = [size for size, found in by_size.items() if all(f.seconds is not None for f in found)]
        if whole:
            series[way] = _points(by_size[max(whole)], lambda case: case.hole_px or 0)
    return series


def growing_large_hole(figures: Sequence[Figure]) -> Series:
    """Return seconds against the hole's pixels, from LARGE_HOLE_PX on, each way in the largest photo in which
    it filled two such holes."""
    filled = [f for f in figures if f.seconds is not None and (f.case.hole_px or 0) >= LARGE_HOLE_PX]
    series: Series = {}
    for figure in filled:
        same = [f for f in filled if (f.way, f.case.photo_px) == (figure.way, figure.case.photo_px)]
        if len(same) > 1:  # the figures are in the order of growing photos: the largest one stays
            series[figure.way] = _points(same, lambda case: case.hole_px or 0)
    return series


def growing_photo(figures: Sequence[Figure]) -> Series:
    """Return seconds against the photo's pixels."""
    series: Series = {}
    for way in dict.fromkeys(figure.way for figure in figures):
        found = [f for f in figures if f.way == way and f.seconds is not None]
        if found:
            series[way] = _points(found, lambda case: case.photo_px)
    return series


def _points(figures: Sequence[Figure], pixels: Callable[[Case], int]) -> tuple[list[int], list[float]]:
    return [pixels(f.case) for f in figures], [f.seconds for f in figures if f.seconds is not None]


def exponent(pixels: Sequence[int], seconds: Sequence[float]) -> float | None:
    """Return p of the fitted seconds = c pixels^p; None for fewer than two points."""
    if len(pixels) < 2:
        return None
    return float(np.polyfit(np.log(pixels), np.log(seconds), 1)[0])


def describe(
    shared: Sequence[Figure],
    fixed: Sequence[Figure],
    zoomed: Sequence[Figure],
    facts: Mapping[str, object],
) -> str:
    """Return the figures as Markdown."""
    hole_px = fixed[0].case.hole_px
    holes, large_holes, photos = growing_hole(shared), growing_large_hole(shared), growing_photo(fixed)
    large = {
        way: ([px for px in pixels if px >= LARGE_PX], seconds[-sum(px >= LARGE_PX for px in pixels) :])
        for way, (pixels, seconds) in photos.items()
    }
    rows = [
        (
            "",
            "hole px, photo fixed",
            f"the same, holes from {LARGE_HOLE_PX:,} px on",
            f"photo px, hole of {hole_px:,} px",
            "the same above 2 megapixels",
        )
    ]
    for way in photos:
        kinds = (holes, large_holes, photos, large)
        fits = (exponent(*series[way]) if way in series else None for series in kinds)
        rows.append((way, *("" if fit is None else f"{fit:.2f}" for fit in fits)))
    left_out = [f"{f.way}, {f.case.size}: {f.note}." for f in (*shared, *fixed, *zoomed) if f.note]
    parts = [
        "Seconds (GB of memory on top of what is loaded) by photo and share of the hole:",
        as_markdown(_table(shared, lambda case: f"{case.size}, {(case.hole_px or 0) / case.photo_px:.0%}")),
        f"A hole of {hole_px:,} px in ever larger photos:",
        as_markdown(_table(fixed, lambda case: case.size)),
        "Exponents p of seconds = c pixels^p:",
        as_markdown(rows),
        "Enlargement by 4, to this size:",
        as_markdown(_table(zoomed, lambda case: case.size)),
        "Not measured: " + " ".join(dict.fromkeys(left_out)) if left_out else "",
        "; ".join(f"{name}: {value}" for name, value in facts.items()),
    ]
    return "\n\n".join(part for part in parts if part)


def _table(figures: Sequence[Figure], head: Callable[[Case], str]) -> list[Sequence[str]]:
    """Return a row a way, a column a case."""
    cases = list(dict.fromkeys(figure.case for figure in figures))
    found = {(figure.way, figure.case): figure for figure in figures}
    ways = list(dict.fromkeys(figure.way for figure in figures))
    return [["", *map(head, cases)], *([way, *(_cell(found[way, case]) for case in cases)] for way in ways)]


def _cell(figure: Figure) -> str:
    if figure.seconds is None:
        return "left out" if figure.note.startswith("left out") else "not there"
    return f"{figure.seconds:.3g} ({figure.extra_gb:.2f})"


def plot(path: Path, series: Series, what: str) -> None:
    """Draw seconds against pixels, both on logarithmic axes, each way with its exponent."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(6.4, 4.4), layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.subplots()
    for way, (pixels, seconds) in series.items():
        power = exponent(pixels, seconds)
        axes.loglog(pixels, seconds, marker="o", label=way if power is None else f"{way}: {power:.2f}")
    axes.set(xlabel=what, ylabel="seconds")
    axes.grid(True, which="both", alpha=0.25)
    axes.legend(fontsize=8, title="exponent")
    drawing.savefig(path, dpi=110)
