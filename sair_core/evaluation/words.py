"""See whether words choose what a hole is filled with: `python -m sair_core.evaluation.words`.

In photos that show two classes plainly, one hole is filled with each of the two words. The encoder, which
sees the filled photo whole, is asked what it finds there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
from tqdm import tqdm

from sair_core.command_line import DONE, Option, run_command
from sair_core.config import require, strict_dataclass
from sair_core.errors import DataError
from sair_core.evaluation import report
from sair_core.evaluation.objects import ellipse_mask, read_labels
from sair_core.evaluation.samples import Sample, list_samples
from sair_core.evaluation.segmentation import name_share
from sair_core.evaluation.sheets import picture_sheet
from sair_core.photos.folders import VOID, read_classes
from sair_core.photos.photo import load_photo
from sair_core.semantics.reader import SemanticReader
from sair_core.weights.bundled import BUNDLED_SAIR

MIN_CLASS_SHARE = 0.1  # of the photo, that a class has outside the hole: enough to copy from
ROWS = ("natural", "natural without words", "smooth")


@strict_dataclass
class WordsOptions:
    """See whether words choose what a hole is filled with."""

    data: Annotated[Path, Option(metavar="FOLDER")]
    """folder of photos with label maps beside them"""
    model: str = BUNDLED_SAIR
    """bundled name, folder or hub id"""
    limit: int = 40
    """photos with two classes of enough area"""
    seed: int = 0
    """of the holes and of the order in which photos are looked at"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    save_pictures: Annotated[Path | None, Option(metavar="FOLDER")] = None
    """write a sheet for each photo, as PNG"""
    json: Annotated[Path | None, Option(metavar="FILE")] = None
    """write everything, single fills included"""

    def __post_init__(self) -> None:
        require(self.limit >= 1, f"--limit must be at least 1, got {self.limit}.")


@dataclass(frozen=True, eq=False)
class WordCase:
    """A photo, a hole in it, and the two words to fill it with: those of the largest classes beside it.

    photo: uint8 `(H, W, 3)`; hole: bool `(H, W)`; names: of all classes that the encoder may answer with.
    """

    sample: Sample
    photo: np.ndarray
    hole: np.ndarray
    words: tuple[str, str]
    names: tuple[str, ...]


@dataclass(frozen=True)
class WordFill:
    """One hole filled with one word. named: whether no other name is as frequent in the hole; share: of the
    hole's pixels that are named by the word, in [0, 1]."""

    photo: str
    word: str
    method: str
    named: bool
    share: float


class WordMethod(Protocol):
    """Fills the hole (bool `(H, W)`) of a photo (uint8 `(H, W, 3)`) with what a word names."""

    def __call__(self, photo: np.ndarray, hole: np.ndarray, word: str) -> np.ndarray:
        """The filled photo, uint8 `(H, W, 3)`."""


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.evaluation.words") -> int:
    """Run the command line and return its exit status."""
    return run_command(_evaluate, WordsOptions, argv, prog=prog)


def list_cases(samples: Sequence[Sample], limit: int, seed: int) -> Iterator[WordCase]:
    """The first `limit` photos, in an order drawn by the seed, that show two classes of enough area."""
    order = np.random.default_rng(seed).permutation(len(samples))
    for i in order:
        case = _case(samples[i], np.random.default_rng([seed, samples[i].index]))
        if case is not None:
            yield case
            limit -= 1
            if limit == 0:
                return


def fill_with_words(
    methods: Mapping[str, WordMethod],
    cases: Sequence[WordCase],
    reader: SemanticReader,
    picture_folder: Path | None = None,
) -> list[WordFill]:
    """Fill every hole with each of its words by every method, and ask the encoder what it finds there."""
    if picture_folder is not None:
        picture_folder.mkdir(parents=True, exist_ok=True)
    fills = []
    for case in tqdm(cases, unit="photo", disable=None):
        pictures: dict[str, np.ndarray | None] = {}
        for name, method in methods.items():
            for word in case.words:
                picture = pictures[f"{name}: {word}"] = method(case.photo, case.hole, word)
                found = reader.name(reader.read(picture), list(case.names)).ids[case.hole]
                share, named = name_share(found, case.names.index(word), len(case.names))
                fills.append(WordFill(case.sample.path.name, word, name, named, share))
        if picture_folder is not None:
            sheet = picture_sheet(case.photo, case.hole, pictures)
            sheet.save(picture_folder / f"{case.sample.index:05d}_{case.sample.path.stem}.png")
    return fills


def summarise(fills: Sequence[WordFill]) -> dict[str, dict[str, float]]:
    """By method: the share of holes and the mean share of pixels named by their word; the number of fills."""
    table = {}
    for method in dict.fromkeys(fill.method for fill in fills):
        rows = [fill for fill in fills if fill.method == method]
        table[method] = {
            "named": float(np.mean([row.named for row in rows])),
            "share": float(np.mean([row.share for row in rows])),
            "fills": len(rows),
        }
    return table


def build_methods(model: str, device: str) -> dict[str, WordMethod]:
    """The rows of the table: the default engine with and without the words, and the model alone with them."""
    from sair_core.pipeline import InpaintPipeline

    pipe = InpaintPipeline.from_pretrained(model, device=device)

    def fill(photo: np.ndarray, hole: np.ndarray, words: str | None, texture: bool | None) -> np.ndarray:
        return pipe.fill(load_photo(photo), hole, words=words, texture=texture).photo.rgb

    return {
        ROWS[0]: lambda photo, hole, word: fill(photo, hole, word, None),
        ROWS[1]: lambda photo, hole, word: fill(photo, hole, None, None),
        ROWS[2]: lambda photo, hole, word: fill(photo, hole, word, False),
    }


def _case(sample: Sample, draw: np.random.Generator) -> WordCase | None:
    photo = sample.load()
    size_px = photo.shape[0], photo.shape[1]
    labels = read_labels(sample.path, size_px)
    if labels is None:
        return None
    ids, classes = labels
    hole = ellipse_mask(draw, size_px)
    beside = ids[~hole & (ids != VOID)]
    counts = np.bincount(beside, minlength=len(classes.names))
    first, second = (int(i) for i in counts.argsort(kind="stable")[-1:-3:-1])
    if counts[second] < MIN_CLASS_SHARE * ids.size:
        return None
    words = classes.names[first], classes.names[second]
    return WordCase(sample, photo, hole, words, tuple(classes.names))


def _evaluate(options: WordsOptions) -> int:
    read_classes(options.data)  # fails at once, before anything is loaded
    cases = list(list_cases(list_samples(options.data), options.limit, options.seed))
    if not cases:
        raise DataError(
            "No photo shows two labelled classes of enough area, so there is nothing to fill with."
            " Give others."
        )
    reader = SemanticReader.from_pretrained(device=options.device)
    methods = build_methods(options.model, options.device)
    fills = fill_with_words(methods, cases, reader, options.save_pictures)
    summary, facts = summarise(fills), report.machine_facts()
    rows = [("method", "holes named by the word", "pixels named by the word", "fills")]
    for method, one in summary.items():
        rows.append((method, f"{one['named']:.1%}", f"{one['share']:.1%}", f"{one['fills']}"))
    print(report.align(rows, left_columns=1))
    print("; ".join(f"{name}: {value}" for name, value in {"photos": len(cases), **facts}.items()))
    if options.json:
        content = {
            "data": str(options.data),
            "model": options.model,
            "seed": options.seed,
            "summary": summary,
            "fills": [asdict(fill) for fill in fills],
            "machine": facts,
        }
        report.write_json(options.json, content)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
