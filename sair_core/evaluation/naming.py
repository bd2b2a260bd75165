"""How well an encoder names what photos show as a whole: photos whose file names say it.

- *zero-shot*: a photo of one of ImageNet's classes, the mean of its map against all the thousand names.
- *twenty-way*: its name among nineteen names of other such photos, by the largest share of the map.
- *things*: a photo of one of twenty things, the mean of its map against the words for them, and the same by
  the largest share; how often a word selects something in photos that show it, and in those that do not.

An encoder that began with ImageNet weights may have seen these very photos.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from tqdm import tqdm

from sair_core.photos.folders import list_photos
from sair_core.photos.photo import load_photo
from sair_core.semantics.file_names import imagenet_class
from sair_core.semantics.reader import Embedding, SemanticReader
from sair_core.semantics.words import EVERYTHING_ELSE, imagenet_words

WAYS = 20
SELECTED = 0.05  # share of a photo from which on a word has selected something

# Words, and what file names of photos that show them contain.
THINGS: dict[str, tuple[str, ...]] = {
    "bird": ("opennature_", "junco", "lorikeet", "sandpiper"),
    "daisy": ("flowers_daisy",),
    "dandelion": ("flowers_dandelion",),
    "rose": ("flowers_roses",),
    "sunflower": ("flowers_sunflowers",),
    "tulip": ("flowers_tulips",),
    "food": ("feedme_", "cheeseburger"),
    "snake": ("night_snake", "rock_python"),
    "lobster": ("lobster",),
    "monkey": ("monkey",),
    "fish": ("lionfish",),
    "butterfly": ("ringlet",),
    "musical instrument": ("oboe",),
    "scooter": ("moped", "motor_scooter"),
    "tractor": ("tractor",),
    "bucket": ("bucket",),
    "sandal": ("sandal",),
    "bell pepper": ("bell_pepper",),
    "pomegranate": ("pomegranate",),
    "obelisk": ("obelisk",),
}


@dataclass
class NamingFigures:
    """Shares in [0, 1] of so many photos; `first` by the best words, `selected` and `false` by selection."""

    photos: int
    first: dict[int, float]
    selected: float | None = None
    false: float | None = None


def measure_naming(reader: SemanticReader, folder: Path, *, seed: int = 0) -> dict[str, NamingFigures]:
    """Return the figures by kind. Photos whose names say nothing are left out; a kind without photos, too.

    A thing whose word the reader refuses has no share and selects nothing.

    seed: of the nineteen other names. Raises DataError, PhotoError.
    """
    paths = list_photos([folder])
    classes = {path: found for path in paths if (found := imagenet_class(path.stem)) is not None}
    things = {path: thing for path in paths if (thing := thing_of(path.stem)) is not None}
    refused = set(reader.find_unknown(list(THINGS)))
    known = [word for word in THINGS if word not in refused]
    ranks: dict[str, list[int]] = {}
    selected: list[tuple[bool, bool]] = []  # whether a word is true of a photo, whether it selected something
    for path in tqdm([p for p in paths if p in classes or p in things], unit="photo", disable=None):
        embedding = reader.read(load_photo(path).rgb)
        if path in classes:
            names = imagenet_words()
            ranks.setdefault("zero-shot, 1000 names", []).append(
                rank_by_mean(reader, embedding, names, names[classes[path]])
            )
            some = draw_names(classes[path], list(classes.values()), seed)
            ranks.setdefault("twenty-way, by share", []).append(rank_by_share(reader, embedding, some, 0))
        if path in things:
            true = things[path]
            ranks.setdefault("things, by mean", []).append(
                rank_by_mean(reader, embedding, list(THINGS), true)
            )
            ranks.setdefault("things, by share", []).append(
                rank_by_share(reader, embedding, known, known.index(true)) if true in known else len(THINGS)
            )
            selected += [
                (word == true, word in known and selects(reader, embedding, word)) for word in THINGS
            ]
    figures = {
        name: NamingFigures(len(r), {n: share(k < n for k in r) for n in (1, 3, 5)})
        for name, r in ranks.items()
    }
    if selected:
        figures["things, by share"].selected = share(done for true, done in selected if true)
        figures["things, by share"].false = share(done for true, done in selected if not true)
    return figures


def thing_of(stem: str) -> str | None:
    """Return which of the twenty things a file name names, if one."""
    return next((word for word, parts in THINGS.items() if any(part in stem for part in parts)), None)


def draw_names(true: int, shown: Sequence[int], seed: int) -> list[str]:
    """Return the name of a class and then those of up to nineteen others among the shown ones."""
    names = imagenet_words()
    others = sorted({names[i] for i in shown} - {names[true]})
    rng = np.random.default_rng([seed, true])
    return [names[true], *rng.choice(others, min(WAYS - 1, len(others)), replace=False)]


def rank_by_mean(reader: SemanticReader, embedding: Embedding, names: Sequence[str], true: str) -> int:
    """Return how many other names are nearer to the mean of a map than the true one."""
    mean = F.normalize(embedding.vectors.mean(dim=(1, 2)), dim=0).cpu()
    unique = list(dict.fromkeys(names))
    cosines = reader.text.embed(unique).cpu() @ mean
    return int((cosines > cosines[unique.index(true)]).sum())


def rank_by_share(reader: SemanticReader, embedding: Embedding, names: Sequence[str], true: int) -> int:
    """Return how many other names have at least the share of the map that the true one has."""
    ids = reader.name(embedding, list(names)).ids
    shares = np.bincount(ids.ravel(), minlength=len(names))
    return int((np.delete(shares, true) >= shares[true]).sum())


def selects(reader: SemanticReader, embedding: Embedding, word: str) -> bool:
    """Whether a word selects a part of a photo that is worth the name."""
    found = reader.name(embedding, [word, EVERYTHING_ELSE]).mask([word])
    return bool(found.mean() >= SELECTED)


def share(facts: Iterable[bool]) -> float:
    """Return the share of true ones."""
    return float(np.mean(list(facts)))
