"""The figures: which trainings each shows, and what draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sair_core.errors import MissingDependencyError, ModelNotFoundError
from sair_core.evaluation.features import load_features
from sair_core.experiments import pictures
from sair_core.experiments.laboratory import Laboratory
from sair_core.experiments.variants import VARIANTS
from sair_core.models.load import load_model
from sair_core.models.sair import Sair
from sair_core.models.spn import Spn
from sair_core.training.curves import draw_curves, read_log

SHOWN = 6  # photos in a figure
POINTS = 200  # photos among whose pictures t-SNE looks for clusters

Draw = Callable[[Laboratory, tuple[str, ...], Path], None]


@dataclass(frozen=True)
class Figure:
    """variants: whose models or logs it shows."""

    title: str
    variants: tuple[str, ...]
    draw: Draw


def _draw_fills(laboratory: Laboratory, names: tuple[str, ...], path: Path) -> None:
    methods = {VARIANTS[name].title: laboratory.load_method(name, laboratory.seeds[0]) for name in names}
    pictures.draw_fills(laboratory.show(SHOWN), methods, path)


def _draw_training(laboratory: Laboratory, names: tuple[str, ...], path: Path) -> None:
    runs = {VARIANTS[name].title: laboratory.train(name, laboratory.seeds[0]).parent for name in names}
    draw_curves({title: read_log(run) for title, run in runs.items()}, path, "colour_loss")


def _draw_features(laboratory: Laboratory, names: tuple[str, ...], path: Path) -> None:
    (name,) = names
    model = load_model(laboratory.train(name, laboratory.seeds[0]))
    assert isinstance(model, Sair)
    pictures.draw_features(laboratory.show(SHOWN), model, path)


def _draw_priors(laboratory: Laboratory, names: tuple[str, ...], path: Path) -> None:
    (name,) = names
    model = load_model(laboratory.train(name, laboratory.seeds[0]))
    assert isinstance(model, Spn)
    pictures.draw_priors(laboratory.show(SHOWN), model, path)


def _draw_clusters(laboratory: Laboratory, names: tuple[str, ...], path: Path) -> None:
    methods = {VARIANTS[name].title: laboratory.load_method(name, laboratory.seeds[0]) for name in names}
    pictures.draw_clusters(laboratory.show(POINTS), methods, load_features(), path)


FIGURES = {
    "sair-fills": Figure("SAIR, Figure 3: fills", ("liif", "sair"), _draw_fills),
    "sair-training": Figure("SAIR, Figure 4: training", ("liif", "sair"), _draw_training),
    "sair-features": Figure(
        "SAIR, Figure 5: semantic features before and after SIR", ("sair",), _draw_features
    ),
    "spn-fills": Figure("SPN, Figures 4 and 6: fills", ("spl", "spn", "spn-drawn"), _draw_fills),
    "spn-clusters": Figure(
        "SPN, Figure 9: t-SNE of photos and fills", ("spn", "spn-edges", "spn-random"), _draw_clusters
    ),
    "spn-priors": Figure("SPN, Figure 10: priors by k-means", ("spn",), _draw_priors),
    "spn-sampled-priors": Figure("SPN, Figure 11: sampled priors", ("spn-drawn",), _draw_priors),
}


def draw_figure(name: str, laboratory: Laboratory) -> str | None:
    """Draw a figure into the output's `figures/`, or return why it cannot be drawn."""
    figure = FIGURES[name]
    try:
        figure.draw(laboratory, figure.variants, laboratory.output / "figures" / f"{name}.png")
    except (ModelNotFoundError, MissingDependencyError) as error:
        return str(error)
    return None
