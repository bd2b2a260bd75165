"""SAIR, Table 6: how well photos with holes are named, by the encoder alone and with SIR."""

from __future__ import annotations

import json
from typing import Any

from sair_core.errors import ModelNotFoundError
from sair_core.evaluation.report import write_json
from sair_core.evaluation.segmentation import Confusion
from sair_core.evaluation.semantics import measure
from sair_core.experiments.laboratory import Laboratory
from sair_core.models.load import load_model
from sair_core.models.sair import Sair
from sair_core.photos.datasets import list_labelled
from sair_core.pipeline import InpaintPipeline
from sair_core.semantics.reader import SemanticReader

MIOU = "sair-miou"
SIRS = {"CLIP encoder + SIR": "sair", "CLIP encoder + SIR, taught": "sair-taught"}
DIGITS = 3


def measure_miou(laboratory: Laboratory) -> list[dict[str, Any]] | str:
    """Return a record a part of the photo and method, measured once, or why there is none.

    Only what a hole hides is scored under it. Raises DataError, PhotoError.
    """
    preset = laboratory.preset
    folder, path = preset.labelled, laboratory.output / "measured" / f"{MIOU}.json"
    if folder is None:
        return "The photos of this set have no labels."
    if path.is_file():
        return json.loads(path.read_text("utf-8"))["records"]
    readers: dict[str, SemanticReader] = {}
    try:
        for title, variant in SIRS.items():
            model = load_model(laboratory.train(variant, laboratory.seeds[0]))
            assert isinstance(model, Sair) and model.config.semantic is not None  # variants with semantics
            if not readers:
                alone = SemanticReader.from_pretrained(model.config.semantic, device=laboratory.device)
                readers["CLIP encoder"] = alone
            readers[title] = InpaintPipeline(model, device=laboratory.device).reader
    except ModelNotFoundError as error:
        return f"Not measured: {error}"
    data = laboratory.data / folder
    _, classes = list_labelled(data)
    tables = measure(readers, data, classes, limit=preset.limit, size_px=preset.size_px)
    records = [
        {"part": part, "method": name, **_figures(confusion)}
        for part, rows in tables.items()
        for name, confusion in rows.items()
    ]
    write_json(path, {"records": records})
    return records


def _figures(confusion: Confusion) -> dict[str, float]:
    return {"mIoU": round(confusion.mean_iou(), DIGITS), "accuracy": round(confusion.accuracy(), DIGITS)}
