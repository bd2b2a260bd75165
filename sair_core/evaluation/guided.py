"""Measure whether a fill listens to words: `python -m sair_core.evaluation.guided`.

Each photo's hole is filled without words and with each word; then the filled photo is read again, whole, and
the mean embedding of what was the hole is compared with each word. How far a word moves colours is said, too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from sair_core.command_line import DONE, SOME_FAILED, Option, run_command
from sair_core.config import require, strict_dataclass
from sair_core.evaluation import report
from sair_core.evaluation.samples import drawn_mask, list_samples
from sair_core.holes import hole_share, to_hole01
from sair_core.photos.photo import Photo, load_photo
from sair_core.pipeline import InpaintPipeline
from sair_core.weights.bundled import BUNDLED_SAIR

NO_WORDS = "(none)"
HOLE_BIN = 1  # place in masks.BINS: 20-40 %


@strict_dataclass
class GuidedOptions:
    """Measure whether a fill listens to words."""

    data: Annotated[Path, Option(metavar="FOLDER")]
    """folder of photos"""
    model: str = BUNDLED_SAIR
    """bundled name, folder or hub id"""
    engine: Literal["natural", "smooth"] = "natural"
    """with texture from the photo, which words choose, or what the model fills alone"""
    words: tuple[str, ...] = ("grass", "water")
    """what the holes are filled with, at least two"""
    strength: float = 1.0
    """how much the words count, 0 to 1"""
    limit: int = 40
    """photos, spread evenly over the folder"""
    seed: int = 0
    """of the drawn masks"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    json: Annotated[Path | None, Option(metavar="FILE")] = None
    """write the figures"""

    def __post_init__(self) -> None:
        require(len(set(self.words)) >= 2, "Give at least two different --words.")


@dataclass(frozen=True)
class Answers:
    """What words made of holes, by what they were filled with; means over photos.

    cosines: of the filled holes to each word. levels: how far, 0 to 255, a colour in the hole is from the one
    without words.
    """

    cosines: dict[str, dict[str, float]]
    levels: dict[str, float]


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.evaluation.guided") -> int:
    """Run the command line and return its exit status, 1 if the hole does not move toward each word."""
    return run_command(_evaluate, GuidedOptions, argv, prog=prog)


def _evaluate(options: GuidedOptions) -> int:
    pipe = InpaintPipeline.from_pretrained(options.model, engine=options.engine, device=options.device)
    photos = [load_photo(one.path) for one in list_samples(options.data, options.limit)]
    holes = [drawn_mask(options.seed, i, HOLE_BIN, photo.size_px) for i, photo in enumerate(photos)]
    answers = measure(pipe, list(zip(photos, holes)), options.words, strength=options.strength)
    table = answers.cosines
    moves = [table[word][word] - table[NO_WORDS][word] for word in options.words]
    rows = [("filled with", *(f"nearness to {word!r}" for word in options.words), "moved, of 255")]
    for name, row in table.items():
        rows.append((name, *(f"{row[word]:+.4f}" for word in options.words), f"{answers.levels[name]:.1f}"))
    print(report.align(rows, left_columns=1))
    for word, move in zip(options.words, moves):
        print(f"toward {word!r} when filled with it: {move:+.4f}")
    facts = report.machine_facts()
    print("; ".join(f"{name}: {value}" for name, value in {"photos": len(photos), **facts}.items()))
    if options.json:
        report.write_json(options.json, {"cosines": table, "levels": answers.levels, "machine": facts})
    return SOME_FAILED if min(moves) <= 0 else DONE


def measure(
    pipe: InpaintPipeline,
    pairs: Sequence[tuple[Photo, np.ndarray]],
    words: Sequence[str],
    *,
    strength: float = 1.0,
) -> Answers:
    """Fill holes without words and with each, and see how near they come to each word and how far they move.

    pairs: photos and their holes, bool `(H, W)`. Raises LabelError for a model without semantics.
    """
    targets = dict(zip(words, pipe.reader.text.embed(list(words))))
    cosines = {name: dict.fromkeys(words, 0.0) for name in (NO_WORDS, *words)}
    levels = dict.fromkeys(cosines, 0.0)
    for photo, hole in tqdm(pairs, unit="photo", leave=False, disable=None):
        fills = {
            name: pipe.fill(photo, hole, words=asked, strength=strength).photo.rgb
            for name, asked in {NO_WORDS: None, **{word: word for word in words}}.items()
        }
        unmoved = fills[NO_WORDS][hole].astype(float)
        for name, rgb in fills.items():
            levels[name] += float(np.abs(rgb[hole] - unmoved).mean()) / len(pairs)
            mean = mean_embedding(pipe.reader.read(rgb).vectors, hole)
            for word in words:
                cosines[name][word] += float(mean @ targets[word].to(mean)) / len(pairs)
    return Answers(cosines, levels)


def mean_embedding(vectors: Tensor, hole: np.ndarray) -> Tensor:
    """Unit mean `(D,)` of the vectors `(D, h, w)` over a hole, bool `(H, W)`."""
    share = hole_share(to_hole01(hole, vectors.device), vectors.shape[-2:])[0]
    return F.normalize((vectors * share).sum((1, 2)), dim=0)


if __name__ == "__main__":
    sys.exit(main())
