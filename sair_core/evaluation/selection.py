"""Measure how well clicks select objects: `python -m sair_core.evaluation.selection`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.segmentation import flood
from tqdm import tqdm

from sair_core.command_line import Option, run_command
from sair_core.config import strict_dataclass
from sair_core.encoders.semantic import find_encoder
from sair_core.evaluation import report
from sair_core.evaluation.clicks import Select, innermost_point, iou, select_after
from sair_core.evaluation.objects import list_objects
from sair_core.photos.datasets import list_labelled
from sair_core.photos.folders import Classes, list_photos, spread
from sair_core.photos.photo import load_photo
from sair_core.semantics.reader import SemanticReader
from sair_core.semantics.selector import PointSelector
from sair_core.weights.bundled import BUNDLED_ENCODER, BUNDLED_SELECTION

POINTS, CLASS, FLOOD = "points", "class under the click", "flood fill"
CLICKS = (1, 3, 5)  # after which the selection is compared with the object
TOLERANCE = 24  # of the flood fill, in levels of 255
SHEET_PX = 320  # long side of a picture on a sheet
SHEET_COLUMNS = 4


@strict_dataclass
class SelectionOptions:
    """Measure how well clicks select objects, beside the class under the click and a flood fill."""

    data: Annotated[Path, Option(metavar="FOLDER")]
    """folder of photos with label maps beside them; of any photos with --sheet"""
    model: str = BUNDLED_SELECTION
    """what selects: a bundled name, a folder that sair train --model select wrote, or a hub id"""
    encoder: str = BUNDLED_ENCODER
    """semantic encoder that reads the photos for it, as in sair train"""
    limit: int | None = None
    """only this many photos, spread evenly over the folder"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    sheet: Annotated[Path | None, Option(metavar="FILE")] = None
    """instead of figures: write what a click into the middle of photos selects, to look at"""
    photos: int = 20
    """of the sheet"""
    seed: int = 0
    """which photos are on the sheet"""
    json: Annotated[Path | None, Option(metavar="FILE")] = None
    """write everything"""


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.evaluation.selection") -> int:
    """Run the command line and return its exit status."""
    return run_command(_evaluate, SelectionOptions, argv, prog=prog)


def _evaluate(options: SelectionOptions) -> None:
    reader = SemanticReader.from_pretrained(find_encoder(options.encoder), device=options.device)
    selector = PointSelector.from_pretrained(reader, options.model)
    if options.sheet is not None:
        draw_sheet(selector, options.data, options.photos, options.seed).save(options.sheet)
        return
    (_, classes), started = list_labelled(options.data), time.perf_counter()
    ious, labels = measure(selector, reader, options.data, classes, limit=options.limit)
    rows = [["method", "", *(f"{n} click{'s' * (n > 1)}" for n in CLICKS)]]
    rows += [[name, "all", *(f"{v:.3f}" for v in of.mean(axis=0))] for name, of in ious.items()]
    for label in sorted(set(labels)):
        chosen = np.array([one == label for one in labels])
        name = f"{label} ({chosen.sum()})"
        rows.append([POINTS, name, *(f"{v:.3f}" for v in ious[POINTS][chosen].mean(axis=0))])
    print(report.align(rows))
    facts = {**report.machine_facts(), "minutes": round((time.perf_counter() - started) / 60, 1)}
    print(f"objects: {len(labels)}; " + "; ".join(f"{name}: {value}" for name, value in facts.items()))
    if options.json:
        figures = {name: of.tolist() for name, of in ious.items()}
        report.write_json(options.json, {"ious": figures, "labels": labels, "machine": facts})


def measure(
    selector: PointSelector,
    reader: SemanticReader,
    folder: Path,
    classes: Classes,
    *,
    limit: int | None = None,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the IoU after CLICKS of every object, `(objects, len(CLICKS))` by method, and its class.

    Objects are connected regions of countable classes that take 1 % of their photo or more; void counts as
    outside. Raises DataError, PhotoError.
    """
    ious: dict[str, list[list[float]]] = {POINTS: [], CLASS: [], FLOOD: []}
    labels = []
    photos, _ = list_labelled(folder)
    for index in tqdm(spread(len(photos), limit), unit="photo", disable=None):
        photo = load_photo(photos[index].path)
        rgb = photo.rgb
        objects = list_objects(photos[index].read_ids(photo.size_px, classes, photo.orientation), classes)
        if not objects:
            continue
        ids = reader.name(reader.read(rgb), list(classes.names)).ids
        methods: dict[str, Select] = {
            POINTS: partial(selector.select, rgb),
            CLASS: partial(select_regions, partial(region_around, ids)),
            FLOOD: partial(select_regions, partial(flood_around, rgb)),
        }
        for one in objects:
            labels.append(one.label)
            for name, select in methods.items():
                ious[name].append(ious_after_clicks(one.mask, select))
    return {name: np.array(of).reshape(-1, len(CLICKS)) for name, of in ious.items()}, labels


def ious_after_clicks(true: np.ndarray, select: Select) -> list[float]:
    """Return the IoU after each of CLICKS; once all is right it stays."""
    return [iou(found, true) for found in select_after(true, select, CLICKS)]


def select_regions(
    region: Callable[[int, int], np.ndarray], points: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return the regions around the points inside without those around the points outside.

    region: row and column to bool `(H, W)`. A later point has the last word.
    """
    mask: np.ndarray | None = None
    for (column, row), inside in zip(points.astype(int), labels):
        around = region(row, column)
        mask = around & inside if mask is None else (mask | around if inside else mask & ~around)
    assert mask is not None  # the first click is there
    return mask


def region_around(ids: np.ndarray, row: int, column: int) -> np.ndarray:
    """Return the connected region of a map `(H, W)` that has the class of a pixel."""
    regions, _ = ndimage.label(ids == ids[row, column])
    return regions == regions[row, column]


def flood_around(rgb: np.ndarray, row: int, column: int) -> np.ndarray:
    """Return the connected region of uint8 `(H, W, 3)` in which all are like a pixel."""
    apart = np.abs(rgb.astype(int) - rgb[row, column]).max(axis=2)
    return flood(apart <= TOLERANCE, (row, column))


def draw_sheet(selector: PointSelector, folder: Path, count: int, seed: int) -> Image.Image:
    """Return photos, chosen by seed, with what a click into their middle selects in red. Raises DataError."""
    photos = list_photos([folder])
    chosen = np.random.default_rng(seed).choice(len(photos), min(count, len(photos)), replace=False)
    rows = -(-len(chosen) // SHEET_COLUMNS)
    sheet = Image.new("RGB", (SHEET_COLUMNS * SHEET_PX, rows * SHEET_PX))
    for i, index in enumerate(chosen):
        rgb = load_photo(photos[index]).rgb
        point = innermost_point(np.ones(rgb.shape[:2], bool))
        picture = Image.fromarray(show_click(selector, rgb, point))
        picture.thumbnail((SHEET_PX, SHEET_PX))
        sheet.paste(picture, (i % SHEET_COLUMNS * SHEET_PX, i // SHEET_COLUMNS * SHEET_PX))
    return sheet


def show_click(selector: PointSelector, rgb: np.ndarray, point: tuple[float, float]) -> np.ndarray:
    """Return a photo, uint8 `(H, W, 3)`, with what a click at x, y selects in red, the click yellow."""
    x, y = point
    mask = selector.select(rgb, [point])
    shown = np.where(mask[..., None], rgb // 2 + np.array([120, 0, 30]), rgb).astype(np.uint8)
    shown[max(0, int(y) - 3) : int(y) + 4, max(0, int(x) - 3) : int(x) + 4] = (255, 255, 0)
    return shown


if __name__ == "__main__":
    sys.exit(main())
