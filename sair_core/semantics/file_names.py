"""What the file names of photo collections say that a photo shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from sair_core.semantics.words import imagenet_words

FLOWERS = {"roses": "rose", "sunflowers": "sunflower", "tulips": "tulip"}

# By the first part of a name; files of ImageNet carry the id of their class in it and need no line here.
COLLECTIONS: dict[str, Callable[[str], str]] = {
    "opennature": lambda rest: "bird",
    "feedme": lambda rest: "food",
    "flowers": lambda rest: FLOWERS.get(rest.split("_")[0], rest.split("_")[0]),
}


def word_of(stem: str) -> str | None:
    """Return what a file name says that its photo shows; None when it says nothing."""
    known = imagenet_class(stem)
    if known is not None:
        return imagenet_words()[known]
    prefix, _, rest = stem.partition("_")
    return COLLECTIONS[prefix](rest).lower() if prefix in COLLECTIONS and rest else None


def imagenet_class(stem: str) -> int | None:
    """Return the ImageNet class whose WordNet id stands in a file name ("n01534433_junco"), if one does."""
    found = re.search(r"(?:^|_)(n\d{8})(?:_|$)", stem)
    return _classes().get(found[1]) if found else None


@cache
def _classes() -> dict[str, int]:
    from timm.data import ImageNetInfo  # takes seconds

    info: Any = ImageNetInfo("imagenet-1k")
    return {wordnet_id: i for i, wordnet_id in enumerate(info.label_names())}
