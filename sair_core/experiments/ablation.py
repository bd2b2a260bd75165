"""When semantics help a fill: `sair evaluate ablation`.

What fills the hole before the encoder looks, the appearance encoder, and where the semantics under a hole
come from are combined; everything else is alike: L1 on colour alone, the same steps and seeds. Fills are
measured raw, inside the hole, and by what the bundled encoder names in them.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from sair_core.command_line import DONE, Option, run_command
from sair_core.config import strict_dataclass
from sair_core.coords import cell_of, grid_coords, pixel_coords
from sair_core.devices import autocast
from sair_core.encoders.initial_fill import pull_push
from sair_core.evaluation import report
from sair_core.evaluation.baselines import METHODS, mean
from sair_core.evaluation.measure import Case, Ruler
from sair_core.evaluation.report import UNKNOWN
from sair_core.evaluation.samples import Sample, centre_square
from sair_core.evaluation.summary import Summary, Tally
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

FillCase = Callable[[Case, np.ndarray], np.ndarray]  # given another photo, too

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
# A map that is given is SIR's of a whole photo where AIR learned from SIR's, which are in no space of words,
# and the encoder's where it learned from that.
OWN, TRUE, OTHER = "own", "true", "other"
CONDITIONS: Mapping[str, Mapping[str, str]] = {
    "none": {OWN: "none"},
    "nfs": {OWN: "NFS"},
    "sir": {
        OWN: "SIR",
        TRUE: "SIR, given its map of the whole photo",
        OTHER: "SIR, given its map of another photo",
    },
    "oracle": {TRUE: "true map (oracle)", OTHER: "oracle, given another photo's map"},
}
NO_MODEL = "no model"
COLUMNS = {
    "psnr_db": ("PSNR dB", 2),
    "gain_db": ("over none, dB", 2),
    "ssim": ("SSIM", 4),
    "l1": ("L1", 4),
    "agreement": ("agreement", 3),
}
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
    records = [
        _record({"initial fill": UNKNOWN, "encoder": NO_MODEL, "semantics": one.method}, None, one)
        for one in over_all_bins(bench.measure_floors())
    ]
    for fill, encoder in itertools.product(options.fills, options.encoders):
        without: list[Summary] = []
        for source in SOURCES:
            runs = [bench.measure(fill, encoder, source, seed) for seed in laboratory.seeds]
            for condition, title in CONDITIONS[source].items():
                place = {"initial fill": fill, "encoder": ENCODERS.get(encoder, encoder), "semantics": title}
                found = [one for run in runs for one in over_all_bins(run) if one.method == condition]
                without = without or found  # the first source has none
                for seed, one, base in zip(laboratory.seeds, found, without):
                    records.append(_record(place, seed, one, None if one is base else base))
            write_csv(laboratory.output / "tables" / "ablation.csv", records)
            section = (
                f"Inside the hole, over all bins; seeds {laboratory.seeds}.\n\n{format_records(records)}"
            )
            path = write_results(laboratory, TITLE, [section, bench.describe_ceiling()])
    print(path.read_text("utf-8"))
    return DONE


def over_all_bins(measured: Measured) -> list[Summary]:
    """Return the summaries over all bins, one for each method; of a single bin, that bin's."""
    return list({one.method: one for one in measured.summaries}.values())  # all bins come last


def _record(
    place: Mapping[str, str], seed: int | None, summary: Summary, without: Summary | None = None
) -> dict[str, Any]:
    """A row of the CSV. without: of the same seed without semantics, from which PSNR is taken."""
    figures: dict[str, Any] = {name: getattr(summary.hole, name, None) for name in COLUMNS}
    if without is not None:
        figures["gain_db"] = summary.hole.psnr_db - without.hole.psnr_db
    return {**place, "seed": seed, **figures}


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
            raw = partial(fill_raw, model.to(self.laboratory.torch_device), completed=source == "sir")
            ways: dict[str, FillCase] = {one: partial(raw, condition=one) for one in CONDITIONS[source]}
            return self._fill_all(ways)

        return measure_once(self.laboratory.measured_path(f"{name}-{seed}"), tally)

    def measure_floors(self) -> Measured:
        """Return what is measured of fills without a model; the smooth start of `pull_push` is one."""
        return measure_once(self.laboratory.measured_path(NO_MODEL), lambda: self._fill_all(FLOORS))

    def describe_ceiling(self) -> str:
        """Return how the encoder names the photos themselves: no fill can agree more by its merit."""
        if self.classes is None:
            return "No photo of this set has labels: there is no agreement."
        path = self.laboratory.measured_path("photos")
        measured = measure_once(path, lambda: self._fill_all({OWN: leave}))
        agreement = measured.summaries[-1].hole.agreement
        return "" if agreement is None else f"Agreement of the photos themselves: {agreement:.3f}."

    def _fill_all(self, fills: Mapping[str, FillCase]) -> Tally:
        """Fill every hole in every way, given the case and another photo: that half of the list away, since
        neighbours can be alike."""
        tally, samples = Tally(), self.laboratory.samples
        size_px = self.laboratory.preset.size_px
        for place, sample in enumerate(tqdm(samples, unit="photo", disable=None)):
            photo, labels = self._load(sample, size_px)
            other, _ = self._load(samples[(place + len(samples) // 2) % len(samples)], size_px)
            for name, mask in self.laboratory.holes(sample, (size_px, size_px)):
                case = Case(sample, name, photo, mask, labels=labels)
                for method, fill in fills.items():
                    self.ruler.measure(case, method, fill(case, other)[None], None, tally)
        return tally

    def _load(self, sample: Sample, size_px: int) -> tuple[np.ndarray, tuple[np.ndarray, Classes] | None]:
        """The centre square of a photo and of its label map."""
        photo, labelled = load_photo(sample.path), self.labelled.get(sample.path)
        rgb = centre_square(photo.rgb, size_px)
        if labelled is None or self.classes is None:
            return rgb, None
        ids = labelled.read_ids(photo.size_px, self.classes, photo.orientation)
        return rgb, (centre_square(ids, size_px, Image.Resampling.NEAREST), self.classes)


@torch.inference_mode()
def fill_raw(
    model: Sair, case: Case, other: np.ndarray, *, condition: str, completed: bool = False
) -> np.ndarray:
    """Return the photo with the model's own colours in its hole, uint8 `(H, W, 3)`.

    condition: OWN semantics, or under the hole those of the whole photo (TRUE) or of another, uint8 (OTHER).
    completed: what is given is what the model's SIR makes of it, else the encoder's tokens.
    """
    device = next(model.parameters()).device
    rgb01, hole01 = to_tensors(case.photo, case.mask, device)
    size_px, words = case.mask.shape, None
    with autocast(device):
        if condition != OWN:
            words = _read_whole(model, case.photo if condition == TRUE else other, completed)
        rows, columns = hole01[0, 0].nonzero(as_tuple=True)
        features = model.encode(rgb01, hole01, words=words)
        coords = pixel_coords(rows, columns, size_px)[None]
        cell = cell_of(size_px, device=device)[None]
        return paste_fill(case.photo, case.mask, decode_chunked(model.decode, features, coords, cell)[0])


def _read_whole(model: Sair, photo: np.ndarray, completed: bool) -> Tensor:
    """Return the semantics `(1, D, h, w)` of a photo without a hole, uint8 `(H, W, 3)`."""
    assert model.semantic_encoder is not None  # conditions of models with semantics
    size_px = photo.shape[:2]
    rgb01, nothing01 = to_tensors(photo, np.zeros(size_px, bool), next(model.parameters()).device)
    if not completed:
        return model.semantic_encoder(rgb01, nothing01)
    coords = grid_coords(size_px, device=rgb01.device).flatten(0, 1)[None]
    words = model.decode_semantics(model.encode(rgb01, nothing01), coords)
    return words.transpose(1, 2).unflatten(2, size_px)


def leave(case: Case, other: np.ndarray) -> np.ndarray:
    """Return the photo itself."""
    return case.photo


def fill_smoothly(case: Case, other: np.ndarray) -> np.ndarray:
    """Return the photo with the smooth start of an encoder in its hole."""
    rgb01, hole01 = to_tensors(case.photo, case.mask, torch.device("cpu"))
    return paste_fill(case.photo, case.mask, pull_push(rgb01, hole01)[0])


def fill_plainly(name: str, case: Case, other: np.ndarray) -> np.ndarray:
    """Return what a method of the evaluation without a model makes of the hole."""
    return METHODS[name](mean(case.photo, case.mask), case.mask)


FLOORS: Mapping[str, FillCase] = {
    "mean": partial(fill_plainly, "mean"),
    "harmonic": partial(fill_plainly, "harmonic"),
    "pull_push": fill_smoothly,
}


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


if __name__ == "__main__":
    sys.exit(main())
