"""Who does the jobs: this process, or Ray's workers on any number of machines."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from sair_core.batch.config import BatchConfig
from sair_core.batch.jobs import Job
from sair_core.batch.report import Line, parse
from sair_core.batch.work import ModelSource, Worker
from sair_core.errors import MissingDependencyError, SairError
from sair_core.files import replacing

ROOT = Path(__file__).resolve().parents[2]
MARKS = ".done"  # in the output folder, while Ray works on it

T = TypeVar("T")
R = TypeVar("R")
Runner = Callable[[BatchConfig, ModelSource, Sequence[Job]], Iterator[Line]]


def local(config: BatchConfig, model: ModelSource, jobs: Sequence[Job]) -> Iterator[Line]:
    """Fill one after the other, here: a fill uses all cores or the whole GPU already. Meanwhile the next
    photo is opened, and the last one written: its line comes after the next fill.
    """
    worker = Worker(config, model)
    broken_off: BaseException | None = None
    written: Future[Line] | None = None
    with ThreadPoolExecutor(1, "open") as opener, ThreadPoolExecutor(1, "write") as writer:
        try:
            for task in run_ahead(opener, worker.open, jobs):
                filled = worker.fill(task)
                if written is not None:
                    yield written.result()
                written = writer.submit(worker.write, filled)
        except (KeyboardInterrupt, SairError) as error:
            broken_off = error
        if written is not None:  # it is done, whatever came after it
            yield written.result()
        if broken_off is not None:
            raise broken_off


def run_ahead(pool: Executor, act: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Yield what `act` makes of the items, in their order: the next one is begun as one is given out."""
    coming: Future[R] | None = None
    for item in items:
        begun, coming = coming, pool.submit(act, item)
        if begun is not None:
            yield begun.result()
    if coming is not None:
        yield coming.result()


def on_ray(config: BatchConfig, model: ModelSource, jobs: Sequence[Job]) -> Iterator[Line]:
    """Mapped over Ray Data, on the cluster that RAY_ADDRESS names, else on a local one; lines in any order.

    Folders and checkpoints must be at the same paths on every machine. A worker that dies is replaced, and
    what it had not finished is done by another.
    Raises MissingDependencyError, and SairError where no worker can load the model.
    """
    model.digest()  # a wrong name ends here, and not in every worker
    ray = connect()
    ray.data.DataContext.get_current().enable_progress_bars = False
    workers = min(config.workers or sum(node["Alive"] for node in ray.nodes()), len(jobs))
    cores = max(1, int(ray.cluster_resources().get("CPU", 1) // workers))
    # Paths as bytes: a name need not be text.
    rows = [
        {
            "photo": os.fsencode(job.photo),
            "mask": os.fsencode(job.mask or ""),
            "source": os.fsencode(job.source or ""),
            "known": job.known,
        }
        for job in jobs
    ]
    results = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        RayWorker,
        fn_constructor_args=(config, model, cores),
        concurrency=workers,
        num_cpus=cores,
        num_gpus=min(1, ray.cluster_resources().get("GPU", 0) / workers),
    )
    try:
        for row in results.iter_rows():
            line = parse(row["line"])
            assert line is not None, "a worker's line is whole"
            yield line
    except (ray.exceptions.RayError, ray.data.exceptions.UserCodeException) as error:
        reason = str(error.__cause__ or error).strip().splitlines()[-1]
        raise SairError(f"Ray's workers gave up ({reason}). Try --runner local to see why.") from error


def connect(**options: Any) -> ModuleType:
    """Ray, with a cluster at hand. options: of `ray.init`, where it is still to be called."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependencyError(
            "--runner ray needs Ray. Install it with: pip install 'ray[data]', or use --runner local."
        ) from error
    if not ray.is_initialized():
        places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        runtime = {"env_vars": {"PYTHONPATH": os.pathsep.join(places)}}
        ray.init(log_to_driver=False, runtime_env=runtime, **options)
    return ray


class RayWorker:
    """A Worker in a process of Ray's.

    Ray gives a block of jobs to another worker when the one that had it dies. A mark beside the results says
    which of these jobs were finished, so that nothing is done twice.
    """

    def __init__(self, config: BatchConfig, model: ModelSource, cores: int):
        import torch

        torch.set_num_threads(cores)
        self.worker = Worker(config, model)
        self.marks = config.output / MARKS
        self.marks.mkdir(exist_ok=True)

    def __call__(self, row: dict[str, Any]) -> dict[str, str]:
        photo, mask, source = (os.fsdecode(row[name]) for name in ("photo", "mask", "source"))
        job = Job(Path(photo), Path(mask) if mask else None, row["known"], Path(source) if source else None)
        mark = self.marks / f"{hashlib.blake2b(os.fsencode(job.name), digest_size=16).hexdigest()}.json"
        if not mark.is_file():
            line = self.worker.run(job).json()
            with replacing(mark) as temporary:
                temporary.write_text(line, encoding="utf-8")
        return {"line": mark.read_text(encoding="utf-8")}


# A new runner is one function and one line here.
RUNNERS: dict[str, Runner] = {"local": local, "ray": on_ray}
