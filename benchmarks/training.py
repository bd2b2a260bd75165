"""What the trainer costs: photos a second of a run, next to the same steps with nothing around them."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sair_core.evaluation.report import machine_facts
from sair_core.training.backend import Backend
from sair_core.training.config import TrainConfig
from sair_core.training.loop import run, to_device
from sair_core.training.tasks.sair import SairTask

BAR, WAITING_BAR = 0.95, 0.05
WARM = 5  # steps before the clock starts
MANY = 10**9


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, or 1 when a bar is missed."""
    args = _arguments(argv)
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        config = TrainConfig(
            data=tuple(args.data), output=folder, preset=args.preset, semantics=args.semantics,
            steps=args.steps + WARM, final_share=float(args.final), device=args.device,
            validate_every=MANY, save_every=MANY,
        )  # fmt: skip
        task = SairTask(config, Backend(config.device, config.bf16))
        task.validation.photos = task.validation.photos[:1]  # validations are not timed
        phase = config.phase(0.0)
        batches = [batch for _, batch in islice(task.loader(phase, 0), args.steps + WARM)]
        ends: list[float] = []
        step = task.step

        def time_step(batch, first_sample):
            value = step(batch, first_sample)
            ends.append(time.perf_counter())
            return value

        for place, batch in enumerate(batches):
            time_step(to_device(batch, task.backend), place * config.batch)
        bare = _rate(ends, config.shape(phase)[1])
        ends.clear()
        task.step = time_step
        run(task, config, Path(folder) / "run", show_progress=False)
        trained = _rate(ends[-args.steps - WARM :], config.shape(phase)[1])
        waiting = _waiting(Path(folder) / "run")
    ratio = trained / bare
    print(f"steps alone          {bare:8.2f} photos a second")
    print(f"the trainer's steps  {trained:8.2f} photos a second")
    print(f"ratio                {ratio:8.3f}   bar {BAR}")
    print(f"waiting for data     {100 * waiting:7.1f} %   bar {100 * WAITING_BAR:g} %")
    print("; ".join(f"{name}: {value}" for name, value in machine_facts().items()))
    return int(ratio < BAR or waiting > WAITING_BAR)


def _rate(ends: Sequence[float], batch: int) -> float:
    return batch * (len(ends) - WARM) / (ends[-1] - ends[WARM - 1])


def _waiting(run_folder: Path) -> float:
    import torch

    progress = torch.load(run_folder / "state.pt", weights_only=True)["progress"]
    return progress["waited"] / progress["seconds"]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--data", nargs="+", required=True, metavar="FOLDER", help="photos to train on")
    add("--preset", default="lite", help="default: %(default)s")
    add("--semantics", help="default: the preset's")
    add("--final", action="store_true", help="squares of the last part of a run, 256 px")
    add("--steps", type=int, default=40, help="timed (default: %(default)s)")
    add("--device", default="auto")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
