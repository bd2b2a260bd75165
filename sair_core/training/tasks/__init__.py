"""The training tasks, one module each. A new one is such a module, its configuration and a line in TASKS.

A task module holds one class that satisfies `sair_core.training.task.Task` and is made with
`(config, backend, resume)`; `sair_core.training.loop.train(config)` runs it. The module imports torch, so
TASKS names the class by its path: a command line imports it only to train.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sair_core.training.config import (
    DetailTrainConfig,
    RunConfig,
    SelectionTrainConfig,
    SpnTrainConfig,
    TrainConfig,
)

if TYPE_CHECKING:
    from sair_core.training.task import TaskClass


@dataclass(frozen=True)
class TaskEntry:
    """A training task.

    config_class: of its configuration; path: of its own class; use: the command line, up to the model's name,
    that uses what it trained.
    """

    config_class: type[RunConfig]
    path: str
    use: str

    def load(self) -> TaskClass:
        """Import the task's class."""
        return pkgutil.resolve_name(self.path)


# By the name that --model takes, which is also the default of its configuration's `kind`.
TASKS = {
    "sair": TaskEntry(TrainConfig, "sair_core.training.tasks.sair:SairTask", "sair app --model"),
    "detail": TaskEntry(DetailTrainConfig, "sair_core.training.tasks.detail:DetailTask", "sair app --model"),
    "spn": TaskEntry(SpnTrainConfig, "sair_core.training.tasks.spn:SpnTask", "sair app --spn"),
    "select": TaskEntry(
        SelectionTrainConfig,
        "sair_core.training.tasks.select:SelectionTask",
        "sair evaluate selection --data PHOTOS --model",
    ),
}
