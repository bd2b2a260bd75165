"""Take labelled objects out of photos and see what is left of them: `python -m sair_core.evaluation.removal`.

Behind an object there is no truth to compare with. So the filled places are compared with the rest of the
same photos as textures are (Fréchet), and the encoder, which sees the filled photo whole, is asked whether it
still finds the class that went. All objects of a class are removed at once: none is left that it could find.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from tqdm import tqdm

from sair_core.command_line import DONE, SOME_FAILED, Option, run_command
from sair_core.config import strict_dataclass
from sair_core.errors import DataError, MethodError, MissingDependencyError
from sair_core.evaluation import report
from sair_core.evaluation.baselines import BASELINES, composite, require_opencv
from sair_core.evaluation.features import LiteFeatures, load_features
from sair_core.evaluation.measure import Case
from sair_core.evaluation.methods import Method, build_methods
from sair_core.evaluation.objects import class_outlines, read_labels
from sair_core.evaluation.realism import filled_places, frechet, share_of_hole, texture
from sair_core.evaluation.runner import fill
from sair_core.evaluation.samples import Sample, list_samples
from sair_core.evaluation.segmentation import name_share
from sair_core.evaluation.sheets import picture_sheet
from sair_core.evaluation.summary import Failure, Textures
from sair_core.photos.folders import read_classes
from sair_core.photos.masks import hole_ratio
from sair_core.semantics.reader import SemanticReader
from sair_core.weights.bundled import BUNDLED_SAIR, BUNDLED_SPN

UNTOUCHED = "(untouched)"  # the row of the photo as it was: nothing removed


@strict_dataclass
class RemovalOptions:
    """Take labelled objects out of photos and see what is left of them."""

    data: Annotated[Path, Option(metavar="FOLDER")]
    """folder of photos with label maps beside them"""
    model: str = BUNDLED_SAIR
    """of the method sair: bundled name, folder or hub id"""
    spn: Annotated[str, Option(metavar="MODEL")] = BUNDLED_SPN
    """of the method spn, named like --model"""
    methods: tuple[str, ...] = ("sair", *BASELINES)
    """what fills the holes, as in the evaluation of fills"""
    method: Annotated[tuple[str, ...], Option(metavar="NAME=SOURCE")] = ()
    """methods of others, as in the evaluation of fills"""
    limit: int | None = None
    """only this many photos, spread evenly over the folder"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    save_pictures: Annotated[Path | None, Option(metavar="FOLDER")] = None
    """write a sheet for each removal, as PNG"""
    json: Annotated[Path | None, Option(metavar="FILE")] = None
    """write everything, single removals included"""


@dataclass(frozen=True)
class Removal:
    """All objects of one class taken out of one photo by one method.

    hole_share: of the photo, in [0, 1]. named_share: of the hole's pixels that are still named by the class,
    in [0, 1]. still_there: whether no other name is as frequent in the hole. seconds: of the fill; None where
    nobody knows, and for the photo as it was.
    """

    photo: str
    label: str
    method: str
    hole_share: float
    named_share: float
    still_there: bool
    seconds: float | None


class RemovalRuler:
    """Looks at what is left of objects, and keeps what it finds."""

    def __init__(self, reader: SemanticReader, features: LiteFeatures | None = None):
        """features: None leaves the Fréchet distance out."""
        self.reader, self.features = reader, features
        self.removals: list[Removal] = []
        self.failures: list[Failure] = []
        self._textures: dict[str, Textures] = {}

    def measure(self, case: Case, method: str, picture: np.ndarray, seconds: float | None) -> None:
        """Add one removal. picture: uint8 (H, W, 3), the photo without the objects."""
        assert case.labels is not None
        names = list(case.labels[1].names)
        found = self.reader.name(self.reader.read(picture), names).ids[case.mask]
        named_share, still_there = name_share(found, names.index(case.bin), len(names))
        self.removals.append(
            Removal(
                photo=case.sample.path.name,
                label=case.bin,
                method=method,
                hole_share=hole_ratio(case.mask),
                named_share=named_share,
                still_there=still_there,
                seconds=seconds,
            )
        )
        if self.features is not None and case.true_maps is not None:
            maps = self.features(picture)
            known = [share_of_hole(case.mask, one.shape[-2:]) == 0 for one in maps]
            hole, rest = texture(maps, filled_places(maps, case.mask)), texture(case.true_maps, known)
            so_far = self._textures.get(method)
            self._textures[method] = (
                Textures(hole, rest) if so_far is None else so_far.plus(Textures(hole, rest))
            )

    def frechet(self, method: str) -> float | None:
        """Fréchet distance of the holes to the rest of their photos; None where nothing was measured."""
        return frechet(*self._textures[method]) if method in self._textures else None


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.evaluation.removal") -> int:
    """Run the command line and return its exit status, 1 where a method failed."""
    return run_command(_evaluate, RemovalOptions, argv, prog=prog)


def remove_objects(
    methods: Mapping[str, Method],
    samples: Sequence[Sample],
    ruler: RemovalRuler,
    picture_folder: Path | None = None,
) -> None:
    """Remove every class of objects from every photo that shows it, by every method.

    Raises DataError where nothing can be removed.
    """
    if picture_folder is not None:
        picture_folder.mkdir(parents=True, exist_ok=True)
    for sample in tqdm(samples, unit="photo", disable=None):
        for case in list_removals(sample, ruler.features):
            ruler.measure(case, UNTOUCHED, case.photo, None)
            pictures: dict[str, np.ndarray | None] = {}
            for name, method in methods.items():
                try:
                    filled, seconds = fill(case, name, method)
                except (MethodError, MissingDependencyError) as error:
                    ruler.failures.append(Failure(sample.path.name, case.bin, name, str(error)))
                    pictures[name] = None
                    continue
                picture = pictures[name] = composite(case.photo, filled[0], case.mask)
                ruler.measure(case, name, picture, seconds)
            if picture_folder is not None:
                picture_sheet(case.photo, case.mask, pictures).save(picture_folder / f"{case.name}.png")
    if not ruler.removals:
        raise DataError(
            "No photo shows a labelled object of sensible size, so there is nothing to remove. Give others."
        )


def list_removals(sample: Sample, features: LiteFeatures | None = None) -> Iterator[Case]:
    """For each class of objects in a photo, the photo with all of them as its hole."""
    photo = sample.load()
    labels = read_labels(sample.path, (photo.shape[0], photo.shape[1]))
    outlines = [] if labels is None else class_outlines(*labels)
    maps = features(photo) if features is not None and outlines else None
    for outline in outlines:
        yield Case(sample, outline.label, photo, outline.mask, maps, labels)


def _evaluate(options: RemovalOptions) -> int:
    read_classes(options.data)  # fails at once, before anything is loaded
    samples = list_samples(options.data, options.limit)
    require_opencv(options.methods)
    models = {"sair": options.model, "spn": options.spn}
    methods = build_methods(options.methods, models, external=options.method, device=options.device)
    features, note = None, ""
    try:
        features = load_features()
    except MissingDependencyError as error:
        note = f"Fréchet unavailable: {error}"
    ruler = RemovalRuler(SemanticReader.from_pretrained(device=options.device), features)
    remove_objects(methods, samples, ruler, options.save_pictures)
    summary = summarise(ruler, [UNTOUCHED, *methods])
    _show(summary, ruler.failures, note)
    facts = report.machine_facts()
    print("; ".join(f"{name}: {value}" for name, value in {"photos": len(samples), **facts}.items()))
    if options.json:
        content = {
            "data": str(options.data),
            "models": models,
            "summary": summary,
            "removals": [asdict(removal) for removal in ruler.removals],
            "failures": [asdict(failure) for failure in ruler.failures],
            "machine": facts,
        }
        report.write_json(options.json, content)
    return SOME_FAILED if ruler.failures else DONE


def summarise(ruler: RemovalRuler, methods: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """By method: Fréchet distance, mean share of pixels and share of holes still named by the class, median
    seconds, number of removals; nothing for a method that always failed."""
    table: dict[str, dict[str, float | None]] = {}
    for method in methods:
        rows = [removal for removal in ruler.removals if removal.method == method]
        if rows:
            seconds = [row.seconds for row in rows if row.seconds is not None]
            table[method] = {
                "frechet": ruler.frechet(method),
                "named_share": float(np.mean([row.named_share for row in rows])),
                "still_there": float(np.mean([row.still_there for row in rows])),
                "seconds": float(np.median(seconds)) if seconds else None,
                "removals": len(rows),
            }
    return table


def _show(summary: dict[str, dict[str, float | None]], failures: Sequence[Failure], note: str) -> None:
    rows = [
        ("method", "Fréchet to the rest", "pixels still named", "holes still named", "s/fill", "removals")
    ]
    missing = report.NOT_INSTALLED if note else report.UNKNOWN
    for method, one in summary.items():
        distance, seconds = one["frechet"], one["seconds"]
        rows.append(
            (
                method,
                missing if distance is None else f"{distance:.3f}",
                f"{one['named_share']:.1%}",
                f"{one['still_there']:.1%}",
                report.UNKNOWN if seconds is None else f"{seconds:.3f}",
                f"{one['removals']}",
            )
        )
    print(report.align(rows, left_columns=1))
    for line in (note, *report.format_failures(failures)):
        if line:
            print(line)


if __name__ == "__main__":
    sys.exit(main())
