import json

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from sair_core.encoders import imagenet, pretext
from sair_core.errors import MissingDependencyError
from sair_core.evaluation.features import LiteFeatures
from sair_core.models.load import load_model
from sair_core.models.spn import Spn
from sair_core.training.__main__ import main
from sair_core.training.backend import Backend
from sair_core.training.config import SpnTrainConfig
from sair_core.training.loop import train
from sair_core.training.tasks import validation
from sair_core.training.tasks.spn import SpnTask
from tests.training.states import load_state


@pytest.fixture
def spn_run(photo_folder, tmp_path):
    """A run of seconds: fields can be changed by keyword."""

    def make(**changes):
        fields = dict(
            data=(str(photo_folder),), output=str(tmp_path / "run"), preset="tiny", device="cpu", bf16=False,
            size_px=32, final_size_px=48, final_share=0.25, batch=2, steps=4, workers=0, validate_every=2,
            save_every=2, val_share=0.3, learning_rate=1e-3, adversary="patch",
        )  # fmt: skip
        return SpnTrainConfig(**{**fields, **changes})

    return make


@pytest.fixture
def unpackaged(monkeypatch):
    """A classifier with random weights in the place of the package's."""

    def build(name="tf_efficientnet_lite0"):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            return timm.create_model(name, pretrained=False).eval()

    monkeypatch.setattr(pretext, "load_classifier", build)
    monkeypatch.setattr(validation, "load_features", lambda: LiteFeatures(build()))


@pytest.mark.parametrize("probabilistic", [False, True])
def test_a_run_leaves_a_model_without_what_training_needed(spn_run, tmp_path, probabilistic):
    model = load_model(train(spn_run(probabilistic=probabilistic), show_progress=False))
    assert isinstance(model, Spn) and model.config.probabilistic == probabilistic
    assert not [key for key in model.state_dict() if "heads" in key or "discriminator" in key]
    saved = json.loads((tmp_path / "run" / "train.json").read_text())
    assert saved["train"]["kind"] == "spn"
    assert saved["perceptual"] == ("sair-clip" if probabilistic else None)
    fill = model(torch.rand(1, 3, 40, 50), torch.ones(1, 1, 40, 50)).rgb01
    assert fill.shape == (1, 3, 40, 50) and 0 <= fill.min() and fill.max() <= 1


@pytest.mark.parametrize("adversary", ["patch", "projected"])
def test_resumed_equals_uninterrupted_for_both_networks_and_optimisers(
    adversary, spn_run, tmp_path, interrupt, unpackaged
):
    def run(name, **options):
        train(spn_run(output=str(tmp_path / name), adversary=adversary), show_progress=False, **options)

    run("whole")
    interrupt(lambda: run("parts"))
    run("parts", resume="latest")
    whole, parts = load_state(tmp_path / "whole"), load_state(tmp_path / "parts")
    assert whole["learners"].keys() == {"generator", "discriminator"}
    for name, one in whole["learners"].items():
        other = parts["learners"][name]
        assert all(torch.equal(other["model"][k], v) for k, v in one["model"].items()), name
        for place, moments in one["optimiser"]["state"].items():
            for kind, value in moments.items():
                assert torch.equal(other["optimiser"]["state"][place][kind], value), (name, kind)
    assert all(torch.equal(parts["average"][k], v) for k, v in whole["average"].items())


@pytest.mark.parametrize("adversary", ["patch", "projected"])
def test_a_step_moves_each_network_by_its_own_loss_only(adversary, spn_run, unpackaged):
    task = SpnTask(spn_run(adversary=adversary), Backend("cpu", bf16=False))
    numbers, batch = next(task.loader(0, 0))
    weights = {
        name: {k: v.clone() for k, v in learner.model.own_state().items()}
        for name, learner in task.learners.items()
    }
    real = task.backend.optimise
    turns = []

    def optimise(loss, optimiser, *rest, **options):
        value = real(loss, optimiser, *rest, **options)
        moved = {
            name: any(
                not torch.equal(p.detach(), weights[name][k]) for k, p in learner.model.named_parameters()
            )
            for name, learner in task.learners.items()
        }
        turns.append(moved)
        return value

    task.backend.optimise = optimise
    loss = task.step(batch, numbers.start)
    assert np.isfinite(loss)
    assert turns == [
        {"generator": True, "discriminator": False},
        {"generator": True, "discriminator": True},
    ]


def test_a_batch_in_parts_trains_the_same_discriminator(spn_run):
    weights = []
    for accumulate in (1, 2):
        task = SpnTask(spn_run(probabilistic=False), Backend("cpu", bf16=False, accumulate=accumulate))
        numbers, batch = next(task.loader(0, 0))
        task.step(batch, numbers.start)
        weights.append(dict(task.learners["discriminator"].model.named_parameters()))
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, atol=3e-3, rtol=0)


def test_the_rate_is_a_tenth_in_the_last_quarter(spn_run):
    config = spn_run(learning_rate=1e-4)
    assert config.rate(5, 0.74) == 1e-4 and config.rate(5, 0.75) == pytest.approx(1e-5)


def test_the_same_command_trains_an_spn_and_goes_on_with_it(photo_folder, tmp_path, capsys):
    run = tmp_path / "cli"
    options = ["--size-px", "32", "--final-size-px", "32", "--batch", "2", "--workers", "0"]
    command = ["--model", "spn", "--preset", "tiny", "--probabilistic", "no", "--adversary", "patch"]
    command += ["--data", str(photo_folder)]
    assert main([*command, "--output", str(run), "--steps", "1", *options]) == 0
    assert main(["--resume", "latest", "--output", str(run), "--steps", "2"]) == 0
    assert load_state(run)["progress"]["step"] == 2 and "sair app --spn" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--model", "spn", "--help"])
    shown = capsys.readouterr().out
    assert "--adversarial-weight" in shown and "--queries" not in shown


def test_begun_with_a_model_that_does_not_draw_it_does_not_draw(spn_run, tmp_path):
    first = train(spn_run(probabilistic=False, steps=1), show_progress=False)
    begun = spn_run(preset=None, start=str(first), steps=1, output=str(tmp_path / "second"))
    assert not load_model(train(begun, show_progress=False)).config.probabilistic
    assert SpnTask(spn_run(), Backend("cpu", bf16=False)).model.config.probabilistic


def test_the_projected_adversary_leaves_figures_of_how_real_fills_look(spn_run, tmp_path, unpackaged):
    run = spn_run(adversary="projected", size_px=64, final_size_px=128, steps=2)
    model = load_model(train(run, show_progress=False))
    assert not [key for key in model.state_dict() if "heads" in key or "projection" in key]
    assert json.loads((tmp_path / "run" / "train.json").read_text())["perceptual"] == run.judge
    rows = load_state(tmp_path / "run")["progress"]["log"]
    assert [row["step"] for row in rows if "frechet" in row] == [0, 2]
    assert all(0 < row["frechet"] < np.inf for row in rows if "frechet" in row)
    assert all(0 < row["diversity"] < 1 for row in rows if "frechet" in row)
    assert {"adversarial_loss", "adversary_loss", "feature_loss", "diverse_loss"} <= rows[-1].keys()


def test_fills_learn_from_the_adversary_after_the_image_steps(spn_run, unpackaged):
    task = SpnTask(spn_run(adversary="projected", image_steps=2), Backend("cpu", bf16=False))
    batches = task.loader(0, 0)
    for joined in (False, False, True):
        numbers, batch = next(batches)
        assert np.isfinite(task.step(batch, numbers.start))
        assert ("adversarial" in task.spn_loss.terms) == joined and "image" in task.spn_loss.terms
    assert len(task.terms["adversary"]) == 3  # it learns from the first step on


def test_a_run_ends_when_its_patience_does(spn_run, tmp_path, monkeypatch):
    monkeypatch.setattr(SpnTask, "validate", lambda self: ({"psnr": 1.0}, Image.new("RGB", (4, 4))))
    train(spn_run(steps=10**6, patience_minutes=0.005, validate_every=3), show_progress=False)
    progress = load_state(tmp_path / "run")["progress"]
    assert 0.3 < progress["seconds"] < 60 and progress["better_at"] == 0


def test_without_its_package_the_extra_is_named(spn_run, monkeypatch):
    monkeypatch.setattr(imagenet.importlib, "import_module", lambda name: __import__("no_such_module"))
    with pytest.raises(MissingDependencyError, match=r"pip install sair-studio\[train\]"):
        SpnTask(spn_run(adversary="projected"), Backend("cpu", bf16=False))


def test_every_ablation_of_the_paper_is_an_option(spn_run):
    def config(**changes):
        return SpnTask(spn_run(**changes), Backend("cpu", bf16=False)).model.config

    plain = config()
    assert (plain.scales, plain.generator.blocks, plain.generator.fusion) == (3, 1, "spade")
    changed = config(scales=2, blocks=4, fusion="concat", probabilistic=False, pretext="none")
    assert (changed.scales, changed.generator.blocks, changed.generator.fusion) == (2, 4, "concat")
    assert not changed.probabilistic and changed.pretext is None
    random = config(pretext="test_resnet", random_pretext=True).pretext
    assert (random.name, random.pretrained) == ("test_resnet", False)


def test_epsilon_bounds_the_loss_of_equal_fills(spn_run):
    """Before any training two fills are nearly the same: the paper's epsilon makes that cost far more."""
    costs = []
    for epsilon in (1e-5, 0.5):
        task = SpnTask(spn_run(epsilon=epsilon, probabilistic=True), Backend("cpu", bf16=False))
        numbers, batch = next(task.loader(0, 0))
        task.step(batch, numbers.start)
        costs.append(task.terms["diverse"][0])
    assert costs[0] > 5 * costs[1] and costs[1] <= 2


def test_the_priors_of_another_spn_teach(spn_run, tmp_path):
    other = train(spn_run(output=str(tmp_path / "other"), steps=1), show_progress=False)
    model = load_model(train(spn_run(pretext=str(other), probabilistic=False), show_progress=False))
    assert model.config.pretext.name == str(other) and not model.config.probabilistic


@pytest.mark.parametrize("options", [{"diverse_weight": 0.0}, {"twice_share": 0.0}])
def test_nothing_is_filled_twice_where_fills_need_not_differ(options, spn_run, monkeypatch):
    task = SpnTask(spn_run(probabilistic=True, **options), Backend("cpu", bf16=False))
    decoded = []
    decode = task.model.decode
    monkeypatch.setattr(task.model, "decode", lambda *args: decoded.append(1) or decode(*args))
    numbers, batch = next(task.loader(0, 0))
    task.step(batch, numbers.start)
    assert len(decoded) == 1 and "diverse" not in task.terms and "kl" in task.terms


def test_photos_are_shown_pale_as_often_as_they_are_to_be(spn_run):
    photos = torch.rand(2, 3, 8, 8)

    def shown(share):
        task = SpnTask(spn_run(pale_share=share), Backend("cpu", bf16=False))
        return torch.cat([task._make_pale(photos, i) for i in range(0, 20, 2)])

    assert torch.equal(shown(0.0), photos.repeat(10, 1, 1, 1))
    pale = shown(1.0)
    contrasts = (pale.std((1, 2, 3)) / photos.std((1, 2, 3)).repeat(10)).tolist()
    assert 0.3 <= min(contrasts) < 0.5 and 0.8 < max(contrasts) <= 1
    assert 0 <= pale.min() and pale.max() <= 1
    assert pale.mean((1, 2, 3)).std() > 0.1  # around another grey each
    whole = [torch.equal(a, b) for a, b in zip(shown(0.5), photos.repeat(10, 1, 1, 1))]
    assert 4 <= sum(whole) <= 16
    assert torch.equal(shown(1.0), pale)  # a resumed run sees the same


def test_pale_photos_are_what_a_step_learns_from(spn_run, monkeypatch):
    task = SpnTask(spn_run(pale_share=1.0), Backend("cpu", bf16=False))
    numbers, batch = next(task.loader(0, 0))
    seen = []
    compare = task.adversary_loss.compare
    monkeypatch.setattr(
        task.adversary_loss, "compare", lambda fill, real: seen.append(real["rgb01"]) or compare(fill, real)
    )
    task.step(batch, numbers.start)
    torch.testing.assert_close(seen[0], task._make_pale(batch["rgb01"], numbers.start))
    assert not torch.equal(seen[0], batch["rgb01"])
