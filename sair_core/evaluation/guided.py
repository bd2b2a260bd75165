"""`python -m sair_core.evaluation.guided`: whether a fill listens to words.

Each photo's hole is filled without words and with each word; then the filled photo is read again, whole, and
the mean embedding of what was the hole is compared with each word.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from sair_core.errors import ConfigError, SairError
from sair_core.evaluation import report
from sair_core.evaluation.samples import drawn_mask, list_samples
from sair_core.holes import hole_share
from sair_core.photos.photo import Photo, load_photo
from sair_core.pipeline import InpaintPipeline
from sair_core.weights.bundled import BUNDLED_SAIR

NO_WORDS = "(none)"
HOLE_BIN = 1  # place in masks.BINS: 20-40 %
DEFAULT_WORDS = ("grass", "water")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; exit status 1 after an error, or if the hole does not move toward each word."""
    args = _arguments(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        if len(set(args.words)) < 2:
            raise ConfigError("Give at least two different words.")
        pipe = InpaintPipeline.from_pretrained(args.model, device=args.device)
        photos = [load_photo(one.path) for one in list_samples(args.data, args.limit)]
        holes = [drawn_mask(args.seed, i, HOLE_BIN, photo.size_px) for i, photo in enumerate(photos)]
        table = measure(pipe, list(zip(photos, holes)), args.words, strength=args.strength)
    except SairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    moves = [table[word][word] - table[NO_WORDS][word] for word in args.words]
    rows = [("filled with", *(f"nearness to {word!r}" for word in args.words))]
    rows += [(name, *(f"{row[word]:+.4f}" for word in args.words)) for name, row in table.items()]
    print(report.align(rows, left_columns=1))
    for word, move in zip(args.words, moves):
        print(f"toward {word!r} when filled with it: {move:+.4f}")
    facts = report.machine_facts()
    print("; ".join(f"{name}: {value}" for name, value in {"photos": len(photos), **facts}.items()))
    if args.json:
        report.write_json(args.json, {"cosines": table, "machine": facts})
    return int(min(moves) <= 0)


def measure(
    pipe: InpaintPipeline,
    pairs: Sequence[tuple[Photo, np.ndarray]],
    words: Sequence[str],
    *,
    strength: float = 1.0,
) -> dict[str, dict[str, float]]:
    """Mean cosine of the filled holes to each word, by what they were filled with.

    pairs: photos and their holes, bool `(H, W)`. Raises LabelError for a model without semantics.
    """
    targets = dict(zip(words, pipe.reader.text.embed(list(words))))
    sums = {name: dict.fromkeys(words, 0.0) for name in (NO_WORDS, *words)}
    for photo, hole in tqdm(pairs, unit="photo", leave=False):
        for name, row in sums.items():
            guide = None if name == NO_WORDS else name
            filled = pipe.fill(photo, hole, words=guide, strength=strength).photo
            mean = mean_embedding(pipe.reader.read(filled.rgb).vectors, hole)
            for word in words:
                row[word] += float(mean @ targets[word].to(mean)) / len(pairs)
    return sums


def mean_embedding(vectors: Tensor, hole: np.ndarray) -> Tensor:
    """Unit mean `(D,)` of the vectors `(D, h, w)` over a hole, bool `(H, W)`."""
    share = hole_share(torch.from_numpy(hole).to(vectors)[None, None], vectors.shape[-2:])[0]
    return F.normalize((vectors * share).sum((1, 2)), dim=0)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sair_core.evaluation.guided", description=__doc__)
    add = parser.add_argument
    add("--data", required=True, type=Path, help="folder of photos")
    add("--model", default=BUNDLED_SAIR, help="name, folder or hub id (default: %(default)s)")
    add("--words", nargs="+", default=list(DEFAULT_WORDS), help=f"default: {' '.join(DEFAULT_WORDS)}")
    add("--strength", type=float, default=1.0, help="how much the words count (default: %(default)s)")
    add("--limit", type=int, default=40, help="photos, spread evenly over the folder (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the drawn masks (default: %(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
