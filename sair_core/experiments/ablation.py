"""When semantics help a fill: `sair evaluate ablation`.

What fills the hole before the encoder looks, the appearance encoder, and where the semantics under a hole
come from are combined; everything else is alike: L1 on colour alone, the same steps and seeds. Fills are
measured raw, inside the hole, and by what the bundled encoder names in them.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from sair_core.command_line import DONE, Option, run_command
from sair_core.config import strict_dataclass
from sair_core.coords import cell_of, pixel_coords
from sair_core.evaluation import report
from sair_core.evaluation.measure import Case, Ruler
from sair_core.evaluation.samples import Sample, centre_square
from sair_core.evaluation.summary import ALL, Summary, Tally
from sair_core.experiments.laboratory import Laboratory
from sair_core.experiments.options import ExperimentOptions
from sair_core.experiments.runs import Measured, measure_once
from sair_core.experiments.tables import format_mean, to_cells
from sair_core.experiments.variants import Variant
from sair_core.experiments.write import write_csv, write_results
from sair_core.models.load import load_model
from sair_core.models.sair import Sair, decode_chunked
from sair_core.photos.datasets import LabelledPhoto, list_labelled
from sair_core.photos.folders import Classes
from sair_core.photos.photo import load_photo
from sair_core.semantics.reader import SemanticReader
from sair_core.training.tasks.validation import paste_fill, to_tensors

FILLS = ("zero", "pull_push")
ENCODERS = {"edsr": "EDSR", "table4": "Table 4", "unet": "U-Net"}
# How AIR gets semantics in training.
SOURCES: Mapping[str, Mapping[str, Any]] = {
    "none": {"semantics": "none"},
    "nfs": {"semantics": "unfilled"},
    "sir": {"semantics": "full"},
    "oracle": {"semantics": "full", "oracle": True},
}
# By source, what it gets when it is measured, and how that row is called.
OWN, TRUE, OTHER = "own", "true", "other"
CONDITIONS: Mapping[str, Mapping[str, str]] = {
    "none": {OWN: "none"},
    "nfs": {OWN: "NFS"},
    "sir": {OWN: "SIR", TRUE: "SIR, given the true map", OTHER: "SIR, given another photo's map"},
    "oracle": {TRUE: "true map (oracle)", OTHER: "oracle, given another photo's map"},
}
COLUMNS = {"psnr_db": ("PSNR dB", 2), "ssim": ("SSIM", 4), "l1": ("L1", 4), "agreement": ("agreement", 3)}
TITLE = "When semantics help a fill"


@strict_dataclass
class AblationOptions(ExperimentOptions):
    """Train a SAIR with and without semantics, in every combination, and measure what they bring to a fill.

    What is finished is kept, what was stopped goes on.
    """

    seeds: Annotated[tuple[int, ...], Option(metavar="N")] = (0, 1, 2)
    """every training once for each"""
    fills: Annotated[tuple[str, ...], Option(metavar="NAME")] = FILLS
    """what the encoder finds in a hole"""
    encoders: Annotated[tuple[str, ...], Option(metavar="NAME")] = tuple(ENCODERS)
    """appearance encoders"""


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.experiments.ablation") -> int:
    """Run the command line and return its exit status."""
    return run_command(make_ablation, AblationOptions, argv, prog=prog)


def make_ablation(options: AblationOptions) -> int:
    """Train, measure and write what was asked for; the exit status. Raises SairError."""
    laboratory = options.make_laboratory("ablation", labelled=True)
    bench = Bench.prepare(laboratory)
    records: list[dict[str, Any]] = []
    for fill, encoder, source in itertools.product(options.fills, options.encoders, SOURCES):
        runs = [bench.measure(fill, encoder, source, seed) for seed in laboratory.seeds]
        for condition, title in CONDITIONS[source].items():
            place = {"initial fill": fill, "encoder": ENCODERS.get(encoder, encoder), "semantics": title}
            for seed, summary in zip(laboratory.seeds, _choose(runs, condition)):
                figures = {name: getattr(summary.hole, name) for name in COLUMNS}
                records.append({**place, "seed": seed, **figures})
        write_csv(laboratory.output / "tables" / "ablation.csv", records)
        section = f"Inside the hole, over all bins; seeds {laboratory.seeds}.\n\n{format_records(records)}"
        path = write_results(laboratory, TITLE, [section, bench.describe_ceiling()])
    print(path.read_text("utf-8"))
    return DONE


@dataclass(frozen=True, eq=False)
class Bench:
    """Photos with labels, and what measures fills of them."""

    laboratory: Laboratory
    labelled: Mapping[Any, LabelledPhoto]
    classes: Classes | None
    ruler: Ruler

    @classmethod
    def prepare(cls, laboratory: Laboratory) -> Bench:
        """Raises DataError for labels that cannot be read."""
        if laboratory.preset.labelled is None:
            return cls(laboratory, {}, None, Ruler())
        photos, classes = list_labelled(laboratory.test)
        reader = SemanticReader.from_pretrained(device=laboratory.device)
        return cls(laboratory, {one.path: one for one in photos}, classes, Ruler(reader=reader))

    def measure(self, fill: str, encoder: str, source: str, seed: int) -> Measured:
        """Return what was measured of a run under its conditions; it is trained and measured once."""
        fields = {"preset": "paper", "appearance": encoder, "initial_fill": fill, **SOURCES[source]}
        name = f"{fill}-{encoder}-{source}"
        folder = self.laboratory.train(name, seed, Variant(name, "sair", fields))

        def tally() -> Tally:
            model = load_model(folder)
            assert isinstance(model, Sair)
            return self._fill_all(model.to(self.laboratory.torch_device), tuple(CONDITIONS[source]))

        return measure_once(self.laboratory.measured_path(f"{name}-{seed}"), tally)

    def describe_ceiling(self) -> str:
        """Return how the encoder names the photos themselves: no fill can agree more by its merit."""
        if self.classes is None:
            return "No photo of this set has labels: there is no agreement."
        measured = measure_once(self.laboratory.measured_path("photos"), lambda: self._fill_all(None, (OWN,)))
        agreement = measured.summaries[-1].hole.agreement
        return "" if agreement is None else f"Agreement of the photos themselves: {agreement:.3f}."

    def _fill_all(self, model: Sair | None, conditions: Sequence[str]) -> Tally:
        """Fill every hole under every condition. model: None leaves the photos as they are."""
        tally, others = Tally(), self._cases()
        next(others, None)  # each photo's other one is the next
        pairs = itertools.zip_longest(self._cases(), others)
        first = next(self._cases())[0].photo
        total = len(self.laboratory.samples)
        for cases, following in tqdm(pairs, total=total, unit="photo", disable=None):
            other = first if following is None else following[0].photo
            for case in cases:
                for condition in conditions:
                    filled = case.photo if model is None else fill_raw(model, case, condition, other)
                    self.ruler.measure(case, condition, filled[None], None, tally)
        return tally

    def _cases(self) -> Iterator[list[Case]]:
        """Yield each photo with its holes."""
        size_px = self.laboratory.preset.size_px
        for sample in self.laboratory.samples:
            photo, labels = self._load(sample, size_px)
            holes = self.laboratory.holes(sample, (size_px, size_px))
            yield [Case(sample, name, photo, mask, labels=labels) for name, mask in holes]

    def _load(self, sample: Sample, size_px: int) -> tuple[np.ndarray, tuple[np.ndarray, Classes] | None]:
        """The centre square of a photo and of its label map."""
        photo, labelled = load_photo(sample.path), self.labelled.get(sample.path)
        rgb = centre_square(photo.rgb, size_px)
        if labelled is None or self.classes is None:
            return rgb, None
        ids = labelled.read_ids(photo.size_px, self.classes, photo.orientation)
        return rgb, (centre_square(ids, size_px, Image.Resampling.NEAREST), self.classes)


@torch.inference_mode()
def fill_raw(model: Sair, case: Case, condition: str, other: np.ndarray) -> np.ndarray:
    """Return the photo with the model's own colours in its hole, uint8 `(H, W, 3)`.

    condition: OWN semantics, or under the hole those of the whole photo (TRUE) or of another, uint8 (OTHER).
    """
    device = next(model.parameters()).device
    rgb01, hole01 = to_tensors(case.photo, case.mask, device)
    words: Tensor | None = None
    if condition != OWN:
        assert model.semantic_encoder is not None  # conditions of models with semantics
        shown = case.photo if condition == TRUE else other
        whole01, nothing01 = to_tensors(shown, np.zeros_like(case.mask), device)
        words = model.semantic_encoder(whole01, nothing01)
    rows, columns = hole01[0, 0].nonzero(as_tuple=True)
    features = model.encode(rgb01, hole01, words=words)
    coords = pixel_coords(rows, columns, case.mask.shape)[None]
    cell = cell_of(case.mask.shape, device=device)[None]
    return paste_fill(case.photo, case.mask, decode_chunked(model.decode, features, coords, cell)[0])


def format_records(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the records as a Markdown table: of several seeds the mean and the standard deviation."""
    places = ("initial fill", "encoder", "semantics")
    rows: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for record in records:
        rows.setdefault(tuple(record[name] for name in places), []).append(record)
    cells = []
    for place, runs in rows.items():
        row = dict(zip(places, place))
        for name, (title, digits) in COLUMNS.items():
            values = [run[name] for run in runs if run[name] is not None]
            if values:
                row[title] = format_mean(values, digits)
        cells.append(row)
    return report.markdown(to_cells(cells))


def _choose(runs: Sequence[Measured], condition: str) -> list[Summary]:
    """The summaries of a condition over all bins, one for each run."""
    found = []
    for run in runs:
        of = [summary for summary in run.summaries if summary.method == condition]
        found.append(next((summary for summary in of if summary.bin == ALL), of[-1]))
    return found


if __name__ == "__main__":
    sys.exit(main())
