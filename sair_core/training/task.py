"""What a training task offers to the loop that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from sair_core.training.average import Average
from sair_core.training.backend import Backend
from sair_core.training.data.loader import Batch, Batches
from sair_core.training.optimisers import Learner
from sair_core.training.schedule import Schedule

DISTANCES = frozenset({"frechet"})  # figures of which less is better


def score(figures: Mapping[str, float]) -> float:
    """Return what selects the best validation by its first figure: more is better."""
    name, value = next(iter(figures.items()))
    return -value if name in DISTANCES else value


class TaskConfig(Schedule, Protocol):
    """What the loop reads of a task's configuration."""

    @property
    def output(self) -> str: ...

    @property
    def device(self) -> str: ...

    @property
    def bf16(self) -> bool: ...

    @property
    def accumulate(self) -> int: ...


class Task(Protocol):
    """Networks, their data and their losses.

    config: that of the run, with its length in steps or minutes. The first learner's model is the one that is
    averaged, validated and exported. facts: entries of `train.json`; at least the configurations of the run
    and, as "model", of the model.
    """

    @property
    def config(self) -> TaskConfig: ...

    @property
    def backend(self) -> Backend: ...

    @property
    def learners(self) -> Mapping[str, Learner]: ...

    @property
    def average(self) -> Average: ...

    @property
    def facts(self) -> Mapping[str, Any]: ...

    def loader(self, phase: int, first_sample: int) -> Batches:
        """Return endless batches of this process, each with the numbers of its samples in all processes.

        They begin with the first whole batch from sample number `first_sample` on. phase: as the
        configuration counts the parts of a run.
        """
        ...

    def step(self, batch: Batch, first_sample: int) -> float:
        """Take the optimisers' steps on a batch on the device and return the loss that is logged.

        NaN when the loss or a gradient is not finite; the weights are then left as they are.
        first_sample: number of the first sample of all processes' batches, which seeds random draws.
        """
        ...

    def validate(self) -> tuple[dict[str, float], Image.Image]:
        """Return figures by name and a picture, of the weights that the model holds now.

        The first figure selects the best model: more is better, or less if it is one of DISTANCES.
        """
        ...

    def export(self, folder: Path) -> None:
        """Write the averaged model into a folder, ready for use."""
        ...


class TaskClass(Protocol):
    """How a task is made; a class with this constructor is what a task module offers."""

    def __call__(self, config: Any, backend: Backend, resume: bool = False) -> Task:
        """config: of the task's own configuration class. resume: the run is continued, so its weights will be
        loaded afterwards and none are needed to begin with."""
        ...
