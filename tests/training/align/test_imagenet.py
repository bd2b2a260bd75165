"""The classifier as a teacher: on classes made by hand, and in a run of a few steps with random weights."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder
from sair_core.errors import CheckpointError, ConfigError
from sair_core.semantics.words import imagenet_words
from sair_core.training.align import imagenet, task
from sair_core.training.align.data import load_named
from sair_core.training.align.imagenet import (
    ImageNetTeacher,
    fit_projection,
    meet_names,
    pool_places,
    prototype_loss,
    teacher_loss,
)
from sair_core.training.align.task import BEGUN_FILE, WEIGHTS_FILE, WORDS_FILE, AlignTask
from sair_core.training.backend import Backend
from sair_core.training.loop import train_task
from tests.training.states import load_state


class ColourClassifier(torch.nn.Module):
    """Its features are the colours of 32 px cells; classes are far along the axes of stretched colours."""

    pretrained_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    stretch = torch.tensor([1.0, 0.2, 0.05])

    def __init__(self):
        super().__init__()
        self.classifier = torch.nn.Linear(3, 3, bias=False)
        self.classifier.weight.data = torch.diag(1 / self.stretch)  # S^-1 mu for S = stretch^2, mu = stretch

    def forward_features(self, image):
        return F.avg_pool2d(image, 32)

    def get_classifier(self):
        return self.classifier


def test_places_are_the_whole_and_windows_that_overlap_by_half():
    cells = torch.arange(64.0).view(1, 1, 8, 8)
    places = pool_places(cells)
    assert places.shape == (1, 10, 1)
    assert places[0, 0, 0] == cells.mean() and places[0, 1, 0] == cells[0, 0, :4, :4].mean()
    assert places[0, 2, 0] == cells[0, 0, :4, 2:6].mean()
    assert pool_places(cells[..., :7]).shape == (1, 1, 1)


def test_places_that_are_named_as_the_teacher_names_them_have_no_loss():
    torch.manual_seed(0)
    places, names = torch.randn(2, 3, 8), F.normalize(torch.randn(5, 8), dim=-1)
    shares = (9 * F.normalize(places, dim=-1) @ names.T).softmax(dim=-1)
    assert teacher_loss(places, shares, names, torch.tensor(9.0)) == pytest.approx(0, abs=1e-6)
    other = shares.roll(1, dims=-1)
    expected = (other * (other / shares).log()).sum(-1).mean()
    torch.testing.assert_close(teacher_loss(places, other, names, torch.tensor(9.0)), expected)


def test_prototypes_meet_their_own_names():
    names, classes = torch.eye(4), torch.tensor([2, 0])
    assert prototype_loss(7 * names[classes], classes, names, torch.tensor(100.0)) < 1e-6
    same = prototype_loss(torch.ones(2, 4), classes, names, torch.tensor(10.0))
    assert same == pytest.approx(math.log(4))


@pytest.fixture
def colour_teacher():
    rng = np.random.default_rng(0)
    spread = rng.normal(0, 1, (3000, 3)) * ColourClassifier.stretch.numpy()
    photos = [np.full((32, 32, 3), p) for p in ((spread * 30 + 127).clip(0, 255)).astype(np.uint8)]
    return ImageNetTeacher(ColourClassifier(), photos)


def test_made_up_features_are_of_their_class(colour_teacher):
    # Weights are longest where colours differ least; the means they stand for lie as colours are spread.
    length = colour_teacher.directions.diagonal()
    torch.testing.assert_close(length / length[0], ColourClassifier.stretch, atol=0.02, rtol=0.1)
    made, classes = colour_teacher.make_prototypes(np.random.default_rng(1), colour_teacher.centre[None])
    assert set(classes.tolist()) == {0, 1, 2}
    assert colour_teacher.shares(made).argmax(dim=-1).tolist() == classes.tolist()


def test_a_projection_is_fitted_to_what_the_classifier_knows(colour_teacher, monkeypatch):
    monkeypatch.setattr(imagenet, "FIT_STEPS", 60)
    monkeypatch.setattr(imagenet, "FIT_RATE", 0.03)
    torch.manual_seed(0)
    names = F.normalize(torch.randn(3, 16), dim=-1)
    head = torch.nn.Linear(3, 16, bias=False)
    seen = colour_teacher.seen

    def distance():
        with torch.no_grad():
            return teacher_loss(head(seen), colour_teacher.shares(seen), names, torch.tensor(20.0))

    before = distance()
    fit_projection(head, colour_teacher, names, 20.0, seed=0)
    assert distance() < 0.3 * before


def test_names_move_apart_where_classes_look_different(colour_teacher, monkeypatch):
    monkeypatch.setattr(imagenet, "FIT_STEPS", 60)
    monkeypatch.setattr(imagenet, "FIT_RATE", 0.03)
    torch.manual_seed(0)
    alike = torch.randn(16)
    names = F.normalize(alike + 0.3 * torch.randn(3, 16), dim=-1)  # sentences that say nearly the same
    found = {}
    for share in (0.0, 0.4):
        head = torch.nn.Linear(3, 16, bias=False)
        met = meet_names(head, colour_teacher, names, share, 20.0, seed=0)
        with torch.no_grad():
            own = F.normalize(head(colour_teacher.class_features()), dim=-1) @ met.T
        found[share] = (met, F.cross_entropy(20 * own, torch.arange(3)))
    torch.testing.assert_close(found[0.0][0], names)
    met, loss = found[0.4]
    assert loss < 0.5 * found[0.0][1]
    torch.testing.assert_close(met.norm(dim=-1), torch.ones(3))
    assert 0.5 < (met * names).sum(dim=-1).min() < 0.99


def test_names_of_the_classifier_are_moved_once(
    tiny_imagenet, tiny_align, pretrained, tmp_path, monkeypatch, interrupt
):
    words = train_task(AlignTask, tiny_align(), show_progress=False)
    asked = []

    def move(text, tokenizer, targets, class_words, config):
        asked.append(targets)
        with torch.no_grad():
            text.positional_embedding += 1
        return {"moved_names": 0.5}

    monkeypatch.setattr(task, "move_names", move)
    config = tiny_imagenet(words=str(words), output=str(tmp_path / "moved"), name_shift=0.6)
    interrupt(lambda: train_task(AlignTask, config, show_progress=False))
    moved = train_task(AlignTask, config, resume="latest", show_progress=False)
    (targets,) = asked
    assert set(targets) == {word.lower() for word in imagenet_words()}
    old, new = (load_file(folder / WEIGHTS_FILE)["positional_embedding"] for folder in (words, moved))
    torch.testing.assert_close(new, old + 1, atol=2e-3, rtol=2e-3)
    assert json.loads((moved.parent / WORDS_FILE).read_text("utf-8")) == {"moved_names": 0.5}
    with pytest.raises(ConfigError, match="name_shift"):
        tiny_imagenet(name_shift=1.0)


def test_a_pretrained_trunk_learns_but_for_its_first_stages_and_statistics(tiny_imagenet, pretrained):
    folder = train_task(AlignTask, tiny_imagenet(learning_rate=0.01, ema=0.0), show_progress=False)
    # The file's own: batch norms of a loaded encoder are folded into its convolutions.
    saved = load_file(folder / WEIGHTS_FILE)
    mine = (name for name in saved if name.startswith("visual.trunk."))
    after = {name.removeprefix("visual.trunk."): saved[name].float() for name in mine}
    before = pretrained.state_dict()
    assert after.keys() == {name for name in before if not name.startswith("classifier.")}
    for name, value in after.items():
        kept = name.startswith(("conv_stem.", "bn1.", "blocks.0.", "blocks.1.")) or "running" in name
        if kept:
            torch.testing.assert_close(value, before[name].half().to(value.dtype))
        elif name == "conv_head.weight":
            assert not torch.allclose(value, before[name], atol=1e-4)


def test_a_share_of_what_the_tower_began_with_is_kept(tiny_imagenet, pretrained, tmp_path, interrupt):
    """Also when the run was interrupted: what it began with is read again."""
    config = tiny_imagenet(learning_rate=0.01, ema=0.0, blend=0.25, steps=3)
    interrupt(lambda: train_task(AlignTask, config, show_progress=False))
    folder = train_task(AlignTask, config, resume="latest", show_progress=False)
    begun, saved = load_file(folder.parent / BEGUN_FILE), load_file(folder / WEIGHTS_FILE)
    trained = load_state(folder.parent)["average"]
    name = "encoder.visual.head.proj.weight"
    expected = 0.75 * begun[name] + 0.25 * trained[name]
    assert not torch.allclose(begun[name], trained[name], atol=1e-3)
    torch.testing.assert_close(saved[name.removeprefix("encoder.")].float(), expected, atol=1e-3, rtol=1e-3)
    (folder.parent / BEGUN_FILE).unlink()
    with pytest.raises(CheckpointError, match="--blend 1"):
        AlignTask(config, Backend("cpu"), resume=True)


def test_a_run_that_has_ended_is_measured_and_saved_with_another_share(tiny_imagenet, pretrained):
    config = tiny_imagenet(learning_rate=0.01, ema=0.0, blend=0.25, steps=2, validate_every=1, save_every=1)
    folder = train_task(AlignTask, config, show_progress=False)
    log = folder.parent / "log.csv"
    rows, begun = len(log.read_text().splitlines()), load_file(folder.parent / BEGUN_FILE)
    train_task(AlignTask, dataclasses.replace(config, blend=0.0001), resume="latest", show_progress=False)
    assert len(log.read_text().splitlines()) == rows + 1
    name = "visual.head.proj.weight"
    saved = load_file(folder / WEIGHTS_FILE)[name].float()
    torch.testing.assert_close(saved, begun[f"encoder.{name}"], atol=1e-3, rtol=1e-3)


def test_validation_measures_the_blend(tiny_imagenet, pretrained):
    made = AlignTask(tiny_imagenet(blend=0.5), Backend("cpu", bf16=False))
    weight = made.model.encoder.visual.head.proj.weight
    with torch.no_grad():
        begun = weight.clone()
        weight += 1
    made.validate()
    torch.testing.assert_close(weight, begun + 0.5)


def test_the_trunk_learns_at_a_lower_rate(tiny_imagenet, pretrained):
    made = AlignTask(tiny_imagenet(trunk_rate=0.25), Backend("cpu", bf16=False))
    learner = made.learners["model"]
    learner.set_rate(0.4)
    trunk = {id(p) for p in made.model.trunk.parameters()}
    rates = {id(p): group["lr"] for group in learner.optimiser.param_groups for p in group["params"]}
    trained = [p for p in made.model.parameters() if p.requires_grad]
    assert rates.keys() == {id(p) for p in trained}
    assert {rates[id(p)] for p in trained if id(p) in trunk} == {0.1}
    assert {rates[id(p)] for p in trained if id(p) not in trunk} == {0.4}


def test_photos_that_nothing_names_are_taught_by_the_classifier(tiny_imagenet, pretrained, named_folder):
    assert sorted(p.word or "" for p in load_named([named_folder], all_photos=True)) == [
        "", "bird", "dungeness crab",
    ]  # fmt: skip
    made = AlignTask(tiny_imagenet(batch=1, named_batch=1, named_weight=0.0), Backend("cpu", bf16=False))
    made.named = [photo for photo in made.named if photo.word is None] or made.named
    batches = made.loader(0, 0)
    _, batch = next(batches)
    batches.close()
    assert batch["labelled"].tolist() == [True, False]
    alone = {name: value[1:] for name, value in batch.items()}
    made.loss(alone, 0).backward()
    head = made.model.encoder.visual.head.proj.weight.grad
    assert head is not None and head.abs().sum() > 0


def test_the_words_of_another_encoder_are_kept(tiny_imagenet, tiny_align, pretrained, tmp_path, monkeypatch):
    first = train_task(AlignTask, tiny_align(), show_progress=False)
    monkeypatch.setattr(task, "MiniLm", lambda: pytest.fail("the words are there already"))
    config = tiny_imagenet(output=str(tmp_path / "second"), words=str(first))
    second = train_task(AlignTask, config, show_progress=False)
    old, new = (build_semantic_encoder(SemanticConfig(str(f), keep_text=True)).text for f in (first, second))
    for name, value in old.state_dict().items():
        if name != "logit_scale":
            torch.testing.assert_close(new.state_dict()[name], value)
    with pytest.raises(ConfigError, match="--text-width"):
        AlignTask(tiny_imagenet(words=str(first), text_width=64, output=str(tmp_path / "x")), Backend("cpu"))
    with pytest.raises(ConfigError, match="open_clip_model"):
        AlignTask(tiny_imagenet(words=str(tmp_path), output=str(tmp_path / "y")), Backend("cpu"))
    with pytest.raises(ConfigError, match="--words"):
        tiny_imagenet(words=str(first), start=str(first))
