"""The perceptual loss of a SAIR's training."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from sair_core.encoders.pretext import FrozenFeatures
from sair_core.errors import MissingDependencyError
from sair_core.training.backend import Backend
from sair_core.training.loop import train
from sair_core.training.tasks import sair as task
from sair_core.training.tasks.perceptual import PerceptualLoss
from sair_core.training.tasks.sair import FINE_TUNING_WEIGHT, SairTask


class Averages(nn.Module):
    def forward(self, x):
        return [nn.functional.avg_pool2d(x, 4), nn.functional.avg_pool2d(x, 8)]


@pytest.fixture
def classifier(monkeypatch):
    """Maps of a classifier that takes no time."""
    monkeypatch.setattr(
        task, "packaged_features", lambda name, reductions: FrozenFeatures(Averages(), (3, 3))
    )


def photos(count=4):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(count)]


def test_it_is_the_distance_in_deviations_of_photos():
    loss = PerceptualLoss(FrozenFeatures(Averages(), (3, 3)), photos())
    true = torch.rand(2, 3, 32, 32)
    assert loss(true, true) == 0
    deviations = [norm.running_var.add(norm.eps).sqrt() for norm in loss.norm.norms]
    std = loss.features.std.flatten()
    wanted = np.mean([(0.1 / std / d).mean().item() for d in deviations])
    assert loss(true + 0.1, true).item() == pytest.approx(wanted, rel=1e-4)


def test_gradients_reach_what_is_shown_alone():
    loss = PerceptualLoss(FrozenFeatures(Averages(), (3, 3)), photos())
    shown, true = torch.rand(1, 3, 32, 32, requires_grad=True), torch.rand(1, 3, 32, 32, requires_grad=True)
    loss(shown, true).backward()
    assert shown.grad.abs().sum() > 0 and true.grad is None


def test_a_training_takes_it_when_asked_and_when_it_fine_tunes(classifier, tiny_run, tmp_path):
    plain = SairTask(tiny_run(preset="tiny"), Backend("cpu"))
    assert plain.loss.perceptual == (None,) and plain.facts["train"]["perceptual_weight"] == 0
    model = train(
        tiny_run(preset="tiny", perceptual_weight=0.5, size_px=64, final_size_px=64), show_progress=False
    )
    assert json.loads((model.parent / "train.json").read_text())["train"]["perceptual_weight"] == 0.5
    tuned = SairTask(tiny_run(preset=None, start=str(model), output=str(tmp_path / "tuned")), Backend("cpu"))
    assert tuned.facts["train"]["perceptual_weight"] == FINE_TUNING_WEIGHT
    none = tiny_run(preset=None, start=str(model), output=str(tmp_path / "none"), perceptual_weight=0.0)
    assert SairTask(none, Backend("cpu")).loss.perceptual == (None,)


def test_it_changes_the_loss_and_leaves_the_photo_around_the_hole_alone(classifier, tiny_run):
    found = SairTask(
        tiny_run(preset="tiny", perceptual_weight=1.0, size_px=64, scale_share=0.0), Backend("cpu")
    )
    _, batch = next(found.loader(0, 0))
    with torch.no_grad():
        loss = found.loss(batch, 0)
        found.loss.perceptual_weight = 0.0
        plain = found.loss(batch, 0)
        batch["hole01"] = torch.zeros_like(batch["hole01"])
        features = found.model.encode(batch["rgb01"], batch["hole01"])
        found.loss.perceptual_weight = 1.0
        assert found.loss._perceptual_term(features, batch) == 0  # nothing is filled
    assert loss > plain


def test_without_the_package_fine_tuning_goes_on(tiny_run, tmp_path, monkeypatch):
    model = train(tiny_run(preset="tiny"), show_progress=False)

    def missing(name, reductions):
        raise MissingDependencyError("no package. pip install sair-studio[train].")

    monkeypatch.setattr(task, "packaged_features", missing)
    config = tiny_run(preset=None, start=str(model), output=str(tmp_path / "tuned"))
    assert SairTask(config, Backend("cpu")).facts["train"]["perceptual_weight"] == 0
    with pytest.raises(MissingDependencyError, match=r"sair-studio\[train\]"):
        SairTask(
            tiny_run(preset="tiny", output=str(tmp_path / "asked"), perceptual_weight=1.0), Backend("cpu")
        )
