"""A run over a folder, from its plan to its report."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Generator

from sair_core.batch.config import BatchConfig
from sair_core.batch.jobs import Contents, Job, find_jobs
from sair_core.batch.report import REPORT_NAME, Line, Report, parse
from sair_core.batch.runners import MARKS, RUNNERS
from sair_core.batch.work import ModelSource
from sair_core.config import require
from sair_core.errors import ConfigError
from sair_core.files import find_leftovers


def prepare(config: BatchConfig) -> tuple[Report, Contents]:
    """The report so far, and what the folders hold; what a killed run left behind is put in order.

    One run at a time works on an output folder. Raises DataError for folders that hold nothing to do,
    ConfigError where the output cannot be written or holds files that no run has written.
    """
    known = " or ".join(RUNNERS)
    require(config.runner in RUNNERS, f"--runner must be {known}, got {config.runner!r}.")
    contents = find_jobs(config)  # before anything is written
    jobs = contents.jobs
    if not config.overwrite and not (config.output / REPORT_NAME).is_file():
        there = [job.name for job in jobs if (config.output / job.name).exists()]
        require(
            not there,
            f"--output {config.output} holds {', '.join(there[:3])}, which no run has written here. Give an "
            "empty folder, or --overwrite.",
        )
    try:
        config.output.mkdir(parents=True, exist_ok=True)
        report = Report(config.output)
        # What workers finished and the process that writes the report did not live to hear of.
        for mark in sorted((config.output / MARKS).glob("*.json")):
            line = parse(mark.read_text(encoding="utf-8"))
            if line is not None:
                report.add(line)
        for line in contents.left_out:
            report.add(line)
        _clear(config, jobs)
    except OSError as error:
        raise ConfigError(
            f"--output {config.output} cannot be written ({error}). Give another folder."
        ) from error
    if not config.again:
        jobs = [dataclasses.replace(job, known=report.key_of(job.name)) for job in jobs]
    return report, dataclasses.replace(contents, jobs=jobs)


def run(
    config: BatchConfig, model: ModelSource, report: Report, jobs: list[Job]
) -> Generator[Line, None, None]:
    """Do the jobs, tell of each as it is finished. The report has it by then, and is put in order at the end.

    Raises ModelNotFoundError and its like, MissingDependencyError; never because of a photo or a mask.
    """
    try:
        for line in RUNNERS[config.runner](config, model, jobs):
            report.add(line)
            yield line
    finally:
        report.tidy(job.name for job in jobs)
    _clear(config, jobs)


def _clear(config: BatchConfig, jobs: list[Job]) -> None:
    for path in find_leftovers(config.output, {job.name for job in jobs}):
        path.unlink(missing_ok=True)
    shutil.rmtree(config.output / MARKS, ignore_errors=True)
