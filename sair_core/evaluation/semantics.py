"""Measure how well pixels are named: `python -m sair_core.evaluation.semantics`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from sair_core.command_line import Option, run_command
from sair_core.config import strict_dataclass
from sair_core.encoders.semantic import BUNDLED_CONFIG, SemanticConfig
from sair_core.errors import ConfigError
from sair_core.evaluation import report
from sair_core.evaluation.naming import NamingFigures, measure_naming
from sair_core.evaluation.samples import centre_square, drawn_mask
from sair_core.evaluation.segmentation import Confusion
from sair_core.models.load import load_model
from sair_core.models.sair import Sair
from sair_core.photos.datasets import find_dataset, list_labelled
from sair_core.photos.folders import Classes, spread
from sair_core.photos.masks import BINS
from sair_core.photos.photo import load_photo
from sair_core.pipeline import InpaintPipeline
from sair_core.semantics.reader import SemanticReader

IN_VIEW = "in view"
PLAIN = "encoder"
HOLE_BINS = (1, 2)  # places in BINS: 20-40 % and 40-60 %
MANY = 20  # training photos; rarer classes are left out of the second mean


@strict_dataclass
class SemanticsOptions:
    """Measure how well pixels are named, in view and under a hole."""

    data: Annotated[Path, Option(metavar="FOLDER")]
    """folder of photos with label maps beside them"""
    train: Annotated[Path | None, Option(metavar="FOLDER")] = None
    """folder that tells which classes are common (default: ../train)"""
    named: Annotated[Path | None, Option(metavar="FOLDER")] = None
    """folder of photos whose file names say what they show: how well photos are named, too"""
    encoder: str = BUNDLED_CONFIG.name
    """bundled, open_clip name, hf-hub:... or folder"""
    pretrained: Annotated[str | None, Option(metavar="TAG")] = None
    """open_clip's tag of the weights"""
    upsample: float = BUNDLED_CONFIG.upsample
    """the photo is enlarged by this"""
    context_scale: float | None = BUNDLED_CONFIG.context_scale
    """of the second look"""
    sir: Annotated[tuple[str, ...], Option(metavar="NAME=MODEL")] = ()
    """models whose SIR completes the holes"""
    seed: int = 0
    """of the drawn masks"""
    limit: int | None = None
    """only this many photos, spread evenly over the folder"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    json: Annotated[Path | None, Option(metavar="FILE")] = None
    """write everything"""


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.evaluation.semantics") -> int:
    """Run the command line and return its exit status."""
    return run_command(_evaluate, SemanticsOptions, argv, prog=prog)


def _evaluate(options: SemanticsOptions) -> None:
    _, classes = list_labelled(options.data)
    readers = _readers(options)
    started = time.perf_counter()
    tables = measure(readers, options.data, classes, seed=options.seed, limit=options.limit)
    known = find_dataset(options.data) is not None  # which holds the photos to train on, too
    train = options.train or (options.data if known else options.data.parent / "train")
    common = common_classes(train, classes)
    _show(tables, classes, common)
    naming = {}
    if options.named is not None:
        naming = {name: measure_naming(r, options.named, seed=options.seed) for name, r in readers.items()}
        _show_naming(naming)
    facts = {**report.machine_facts(), "minutes": round((time.perf_counter() - started) / 60, 1)}
    print("; ".join(f"{name}: {value}" for name, value in facts.items()))
    if options.json:
        content = _content(tables, classes, common, facts)
        content["naming"] = {name: {k: asdict(v) for k, v in found.items()} for name, found in naming.items()}
        report.write_json(options.json, content)


def measure(
    readers: dict[str, SemanticReader],
    folder: Path,
    classes: Classes,
    *,
    seed: int = 0,
    limit: int | None = None,
    size_px: int | None = None,
) -> dict[str, dict[str, Confusion]]:
    """Confusions by part (in view, hole share) and reader.

    In view, the photo is whole. Under a hole only its hidden pixels are scored. The masks depend on the
    seed, the photo's place and the bin. size_px: of photos the centre squares at this side; None: whole
    photos at their own size. Raises DataError, PhotoError.
    """
    photos, _ = list_labelled(folder)
    parts = [IN_VIEW, *(bin_name(i) for i in HOLE_BINS)]
    tables = {part: {name: Confusion(len(classes.names)) for name in readers} for part in parts}
    labels = list(classes.names)
    for index in tqdm(spread(len(photos), limit), unit="photo", disable=None):
        photo = load_photo(photos[index].path)
        rgb = photo.rgb
        true = photos[index].read_ids(photo.size_px, classes, photo.orientation)
        if size_px is not None:
            rgb = centre_square(rgb, size_px)
            true = centre_square(true, size_px, Image.Resampling.NEAREST)
        holes = {bin_name(i): drawn_mask(seed, index, i, rgb.shape[:2]) for i in HOLE_BINS}
        for name, reader in readers.items():
            for part, hole in {IN_VIEW: None, **holes}.items():
                found = reader.name(reader.read(rgb, hole), labels).ids
                tables[part][name].add(found, true, hole)
    return tables


def bin_name(index: int) -> str:
    """ "hole 20-40 %" and so on."""
    low, high = BINS[index]
    return f"hole {100 * low:.0f}-{100 * high:.0f} %"


def common_classes(train: Path, classes: Classes) -> list[int]:
    """Ids of the classes that 20 or more photos of a folder show. Raises DataError."""
    shown = np.zeros(len(classes.names), int)
    photos, _ = list_labelled(train, "train")
    for photo in photos:
        ids = photo.list_ids()
        shown[ids[ids < len(shown)]] += 1
    return np.flatnonzero(shown >= MANY).tolist()


def _readers(options: SemanticsOptions) -> dict[str, SemanticReader]:
    config = SemanticConfig(
        options.encoder,
        options.pretrained,
        upsample=options.upsample,
        context_scale=options.context_scale,
        keep_text=True,
    )
    readers = {PLAIN: SemanticReader.from_pretrained(config, device=options.device)}
    for entry in options.sir:
        name, _, source = entry.partition("=")
        model = load_model(source or name)
        if not isinstance(model, Sair) or model.sir is None:
            raise ConfigError(f"{source or name} has no SIR. Give a model trained with semantics.")
        readers[f"+ {name}"] = InpaintPipeline(model, device=options.device).reader
    return readers


def _show(tables: dict[str, dict[str, Confusion]], classes: Classes, common: list[int]) -> None:
    print(f"{'':18}{'':16}{'accuracy':>10}{'mIoU':>8}{f'mIoU (n>={MANY})':>14}")
    for part, rows in tables.items():
        for name, confusion in rows.items():
            figures = (confusion.accuracy(), confusion.mean_iou(), confusion.mean_iou(common))
            print(f"{part:18}{name:16}{figures[0]:10.3f}{figures[1]:8.3f}{figures[2]:14.3f}")
    columns = [(part, name) for part, rows in tables.items() for name in rows]
    print(
        "\nIoU by class: " + "; ".join(f"({i + 1}) {part}, {name}" for i, (part, name) in enumerate(columns))
    )
    ious = np.stack([tables[part][name].ious() for part, name in columns], axis=1)
    for label, row in zip(classes.names, ious):
        if np.isfinite(row).any():
            print(f"{label:18}" + "".join("      -" if np.isnan(v) else f"{v:7.2f}" for v in row))


def _show_naming(naming: dict[str, dict[str, NamingFigures]]) -> None:
    print(f"\n{'':42}{'photos':>8}{'top-1':>8}{'top-3':>8}{'top-5':>8}{'selected':>10}{'false':>8}")
    for name, kinds in naming.items():
        for kind, found in kinds.items():
            first = "".join(f"{found.first[n]:8.3f}" for n in (1, 3, 5))
            print(f"{name:18}{kind:24}{found.photos:8}{first}", end="")
            print("" if found.selected is None else f"{found.selected:10.3f}{found.false:8.3f}")


def _content(
    tables: dict[str, dict[str, Confusion]], classes: Classes, common: list[int], facts: dict[str, Any]
) -> dict[str, Any]:
    figures = {
        part: {
            name: {
                "accuracy": confusion.accuracy(),
                "miou": confusion.mean_iou(),
                "miou_common": confusion.mean_iou(common),
                "ious": {c: round(float(v), 4) for c, v in zip(classes.names, confusion.ious()) if v == v},
            }
            for name, confusion in rows.items()
        }
        for part, rows in tables.items()
    }
    return {"figures": figures, "common_classes": [classes.names[i] for i in common], "machine": facts}


if __name__ == "__main__":
    sys.exit(main())
