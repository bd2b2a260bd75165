import json

import pytest

from sair_core.models.load import load_model
from sair_core.models.presets import PAPERS, SPN_PRESETS
from sair_core.training import options
from sair_core.training.__main__ import main
from sair_core.training.config import SpnTrainConfig, TrainConfig
from sair_core.training.recipes import RECIPES, find_recipe

FEW = ["--size-px", "32", "--final-size-px", "32", "--batch", "2", "--queries", "32", "--workers", "0",
       "--device", "cpu", "--no-bf16", "--steps", "1"]  # fmt: skip


@pytest.fixture
def typed(monkeypatch):
    """`typed(*arguments)`: the configuration that a command line gives, and nothing is trained."""

    def read(*arguments):
        found = []
        monkeypatch.setattr("sair_core.training.__main__._train", lambda config, resume: found.append(config))
        assert main(["--data", "a", "--output", "b", *arguments]) == 0
        return found[0]

    return read


def test_every_model_of_the_papers_has_its_recipe():
    assert set(RECIPES["sair"]) == set(PAPERS)
    assert set(RECIPES["spn"]) == {"paper", "spl"} < set(SPN_PRESETS)
    for kind, config_class in (("sair", TrainConfig), ("spn", SpnTrainConfig)):
        for preset in RECIPES[kind]:
            config_class(data=("a",), output="b", preset=preset, **find_recipe(kind, preset))


def test_a_preset_of_a_paper_brings_its_recipe(typed):
    paper = typed("--preset", "paper")
    assert (paper.betas, paper.learning_rate, paper.batch, paper.epochs) == ((0.9, 0.999), 1e-4, 16, 200)
    rates = [paper.rate(1, share) for share in (0.0, 0.499, 0.5, 0.999)]
    assert rates == [1e-4, 1e-4, 5e-5, 5e-5]  # halved every 100 of 200 epochs
    assert paper.shape(0) == paper.shape(1) == (256, 16)
    weights = ("squared_weight", "semantic_weight", "label_weight", "guide_share", "weight_decay", "ema")
    assert not any(getattr(paper, name) for name in weights)
    assert typed("--preset", "paper", "--from", "sair-lite").perceptual_weight == 0
    spn = typed("--model", "spn", "--preset", "spl")
    assert (spn.adversary, spn.epsilon, spn.kl_weight, spn.diverse_weight) == ("patch", 1e-5, 0.05, 1.0)


def test_what_is_typed_goes_before_the_recipe(typed):
    paper = typed("--preset", "paper", "--batch", "4", "--ema", "0.9", "--hole-share", "0.5")
    assert (paper.batch, paper.ema, paper.hole_share) == (4, 0.9, 0.5)
    assert typed("--preset", "lite") == TrainConfig(data=("a",), output="b", preset="lite")
    for option, value in (("steps", 7), ("minutes", 2.0)):
        one = typed("--preset", "paper", f"--{option}", str(value))
        assert getattr(one, option) == value and one.epochs is None


def test_epochs_are_steps_once_the_photos_are_counted():
    config = TrainConfig(data=("a",), output="b", batch=4, epochs=1.5)
    assert config.with_epochs(photos=10, processes=1).steps == 4  # 15 photos in batches of 4
    assert config.with_epochs(photos=10, processes=2).steps == 2
    assert TrainConfig(data=("a",), output="b", steps=9).with_epochs(10, 1).steps == 9


@pytest.mark.parametrize("preset", sorted(PAPERS))
def test_every_model_of_the_sair_paper_trains_by_one_preset(preset, photo_folder, tmp_path, tiny_clip_folder):
    run = tmp_path / preset
    arguments = ["--preset", preset, "--encoder", str(tiny_clip_folder), *FEW]
    assert main(["--data", str(photo_folder), "--output", str(run), *arguments]) == 0
    model = load_model(run / "model")
    assert (model.semantic_encoder is None) == (model.config.semantics == "none")
    if model.semantic_encoder is not None:
        assert model.config.semantic.name == str(tiny_clip_folder)
        assert model.semantic_encoder.mask_keys == (preset == "sam")
    assert json.loads((run / "train.json").read_text())["train"]["hole_share"] == "even"


def test_options_change_what_a_preset_has_and_leave_the_rest(photo_folder, tmp_path, tiny_clip_folder):
    options = ["--encoder", str(tiny_clip_folder), "--encoder-upsample", "2", "--appearance", "table4", *FEW]
    run = tmp_path / "run"
    assert main(["--data", str(photo_folder), "--output", str(run), "--preset", "paper", *options]) == 0
    config = load_model(run / "model").config
    assert config.semantic.upsample == 2 and config.appearance == PAPERS["paper"].appearance


def test_a_preset_without_semantics_gets_them_with_their_encoder(photo_folder, tmp_path, tiny_clip_folder):
    options = ["--preset", "tiny", "--semantics", "full", "--encoder", str(tiny_clip_folder), *FEW]
    run = tmp_path / "run"
    assert main(["--data", str(photo_folder), "--output", str(run), *options]) == 0
    assert load_model(run / "model").config.semantics == "full"


def test_epochs_end_a_run_and_are_written_down(photo_folder, tmp_path):
    few = [*FEW[:-2], "--preset", "tiny", "--val-share", "0.3", "--epochs", "2"]
    assert main(["--data", str(photo_folder), "--output", str(tmp_path / "run"), *few]) == 0
    written = json.loads((tmp_path / "run" / "train.json").read_text())["train"]
    assert written["epochs"] == 2 and written["steps"] == 6  # 8 photos, 2 held back, in batches of 2
    assert json.loads((tmp_path / "run" / "progress.json").read_text())["step"] == 6


def test_another_length_replaces_that_of_a_run_that_is_continued(monkeypatch, typed):
    before = {"data": ["a"], "output": "b", "epochs": 3.0, "kind": "sair"}
    for module in ("sair_core.training.options", "sair_core.training.__main__"):
        monkeypatch.setattr(f"{module}.saved", lambda folder, part: before)
    assert typed("--resume").epochs == 3
    longer = typed("--resume", "--steps", "9")
    assert longer.steps == 9 and longer.epochs is None
    assert options.newest_run("train") is None
