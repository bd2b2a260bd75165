"""The papers' figures: fills side by side, features, priors, clusters of pictures, bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from sair_core.coords import grid_coords
from sair_core.evaluation.baselines import composite, mean
from sair_core.evaluation.features import LiteFeatures
from sair_core.evaluation.sheets import picture_sheet
from sair_core.files import replacing
from sair_core.filling.priors import read_priors
from sair_core.holes import to_hole01, to_rgb01
from sair_core.models.sair import Sair
from sair_core.models.spn import Spn
from sair_core.photos.photo import load_photo
from sair_core.semantics.map import palette
from sair_core.training.state import save_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]

DPI = 110
CLUSTERS = 8  # of the priors, as in the SPN paper
SEEDS = (1, 2)  # of sampled priors
MAX_PERPLEXITY = 30.0
MIN_PANEL_PX = 150  # so that titles fit


@dataclass(frozen=True, eq=False)
class Shown:
    """A photo uint8 `(H, W, 3)` and its hole bool `(H, W)`. group: what kind of photo it is."""

    photo: np.ndarray
    mask: np.ndarray
    group: str = ""

    def fill_with(self, fill: Fill) -> np.ndarray:
        """Return the photo with a method's fill in its hole; the method never sees what was there."""
        return composite(self.photo, fill(mean(self.photo, self.mask), self.mask), self.mask)


def draw_fills(shown: Sequence[Shown], methods: Mapping[str, Fill], path: Path) -> None:
    """Draw each photo in a row: the photo, the hole, the fills (SAIR, Figure 3; SPN, Figure 4)."""
    rows = [{title: one.fill_with(fill) for title, fill in methods.items()} for one in shown]
    save_picture(_stack(shown, rows), path)


@torch.inference_mode()
def draw_features(shown: Sequence[Shown], model: Sair, path: Path) -> None:
    """Draw the semantic features of masked photos before SIR and after it, and those of the photo (Figure 5).

    Three principal directions of the photo's features are red, green and blue. Raises ValueError for a model
    without SIR.
    """
    if model.semantic_encoder is None or model.sir is None:
        raise ValueError("want a model with a SIR")
    rows = []
    for one in shown:
        rgb01, hole01 = to_rgb01(one.photo, torch.device("cpu")), to_hole01(one.mask)
        true = model.semantic_encoder(rgb01, torch.zeros_like(hole01))
        features = model.encode(rgb01, hole01)
        assert features.seen is not None and features.tokens is not None  # a model with SIR has both
        size = features.seen.shape[-2:]
        coords = grid_coords(size).flatten(0, 1)[None]
        after = model.decode_semantics(features, coords).transpose(1, 2).unflatten(2, size)
        maps = {
            "features": true,
            "before SIR": features.seen,
            "after SIR": after,
        }
        unit = {title: F.normalize(one.float(), dim=1)[0] for title, one in maps.items()}
        colour = _principal_colours(unit["features"])
        rows.append({title: _enlarge(colour(one), shown[0].photo.shape) for title, one in unit.items()})
    save_picture(_stack(shown, rows), path)


def draw_priors(shown: Sequence[Shown], model: Spn, path: Path) -> None:
    """Draw the priors of an SPN as kinds of place, coarsest first, and the fill (SPN, Figure 10).

    Of a probabilistic one for two seeds (Figure 11): a colour means the same in both.
    """
    colours = palette(CLUSTERS)
    seeds = SEEDS if model.config.probabilistic else SEEDS[:1]
    rows = []
    for one in shown:
        views = read_priors(
            model, load_photo(one.photo), one.mask, seeds, CLUSTERS, device=torch.device("cpu"), bf16=False
        )
        row: dict[str, np.ndarray] = {}
        for view in views:
            which = f", seed {view.seed}" if len(views) > 1 else ""
            for stride, level in zip(view.strides_px, view.levels):
                row[f"prior 1/{stride}{which}"] = _enlarge(colours[level], one.photo.shape)
            row[f"fill{which}"] = _enlarge(view.rgb, one.photo.shape)
        rows.append(row)
    save_picture(_stack(shown, rows), path)


def draw_clusters(
    shown: Sequence[Shown], methods: Mapping[str, Fill], features: LiteFeatures, path: Path
) -> None:
    """Draw every picture as a point by t-SNE of its features: the photos, then each method's (SPN, Figure 9).

    The features are EfficientNet-Lite's coarsest map, its mean over the picture; all panels share the plane.
    """
    from sklearn.manifold import TSNE

    pictures = {"photos": [one.photo for one in shown]}
    for title, fill in methods.items():
        pictures[title] = [one.fill_with(fill) for one in shown]
    vectors = np.stack([features(p)[-1].mean(dim=(1, 2)).numpy() for side in pictures.values() for p in side])
    perplexity = min(MAX_PERPLEXITY, (len(vectors) - 1) / 3)
    points = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(vectors)
    groups = sorted({one.group for one in shown})
    colours = palette(len(groups)) / 255
    figure, axes = _subplots(len(pictures))
    for i, (axis, title) in enumerate(zip(axes, pictures)):
        part = points[i * len(shown) : (i + 1) * len(shown)]
        for group, colour in zip(groups, colours):
            chosen = np.array([one.group == group for one in shown])
            axis.scatter(part[chosen, 0], part[chosen, 1], s=10, color=colour, label=group)
        axis.set(title=title, xticks=[], yticks=[], xlim=_span(points[:, 0]), ylim=_span(points[:, 1]))
    axes[0].legend(fontsize=6)
    _save(figure, path)


def draw_bars(values: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Draw a panel for each figure, a bar for each method (SPN, Figures 7 and 8).

    values: by figure, then by method.
    """
    figure, axes = _subplots(len(values))
    for axis, (title, by_method) in zip(axes, values.items()):
        bars = axis.bar(range(len(by_method)), list(by_method.values()), color="tab:blue")
        axis.bar_label(bars, fmt="%.3g", fontsize=7)
        axis.set_xticks(range(len(by_method)), list(by_method), rotation=30, ha="right", fontsize=7)
        low, high = min(by_method.values()), max(by_method.values())
        margin = (high - low) or abs(high) or 1.0
        axis.set(title=title, ylim=(low - margin, high + 0.3 * margin))
    _save(figure, path)


def _stack(shown: Sequence[Shown], rows: Sequence[Mapping[str, np.ndarray]]) -> Image.Image:
    """One row of panels for each photo, small ones enlarged."""
    sheets = []
    for one, row in zip(shown, rows):
        factor = max(1, -(-MIN_PANEL_PX // one.photo.shape[1]))
        size = [factor * n for n in one.photo.shape[:2]]
        photo, mask = _enlarge(one.photo, size), _enlarge(one.mask, size)
        panels = {title: _enlarge(panel, size) for title, panel in row.items()}
        sheets.append(np.asarray(picture_sheet(photo, mask, panels, columns=len(row) + 2)))
    return Image.fromarray(np.concatenate(sheets))


def _principal_colours(features: Tensor) -> Callable[[Tensor], np.ndarray]:
    """Return what draws features `(D, h, w)` as uint8 `(h, w, 3)` by three principal directions of these."""
    points = features.flatten(1).T  # (N, D)
    centre = points.mean(dim=0)
    _, _, directions = torch.linalg.svd(points - centre, full_matrices=False)
    directions = directions[:3]
    spread = ((points - centre) @ directions.T).abs().amax(dim=0).clamp_min(1e-6)

    def draw(other: Tensor) -> np.ndarray:
        places = ((other.flatten(1).T - centre) @ directions.T) / spread
        colours = ((places.clamp(-1, 1) + 1) * 127.5).round().byte().unflatten(0, other.shape[1:])
        return colours.numpy()

    return draw


def _enlarge(picture: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The picture with square cells at the height and width of a photo."""
    image = Image.fromarray(picture).resize((shape[1], shape[0]), Image.Resampling.NEAREST)
    return np.asarray(image)


def _span(values: np.ndarray) -> tuple[float, float]:
    margin = 0.05 * float(np.ptp(values)) or 1.0
    return float(values.min()) - margin, float(values.max()) + margin


def _subplots(count: int) -> tuple[Figure, Sequence[Axes]]:
    # Not pyplot: it keeps every figure and looks for a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((3.0 * count, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, np.atleast_1d(figure.subplots(1, count)).tolist()


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png", facecolor="white")
