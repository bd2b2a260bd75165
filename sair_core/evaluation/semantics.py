"""`python -m sair_core.evaluation.semantics`: how well pixels are named, in view and under a hole."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from sair_core.encoders.semantic import BUNDLED_CONFIG, SemanticConfig
from sair_core.errors import ConfigError, SairError
from sair_core.evaluation import report
from sair_core.evaluation.samples import drawn_mask
from sair_core.evaluation.segmentation import Confusion
from sair_core.models.load import load_model
from sair_core.models.sair import Sair
from sair_core.photos.folders import Classes, labelled_files, read_classes, read_label_map, spread
from sair_core.photos.masks import BINS
from sair_core.photos.photo import load_photo
from sair_core.pipeline import InpaintPipeline
from sair_core.semantics.reader import SemanticReader

IN_VIEW = "in view"
PLAIN = "encoder"
HOLE_BINS = (1, 2)  # places in BINS: 20-40 % and 40-60 %
MANY = 20  # training photos; rarer classes are left out of the second mean


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status: 0, or 1 after an error."""
    args = _arguments(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        classes = read_classes(args.data)
        readers = _readers(args)
        started = time.perf_counter()
        tables = measure(readers, args.data, classes, seed=args.seed, limit=args.limit)
        common = common_classes(args.train or args.data.parent / "train", classes)
    except SairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _show(tables, classes, common)
    facts = {**report.machine_facts(), "minutes": round((time.perf_counter() - started) / 60, 1)}
    print("; ".join(f"{name}: {value}" for name, value in facts.items()))
    if args.json:
        report.write_json(args.json, _content(tables, classes, common, facts))
    return 0


def measure(
    readers: dict[str, SemanticReader],
    folder: Path,
    classes: Classes,
    *,
    seed: int = 0,
    limit: int | None = None,
) -> dict[str, dict[str, Confusion]]:
    """Confusions by part (in view, hole share) and reader.

    In view, the photo is whole. Under a hole only its hidden pixels are scored. The masks depend on the
    seed, the photo's place and the bin. Raises DataError, PhotoError.
    """
    pairs = labelled_files(folder)
    parts = [IN_VIEW, *(bin_name(i) for i in HOLE_BINS)]
    tables = {part: {name: Confusion(len(classes.names)) for name in readers} for part in parts}
    labels = list(classes.names)
    for index in tqdm(spread(len(pairs), limit), unit="photo"):
        photo, label_map = pairs[index]
        rgb = load_photo(photo).rgb
        true = read_label_map(label_map, rgb.shape[:2], len(labels))
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
    for _, label_map in labelled_files(train):
        with Image.open(label_map) as image:
            ids = np.unique(np.asarray(image))
        shown[ids[ids < len(shown)]] += 1
    return np.flatnonzero(shown >= MANY).tolist()


def _readers(args: argparse.Namespace) -> dict[str, SemanticReader]:
    options = {"upsample": args.upsample, "context_scale": args.context_scale, "keep_text": True}
    config = SemanticConfig(args.encoder, args.pretrained, **options)
    readers = {PLAIN: SemanticReader.from_pretrained(config, device=args.device)}
    for entry in args.sir:
        name, _, source = entry.partition("=")
        model = load_model(source or name)
        if not isinstance(model, Sair) or model.sir is None:
            raise ConfigError(f"{source or name} has no SIR. Give a model trained with semantics.")
        readers[f"+ {name}"] = InpaintPipeline(model, device=args.device).reader
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


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sair_core.evaluation.semantics", description=__doc__)
    add = parser.add_argument
    add("--data", required=True, type=Path, help="folder of photos with label maps beside them")
    add("--train", type=Path, help="folder that tells which classes are common (default: ../train)")
    add("--encoder", default=BUNDLED_CONFIG.name, help="bundled, open_clip name, hf-hub:... or folder")
    add("--pretrained", help="open_clip's tag of the weights")
    plain = BUNDLED_CONFIG
    add("--upsample", type=float, default=plain.upsample, help="the photo is enlarged by this (%(default)s)")
    add("--context-scale", type=float, default=plain.context_scale, help="of the second look (%(default)s)")
    add("--sir", nargs="*", default=[], metavar="NAME=MODEL", help="models whose SIR completes the holes")
    add("--seed", type=int, default=0, help="of the drawn masks (default: %(default)s)")
    add("--limit", type=int, help="only this many photos, spread evenly over the folder")
    add("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write everything")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
