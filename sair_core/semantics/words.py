"""Words that people type, and the vocabularies that come with the project."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache

from sair_core.errors import LabelError
from sair_core.files import ASSETS

VOCABULARIES = ASSETS / "vocabularies"
COCO_THINGS = 80  # the first words of the vocabulary "coco" are its countable things (Caesar et al. 2018)
EVERYTHING_ELSE = "everything else"
MAX_LABELS = 64
MAX_LABEL_CHARACTERS = 80


def parse_labels(text: str | Sequence[str]) -> list[str]:
    """Read labels from what was typed, "Sky, car; tree" or a list: trimmed, lower case, each once, in order.

    Commas, semicolons and line breaks stand between labels. Raises LabelError when none is left, one is
    longer than 80 characters, or there are more than 64.
    """
    parts = re.split(r"[,;\n]", text) if isinstance(text, str) else list(text)
    labels = list(dict.fromkeys(filter(None, (re.sub(r"\s+", " ", p).strip().lower() for p in parts))))
    if not labels:
        raise LabelError("No label was given. Type words with commas between, for example: sky, car, tree.")
    if len(labels) > MAX_LABELS:
        raise LabelError(f"{len(labels)} labels are too many: at most {MAX_LABELS} at once. Leave some out.")
    longest = max(labels, key=len)
    if len(longest) > MAX_LABEL_CHARACTERS:
        raise LabelError(
            f"The label {longest[:30]!r}... has {len(longest)} characters, and {MAX_LABEL_CHARACTERS} is the "
            "most that can be read. Use a few words, and commas between labels."
        )
    return labels


@cache
def label_presets() -> dict[str, tuple[str, ...]]:
    """Return sets of labels to begin with, by name."""
    presets = json.loads((VOCABULARIES / "presets.json").read_text(encoding="utf-8"))
    return {name: tuple(labels) for name, labels in presets.items()}


@cache
def vocabulary(name: str) -> tuple[str, ...]:
    """Return the words of `assets/vocabularies/NAME.txt`, one a line: "ade20k" or "coco"."""
    return tuple((VOCABULARIES / f"{name}.txt").read_text(encoding="utf-8").split("\n")[:-1])


@cache
def scene_words() -> tuple[str, ...]:
    """Return the words of ADE20K and COCO, each once."""
    return tuple(dict.fromkeys([*vocabulary("ade20k"), *vocabulary("coco")]))


@cache
def imagenet_words() -> tuple[str, ...]:
    """Return open_clip's names of ImageNet's 1000 classes in their order, lower case; a few occur twice."""
    from open_clip import IMAGENET_CLASSNAMES  # takes seconds

    return tuple(name.lower() for name in IMAGENET_CLASSNAMES)
