"""Holes of the size of objects: drawn ellipses, or the outlines of real objects where they are labelled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from sair_core.photos.folders import Classes, find_classes_file, find_label_map, read_classes, read_label_map
from sair_core.photos.masks import grow, hole_ratio
from sair_core.photos.reader import read_orientation
from sair_core.semantics.words import COCO_THINGS, vocabulary

ELLIPSES = (1, 3)  # how many, at least and at most
SHARE = (0.05, 0.24)  # of the photo, that ellipses hide
RADIUS = (0.08, 0.28)  # of an ellipse, in units of the photo's mean side
OBJECT_SHARE = (0.01, 0.4)  # of the photo, that a real object's hole takes
GROW_PX = 4  # of an outline: labels end at the object's edge, its soft rim has to go, too

# Countable things are objects, stuff such as sky and grass is what they stand in.
THINGS = frozenset(vocabulary("coco")[:COCO_THINGS])


def ellipse_mask(rng: np.random.Generator, size_px: tuple[int, int]) -> np.ndarray:
    """One to three turned ellipses that hide 5 to 24 % of the photo: bool `size_px` (height, width).

    They may overlap, and reach over the photo's edge.
    """
    height, width = size_px
    side = math.sqrt(height * width)
    y, x = np.ogrid[:height, :width]
    while True:
        mask = np.zeros(size_px, bool)
        for _ in range(rng.integers(ELLIPSES[0], ELLIPSES[1] + 1)):
            centre_y, centre_x = rng.uniform(0.1, 0.9, 2) * size_px
            a, b = rng.uniform(*RADIUS, 2) * side
            sine, cosine = np.sin(angle := rng.uniform(0, math.pi)), np.cos(angle)
            dy, dx = y - centre_y, x - centre_x
            mask |= ((cosine * dx + sine * dy) / a) ** 2 + ((cosine * dy - sine * dx) / b) ** 2 <= 1
        if SHARE[0] <= hole_ratio(mask) <= SHARE[1]:
            return mask


@dataclass(frozen=True, eq=False)
class Outline:
    """A real object's outline. label: name of its class; mask: bool `(H, W)`."""

    label: str
    mask: np.ndarray


def object_outlines(ids: np.ndarray, classes: Classes) -> list[Outline]:
    """Every connected object of a label map that is neither tiny nor most of the photo, grown by a few px.

    By class and place. ids: uint8 `(H, W)` of `read_label_map`.
    """
    return [outline for name, region in _regions(ids, classes) for outline in _of_sensible_size(name, region)]


def class_outlines(ids: np.ndarray, classes: Classes) -> list[Outline]:
    """As `object_outlines`, but all objects of a class at once, so that none is left when they are gone."""
    return [
        outline
        for number in thing_ids(classes)
        for outline in _of_sensible_size(classes.names[number], ids == number)
    ]


def list_objects(ids: np.ndarray, classes: Classes) -> list[Outline]:
    """Every connected object of a label map that is not tiny, within its own edges, by class and place."""
    return [
        Outline(name, region)
        for name, region in _regions(ids, classes)
        if hole_ratio(region) >= OBJECT_SHARE[0]
    ]


def thing_ids(classes: Classes) -> list[int]:
    """Ids of the classes that are countable objects, by their names and synonyms."""
    pairs = zip(classes.names, classes.synonyms)
    return [i for i, (name, others) in enumerate(pairs) if not THINGS.isdisjoint((name, *others))]


def read_labels(photo: Path, size_px: tuple[int, int]) -> tuple[np.ndarray, Classes] | None:
    """The label map beside a photo, and what its ids mean; None where there is none. Raises DataError."""
    path = find_label_map(photo)
    if path is None or find_classes_file(photo.parent) is None:
        return None
    classes = read_classes(photo.parent)
    orientation = read_orientation(photo) if photo.is_file() else 1
    ids = read_label_map(path, size_px, len(classes.names), orientation=orientation)
    return ids, classes


def _regions(ids: np.ndarray, classes: Classes) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the class's name and the mask of every connected object."""
    for number in thing_ids(classes):
        regions, count = ndimage.label(ids == number)
        for region in range(1, count + 1):
            yield classes.names[number], regions == region


def _of_sensible_size(label: str, region: np.ndarray) -> list[Outline]:
    """The outline around a region, or none."""
    if not OBJECT_SHARE[0] <= hole_ratio(region):  # most regions are specks: not worth growing
        return []
    mask = grow(region, GROW_PX)
    return [Outline(label, mask)] if hole_ratio(mask) <= OBJECT_SHARE[1] else []
