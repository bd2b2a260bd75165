"""Compare ways to fill holes on the same photos and masks: `python -m sair_core.evaluation`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from sair_core.command_line import DONE, INTERRUPTED, SOME_FAILED, Option, run_command
from sair_core.config import require, strict_dataclass
from sair_core.errors import SairError
from sair_core.evaluation import report
from sair_core.evaluation.baselines import BASELINES, OPENCV_RADIUS_PX, FillMethod, require_opencv
from sair_core.evaluation.features import PACKAGE as FEATURES_PACKAGE
from sair_core.evaluation.holes import ELLIPSES, OBJECTS, hole_source
from sair_core.evaluation.inception import PACKAGE as FID_PACKAGE
from sair_core.evaluation.manifest import Manifest, make_manifest
from sair_core.evaluation.measure import Ruler, load_ruler
from sair_core.evaluation.methods import MODEL_ROWS, ModelMethod, build_methods
from sair_core.evaluation.runner import Benchmark, evaluate
from sair_core.evaluation.samples import list_samples
from sair_core.evaluation.summary import Tally, gains, summarise
from sair_core.photos.degrade import NONE, parse_degradation
from sair_core.photos.masks import share_bins
from sair_core.semantics.reader import SemanticReader
from sair_core.weights.bundled import BUNDLED_SAIR, BUNDLED_SPN

SIZE_PX = 256


@strict_dataclass
class FillsOptions:
    """Compare a model with classical baselines, on the same photos and masks."""

    data: Annotated[Path, Option(metavar="FOLDER")]
    """folder of photos"""
    model: str = BUNDLED_SAIR
    """of the method sair: bundled name, folder or hub id"""
    spn: Annotated[str, Option(metavar="MODEL")] = BUNDLED_SPN
    """of the method spn, named like --model"""
    engine: Annotated[str | None, Option(metavar="FILE|HUB_ID")] = None
    """an inpainting model of others (or lama): the methods engine, and engine-natural with texture"""
    samples: int = 1
    """fills of each hole by a model that draws (the paper's: 5)"""
    masks: str = "irregular"
    """'irregular' (drawn), 'objects' (outlines of labelled objects, else ellipses), 'ellipses', or a folder
    of PNG masks, white = hole"""
    seed: int = 0
    """of the drawn masks"""
    bin_percent: int = 20
    """width of the bins of hole shares: 20, or 10 as in the SPN paper"""
    size_px: Annotated[int | None, Option("--size", metavar="PX")] = None
    """side of the photos; 256, but with objects and ellipses they keep their own size"""
    degrade: Annotated[tuple[str, ...], Option(metavar="KIND:STRENGTH")] = ()
    """degrade photos before they are filled, a row each: noise:0.1, blur:2, scale:4, several as
    blur:2+noise:0.1, or none"""
    limit: int | None = None
    """only this many photos, spread evenly over the folder"""
    manifest: Annotated[Path | None, Option(metavar="FILE")] = None
    """photos, masks, seed and size of an earlier run, checked to be the same"""
    methods: tuple[str, ...] = ("sair", *BASELINES)
    """what fills the holes; also natural, spn, patchmatch, sair-raw and spn-raw: the models alone, and
    sair-restore: the model for every pixel, known ones too"""
    method: Annotated[tuple[str, ...], Option(metavar="NAME=SOURCE")] = ()
    """methods of others: NAME=FOLDER of fills named as --save-masks names masks, or
    NAME="program {photo} {mask} {output}", which is run for each hole"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    workers: int = 1
    """photos at a time; above 1, s/fill is no fair timing"""
    lpips: bool = True
    """measure LPIPS, where its weights can be had"""
    fid: bool = True
    """measure FID of the whole pictures, where its weights can be had"""
    agreement: bool = False
    """measure how often fills are named as the truth is labelled, where label maps lie beside the photos"""
    save_masks: Annotated[Path | None, Option(metavar="FOLDER")] = None
    """write each mask as PNG (usable as --masks)"""
    save_fills: Annotated[Path | None, Option(metavar="FOLDER")] = None
    """write each fill as FOLDER/METHOD/NAME.png (usable as --method)"""
    resume: bool = False
    """go on with a run that was stopped: fills that --save-fills has already are read, not made again"""
    save_pictures: Annotated[Path | None, Option(metavar="FOLDER")] = None
    """write a sheet for each mask, the fills side by side, as PNG"""
    save_manifest: Annotated[Path | None, Option(metavar="FILE")] = None
    """write what --manifest reads"""
    markdown: Annotated[Path | None, Option(metavar="FILE")] = None
    """write the tables as Markdown"""
    json: Annotated[Path | None, Option(metavar="FILE")] = None
    """write everything, single fills included"""

    def __post_init__(self) -> None:
        for name in ("samples", "workers"):
            require(getattr(self, name) >= 1, f"--{name} must be at least 1, got {getattr(self, name)}.")
        for text in self.degrade:
            parse_degradation(text)
        require(
            not self.degrade or self.masks not in (OBJECTS, ELLIPSES),
            "--degrade is for photos of one size. Give --masks irregular, or a folder.",
        )
        require(
            not self.resume or self.save_fills is not None,
            "--resume needs --save-fills. Give it, too.",
        )
        require(
            not self.resume or self.samples == 1,
            "--resume goes on with one sample of a hole only. Leave --samples out.",
        )


def main(
    argv: Sequence[str] | None = None,
    methods: Mapping[str, FillMethod] | None = None,
    *,
    prog: str = "python -m sair_core.evaluation",
) -> int:
    """Run the command line and return its exit status, 1 where a method failed.

    methods: replaces or adds methods by name (used instead of loading a model or calling a baseline).
    """
    compare = functools.partial(compare_methods, given=methods or {})
    return run_command(compare, FillsOptions, argv, prog=prog)


def compare_methods(options: FillsOptions, given: Mapping[str, FillMethod]) -> int:
    """Measure, print and write what was asked for; the exit status. Raises SairError before it measures."""
    manifest = None if options.manifest is None else Manifest.read(options.manifest)
    if manifest is not None:
        names = ("masks", "seed", "size_px", "bin_percent")
        options = replace(options, **{name: getattr(manifest, name) for name in names})
    elif options.size_px is None and options.masks not in (OBJECTS, ELLIPSES):
        options = replace(options, size_px=SIZE_PX)
    benchmark, missing = prepare(options, manifest, given)
    tally, status = run(benchmark, options.workers)
    if not (tally.records or tally.failures):
        print("Nothing was measured.", file=sys.stderr)
        return status or SOME_FAILED
    show(options, benchmark, tally, missing, complete=status == DONE)
    return status or (SOME_FAILED if tally.failures else DONE)


def prepare(
    options: FillsOptions, manifest: Manifest | None, given: Mapping[str, FillMethod]
) -> tuple[Benchmark, dict[str, str]]:
    """The benchmark, and by measure why it is missing (see `load_ruler`). Raises SairError."""
    # First what fails at once, then what takes seconds to load.
    if manifest is None:
        samples, digests = list_samples(options.data, options.limit), None
    else:
        samples, digests = manifest.find_photos(options.data), manifest.hole_digests
    holes = hole_source(options.masks, options.seed, options.size_px, share_bins(options.bin_percent))
    require_opencv(set(options.methods) - set(given))
    measured = options.engine is not None and not {"engine", "engine-natural"} & set(options.methods)
    methods = build_methods(
        (*options.methods, "engine") if measured else options.methods,
        {"sair": options.model, "spn": options.spn, "engine": options.engine},
        external=options.method,
        given=given,
        device=options.device,
        samples=options.samples,
    )
    ruler, missing = make_ruler(options)
    benchmark = Benchmark(
        methods,
        samples,
        holes,
        options.size_px,
        ruler,
        degradations=[parse_degradation(text) if text != NONE else None for text in options.degrade]
        or [None],
        seed=options.seed,
        hole_digests=digests,
        mask_folder=options.save_masks,
        fill_folder=options.save_fills,
        resume=options.resume,
        picture_folder=options.save_pictures,
    )
    return benchmark, missing


def make_ruler(options: FillsOptions) -> tuple[Ruler, dict[str, str]]:
    """What to measure with, and by measure why it is missing."""
    reader = None
    if options.agreement:
        require(
            options.size_px is None, "--agreement is for photos of their own size. Give --masks ellipses."
        )
        reader = SemanticReader.from_pretrained(device=options.device)
    return load_ruler(reader, lpips=options.lpips, fid=options.fid)


def run(benchmark: Benchmark, workers: int) -> tuple[Tally, int]:
    """What was measured, and an exit status. An error or Ctrl+C ends it early and keeps what is done."""
    tally = Tally()
    progress = tqdm(total=len(benchmark.samples), unit="photo", disable=None)
    with closing(evaluate(benchmark, workers)) as photos, progress:
        try:
            for found in photos:
                tally.add(found)
                progress.update()
        except KeyboardInterrupt:
            return tally, INTERRUPTED
        except SairError as error:
            print(f"error: {error}", file=sys.stderr)
            return tally, SOME_FAILED
    return tally, DONE


def show(
    options: FillsOptions, benchmark: Benchmark, tally: Tally, missing: Mapping[str, str], complete: bool
) -> None:
    """Print the tables and write the files that were asked for."""
    summaries = summarise(tally)
    advantage = gains(summaries, tuple(BASELINES))
    facts = report.machine_facts()
    devices = {method.device for method in benchmark.methods.values() if isinstance(method, ModelMethod)}
    if devices:
        facts["device"] = ", ".join(devices)
    tables = {
        title: report.fill_table(
            summaries,
            inside=inside,
            with_lpips=benchmark.ruler.lpips is not None,
            failures=tally.failures,
            without_features=report.NOT_INSTALLED if benchmark.ruler.features is None else None,
        )
        for title, inside in (("Inside the hole", True), ("Whole picture", False))
    }

    for title, rows in tables.items():
        print(f"{title}\n{report.align(rows)}\n")
    if any(summary.drawn for summary in summaries):
        print(report.format_drawn(summaries))
    for note in (*missing.values(), *report.format_failures(tally.failures)):
        print(note)
    if advantage:
        print(report.format_gains(advantage))
    altered = {record.method for record in tally.records if record.known_changed_px}
    if altered:
        names = ", ".join(sorted(altered))
        print(f"Pixels outside the hole were altered (and put back before measuring) by: {names}")
    times = report.seconds_per_fill(tally.records)
    print("seconds per fill (mean): " + ", ".join(f"{name} {value:.3f}" for name, value in times.items()))
    photos = f"{len({record.photo_index for record in tally.records})} of {len(benchmark.samples)}"
    size = "their own size" if options.size_px is None else f"{options.size_px} px"
    print(f"photos: {photos}, {size}; masks: {options.masks}, seed {options.seed}")
    print("; ".join(f"{name}: {value}" for name, value in facts.items()))
    if not complete:
        print("Stopped early: the figures cover the photos that were done.")
    if options.markdown:
        sections = (f"### {title}\n\n{report.markdown(rows)}\n" for title, rows in tables.items())
        report.write_text(options.markdown, "\n".join(sections))
    if options.save_manifest and complete:
        write_manifest(options, benchmark, tally)
    if options.json:
        settings = describe(options, tally, missing, complete)
        report.write_json(options.json, report.as_json(settings, facts, summaries, advantage, tally))


def write_manifest(options: FillsOptions, benchmark: Benchmark, tally: Tally) -> None:
    """Write what repeats the run, where it was asked for."""
    assert options.save_manifest is not None
    make_manifest(
        options.data,
        benchmark.samples,
        benchmark.holes,
        masks=options.masks,
        seed=options.seed,
        size_px=options.size_px,
        bin_percent=options.bin_percent,
        hole_digests=tally.hole_digests,
    ).write(options.save_manifest)


def describe(
    options: FillsOptions, tally: Tally, missing: Mapping[str, str], complete: bool
) -> dict[str, object]:
    """What was measured and how, as it goes into the JSON file."""
    used = {MODEL_ROWS[name].model for name in options.methods if name in MODEL_ROWS}
    return {
        "complete": complete,
        "model": options.model if "sair" in used else None,
        "spn": options.spn if "spn" in used else None,
        "engine": options.engine,
        "samples": options.samples,
        "data": str(options.data),
        "masks": options.masks,
        "seed": options.seed,
        "degrade": list(options.degrade),
        "size_px": options.size_px,
        "bin_percent": options.bin_percent,
        "limit": options.limit,
        "workers": options.workers,
        "photos": len({record.photo_index for record in tally.records}),
        "opencv_radius_px": OPENCV_RADIUS_PX,
        "lpips": missing.get("lpips", "alex, v0.1"),
        "fid": missing.get("inception", f"Inception-v3, {FID_PACKAGE}"),
        "features": missing.get("features", f"EfficientNet-Lite0, {FEATURES_PACKAGE}"),
        "seconds_per_fill": report.seconds_per_fill(tally.records),
    }


if __name__ == "__main__":
    sys.exit(main())
