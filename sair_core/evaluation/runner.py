"""Fills every photo with every method and measures the results, one photo after the other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from sair_core.errors import DataError, MethodError, MissingDependencyError, PhotoError
from sair_core.evaluation.baselines import METHODS, mean
from sair_core.evaluation.external import FinishedFills
from sair_core.evaluation.holes import HoleSource
from sair_core.evaluation.measure import Case, Ruler
from sair_core.evaluation.methods import Method, RestoreMethod
from sair_core.evaluation.objects import read_labels
from sair_core.evaluation.samples import MIN_SIZE_PX, Sample
from sair_core.evaluation.sheets import picture_sheet
from sair_core.evaluation.summary import Failure, Tally
from sair_core.photos import masks
from sair_core.photos.degrade import Degradation, degrade_photo, reduce_hole
from sair_core.seeds import Stream, stream_generator

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Benchmark:
    """What an evaluation compares, on which photos and holes, and with what it measures.

    methods: name -> fill(uint8 (H, W, 3), bool (H, W)) -> uint8 (H, W, 3), or finished fills. Several samples
    of a hole come as (N, H, W, 3). A method is given the photo with its hole painted in the mean colour,
    never the true pixels. size_px: the photos' centre squares at this side; None: whole photos at their own
    size. degradations: what happens to photos first, a row each; None leaves them as they are. seed: of their
    noise. hole_digests: by name of a hole, what has to come out again. resume: fills that are in the fill
    folder are not made again.
    """

    methods: Mapping[str, Method]
    samples: Sequence[Sample]
    holes: HoleSource
    size_px: int | None
    ruler: Ruler = field(default_factory=Ruler)
    hole_digests: Mapping[str, str] | None = None
    mask_folder: Path | None = None
    fill_folder: Path | None = None
    resume: bool = False
    picture_folder: Path | None = None
    degradations: Sequence[Degradation | None] = (None,)
    seed: int = 0
    # A model is shared by all workers: one fill at a time, as in the app.
    model_lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


def evaluate(benchmark: Benchmark, workers: int = 1) -> Generator[Tally, None, None]:
    """Yield what was measured of each photo (all holes, all methods) as soon as it is there.

    Photos that cannot be read are logged and yield an empty tally. What is yielded is the same, in another
    order, for any number of workers (threads). A method of others that fails is recorded; errors of all
    others are raised.
    """
    for folder in (benchmark.mask_folder, benchmark.picture_folder):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    if workers <= 1:
        yield from (evaluate_photo(benchmark, sample) for sample in benchmark.samples)
        return
    pool = ThreadPoolExecutor(workers)
    pending: set[Future[Tally]] = {
        pool.submit(evaluate_photo, benchmark, sample) for sample in benchmark.samples
    }
    try:
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        # Reached on Ctrl+C too: photos not begun are dropped, those in work end on their own.
        pool.shutdown(wait=True, cancel_futures=True)


def evaluate_photo(benchmark: Benchmark, sample: Sample) -> Tally:
    """One photo, all holes, all methods; empty (and logged) if the photo cannot be used."""
    tally = Tally()
    try:
        photo = sample.load(benchmark.size_px)
        if min(photo.shape[:2]) < MIN_SIZE_PX:
            raise PhotoError(f"a photo must have at least {MIN_SIZE_PX} px a side to be measured.")
    except PhotoError as error:
        log.warning("%s is left out: %s", sample.path, error)
        return tally
    size_px = (photo.shape[0], photo.shape[1])
    features = benchmark.ruler.features
    true_maps = None if features is None else features(photo)
    inception = benchmark.ruler.inception
    true_picture = None if inception is None else inception(photo)
    labels = None if benchmark.ruler.reader is None else read_labels(sample.path, size_px)
    for bin_name, mask in benchmark.holes(sample, size_px):
        case = Case(sample, bin_name, photo, mask, true_maps, labels, true_picture)
        _check_digest(benchmark, case)
        tally.hole_digests[case.hole_name] = case.digest
        if benchmark.mask_folder is not None:
            masks.mask_to_image(mask).save(benchmark.mask_folder / f"{case.hole_name}.png")
        pictures = {
            one.row(method): _fill_and_measure(benchmark, one, method, tally)
            for one in _degrade(benchmark, case)
            for method in benchmark.methods
        }
        if benchmark.picture_folder is not None:
            picture_sheet(photo, mask, pictures).save(benchmark.picture_folder / f"{case.hole_name}.png")
    return tally


def _degrade(benchmark: Benchmark, case: Case) -> Iterator[Case]:
    """Yield the case once for each degradation of its photo."""
    for one in benchmark.degradations:
        if one is None:
            yield case
        else:
            rng = stream_generator(benchmark.seed, Stream.DEGRADATION, case.sample.index)
            yield replace(case, degradation=one.name, seen=degrade_photo(case.photo, one.draw(rng), rng))


def _check_digest(benchmark: Benchmark, case: Case) -> None:
    expected = benchmark.hole_digests
    if expected is not None and expected.get(case.hole_name) != case.digest:
        raise DataError(
            f"The hole {case.hole_name} is not that of the manifest. Use the version of the project that "
            "wrote it."
        )


def _fill_and_measure(benchmark: Benchmark, case: Case, method: str, tally: Tally) -> np.ndarray | None:
    """The picture that is measured; None where a method that is not ours failed."""
    source = benchmark.methods[method]
    saved = None if benchmark.fill_folder is None else FinishedFills(benchmark.fill_folder / method)
    if saved is not None and benchmark.resume and saved.has(case.name):
        source = saved
    try:
        with nullcontext() if method in METHODS else benchmark.model_lock:
            samples, seconds = fill(case, method, source)
    except (MethodError, MissingDependencyError) as error:
        tally.failures.append(Failure(case.sample.path.name, case.bin, case.row(method), str(error)))
        return None
    result = benchmark.ruler.measure(case, case.row(method), samples, seconds, tally)
    if saved is not None and source is not saved:
        saved.write(case.name, result, seconds)
    return result


def fill(case: Case, name: str, method: Method) -> tuple[np.ndarray, float | None]:
    """A method's samples, uint8 (N, H, W, 3), and the seconds that each took; None where nobody knows.

    Raises DataError for a result of another shape, and what the method raises.
    """
    if isinstance(method, FinishedFills):
        filled, seconds = method.read(case.name, case.mask.shape)
        return filled[None], seconds
    # What the hole hides is truly hidden, whatever a method reads. Copies: it may work in place.
    arguments = mean(case.given, case.mask), case.mask.copy()
    if isinstance(method, RestoreMethod) and case.seen is not None:
        small = reduce_hole(case.mask, case.seen.shape[:2])
        method, arguments = partial(method, size_px=case.mask.shape), (mean(case.seen, small), small)
    began = time.perf_counter()
    filled = method(*arguments)
    took = time.perf_counter() - began
    shape = case.photo.shape
    if filled.shape[-3:] != shape or filled.ndim > 4 or not filled.size or filled.dtype != np.uint8:
        raise DataError(
            f"The method {name!r} returned {filled.dtype} {filled.shape}, it must be uint8 {shape}."
        )
    samples = filled if filled.ndim == 4 else filled[None]
    return samples, took / len(samples)
