"""Curves of trainings in one picture, as Figure 5 of the SAIR paper:

python -m sair_core.training.curves runs/sair runs/liif --output curves.png
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from sair_core.command_line import Option, run_command
from sair_core.config import strict_dataclass
from sair_core.errors import DataError
from sair_core.files import replacing

Rows = Sequence[Mapping[str, float]]
TITLES = {
    "colour_loss": "L1 of colours in training",
    "psnr": "PSNR of held-back photos, dB",
    "accuracy": "accuracy on held-back photos",
    "frechet": "Fréchet distance in the holes of held-back photos",
    "iou_1": "IoU after one click on held-back objects",
}
OTHERS = frozenset({"step", "seconds", "loss", "rate"})  # columns that are no figure of a validation
SIZE_IN, DPI = (9.0, 3.4), 110
# A layout that fits itself draws everything twice, at every validation of a training.
MARGINS = {"left": 0.07, "right": 0.985, "bottom": 0.14, "top": 0.91, "wspace": 0.2}


def draw_curves(runs: Mapping[str, Rows], path: Path, loss: str = "loss") -> None:
    """Draw the loss and the figure that validation names first over the steps, a line a run, as a PNG.

    loss: the column of the log; "colour_loss" is the same for all SAIRs, whatever else they minimise.
    """
    # Not pyplot: it keeps every figure and looks for a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    measured = (key for rows in runs.values() for row in rows for key in row if key not in OTHERS)
    panels = [loss, next(measured, "psnr")]
    figure = Figure(SIZE_IN)
    FigureCanvasAgg(figure)
    figure.subplots_adjust(**MARGINS)
    for axes, column in zip(figure.subplots(1, len(panels)), panels):
        for name, rows in runs.items():
            points = [(row["step"], row[column]) for row in rows if column in row]
            if points:
                axes.plot(*zip(*points), label=name, linewidth=1.6, marker="." if len(points) < 30 else None)
        axes.set_title(TITLES.get(column, column), fontsize=10)
        axes.set_xlabel("step", fontsize=9)
        axes.grid(alpha=0.3)
        if column == loss and any(column in row for rows in runs.values() for row in rows):
            axes.set_yscale("log")
            low, high = axes.get_ylim()
            axes.yaxis.set_major_formatter("{x:g}")  # 0.01, not 10^-2
            axes.yaxis.set_minor_formatter("{x:g}" if high < 10 * low else "")
        axes.tick_params(which="both", labelsize=8)
        if len(runs) > 1 and axes.has_data():
            axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png", facecolor="white")


def read_log(run: Path) -> list[dict[str, float]]:
    """Read the rows of a run's `log.csv`. Raises DataError."""
    try:
        with open(run / "log.csv", newline="", encoding="utf-8") as file:
            return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    except (OSError, ValueError) as error:
        raise DataError(f"{run} holds no readable log.csv ({error}). Give the folder of a run.") from error


@strict_dataclass
class CurvesOptions:
    """Draw the curves of trainings in one picture, as Figure 5 of the SAIR paper."""

    runs: Annotated[tuple[Path, ...], Option(positional=True, metavar="RUN")]
    """run folders"""
    output: Annotated[Path, Option(metavar="FILE")]
    """PNG to write"""


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.training.curves") -> int:
    """Run the command line and return its exit status."""
    return run_command(_draw, CurvesOptions, argv, prog=prog)


def _draw(options: CurvesOptions) -> None:
    draw_curves({run.name: read_log(run) for run in options.runs}, options.output)
    print(options.output)


if __name__ == "__main__":
    sys.exit(main())
