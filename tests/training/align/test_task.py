import json
from functools import partial

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F

from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder
from sair_core.errors import ConfigError, MissingDependencyError
from sair_core.training.align import task
from sair_core.training.align.__main__ import main
from sair_core.training.align.loss import photo_loss, pixel_loss
from sair_core.training.align.task import AlignTask
from sair_core.training.backend import Backend
from sair_core.training.loop import train_task
from tests.training.states import load_state

align = partial(train_task, AlignTask)
NONE = (torch.zeros(0, 8), torch.zeros(3, 0, dtype=torch.bool))  # no distractors


def unit(*shape):
    return F.normalize(torch.randn(*shape), dim=1)


def test_pixel_loss_is_cross_entropy_over_the_known_pixels():
    torch.manual_seed(0)
    found, names = unit(2, 8, 4, 4), F.normalize(torch.randn(3, 8), dim=-1)
    ids = torch.randint(0, 3, (2, 4, 4))
    ids[0, :2] = 255
    loss = pixel_loss(found, ids, names, *NONE, torch.tensor(10.0), torch.ones(3))
    logits = 10 * torch.einsum("bdhw,nd->bnhw", found, names)
    torch.testing.assert_close(loss, F.cross_entropy(logits, ids, ignore_index=255))
    void = torch.full_like(ids, 255)
    assert pixel_loss(found, void, names, *NONE, torch.tensor(10.0), torch.ones(3)) == 0


def test_a_distractor_counts_unless_it_is_related():
    names = torch.eye(2, 8)
    found = names[0].view(1, 8, 1, 1).expand(1, 8, 2, 2)
    ids = torch.zeros(1, 2, 2, dtype=torch.long)
    distractor = F.normalize(names[:1] * 0.45 + torch.eye(8)[5:6], dim=-1)

    def loss(related):
        related = torch.tensor([[related], [False]])
        return pixel_loss(found, ids, names, distractor, related, torch.tensor(10.0), torch.ones(2))

    none = pixel_loss(found, ids, names, *NONE, torch.tensor(10.0), torch.ones(2))
    torch.testing.assert_close(loss(True), none)
    assert loss(False) > none + 0.002


def test_other_words_for_a_class_are_related_to_it(tiny_align, tmp_path):
    task = AlignTask(tiny_align(), Backend("cpu", bf16=False))
    words = task.words
    assert words.names.shape == (2, 16) and words.related.shape == (2, len(words.others))
    assert words.related[0, words.others.index("sky")] and words.related[1, words.others.index("grass")]
    drawn = [words.draw_names(np.random.default_rng(i))[0] for i in range(30)]
    clouds = sum(not torch.equal(d, words.names[0]) for d in drawn)
    assert 0 < clouds < 15


def test_photo_loss_asks_only_where_the_word_fits_best():
    torch.manual_seed(0)
    word, against = torch.eye(8)[:1], torch.eye(8)[2:5]
    good = torch.eye(8)[0].view(1, 8, 1, 1).expand(1, 8, 5, 4)
    mixed = good.clone()
    mixed[:, :, :, 1:] = torch.eye(8)[3].view(1, 8, 1, 1)
    scale = torch.tensor(10.0)
    torch.testing.assert_close(
        photo_loss(mixed, word, against, scale), photo_loss(good, word, against, scale)
    )
    assert photo_loss(mixed[..., 1:], word, against, scale) > 5


def test_a_run_leaves_an_open_clip_model_that_open_clip_loads(tiny_align, tmp_path):
    folder = align(tiny_align(), show_progress=False)
    run = tmp_path / "run"
    assert (
        folder == run / "model"
        and {"names", "held_words"} <= json.loads((run / "words.json").read_text()).keys()
    )
    assert (run / "validation" / "000000.png").exists() and "miou" in (run / "log.csv").read_text()
    clip, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    encoder = build_semantic_encoder(SemanticConfig(str(folder), keep_text=True))
    rgb = torch.rand(1, 3, 64, 96)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (encoder.image_mean, encoder.image_std))
    with torch.no_grad():
        pooled = clip.eval().encode_image((rgb - mean) / std)
        torch.testing.assert_close(encoder(rgb).mean((2, 3)), pooled, rtol=1e-4, atol=1e-5)
    assert encoder.image_mean == (0.485, 0.456, 0.406)


def test_it_learns_to_tell_sky_from_grass(tiny_align, tmp_path):
    align(
        tiny_align(steps=40, learning_rate=3e-3, ema=0.9, validate_every=40, save_every=40),
        show_progress=False,
    )
    rows = (tmp_path / "run" / "log.csv").read_text().splitlines()
    column = rows[0].split(",").index("accuracy")
    accuracies = [float(r.split(",")[column]) for r in rows[1:] if r.split(",")[column]]
    assert accuracies[-1] > 0.9


def test_interrupted_and_resumed_equals_uninterrupted(tiny_align, tmp_path, monkeypatch, interrupt):
    align(tiny_align(output=str(tmp_path / "whole"), steps=4), show_progress=False)
    interrupt(lambda: align(tiny_align(output=str(tmp_path / "parts"), steps=4), show_progress=False))
    monkeypatch.setattr(task, "MiniLm", lambda: pytest.fail("words are taught once"))
    align(tiny_align(output=str(tmp_path / "parts"), steps=4), resume="latest", show_progress=False)
    whole, parts = (load_state(tmp_path / run) for run in ("whole", "parts"))
    for one, other in (
        (whole["learners"]["model"]["model"], parts["learners"]["model"]["model"]),
        (whole["average"], parts["average"]),
    ):
        assert all(torch.equal(other[k], v) for k, v in one.items())


def test_from_keeps_the_words_and_trains_the_pictures_on(tiny_align, tmp_path, monkeypatch):
    first = align(tiny_align(), show_progress=False)
    monkeypatch.setattr(task, "MiniLm", lambda: pytest.fail("the words are there already"))
    config = tiny_align(output=str(tmp_path / "second"), start=str(first), steps=1)
    second = align(config, show_progress=False)
    old, new = (build_semantic_encoder(SemanticConfig(str(f), keep_text=True)) for f in (first, second))
    for name, value in old.text.state_dict().items():
        if name != "logit_scale":
            torch.testing.assert_close(new.text.state_dict()[name], value)
    assert not np.array_equal(*(next(e.visual.parameters()).detach().numpy() for e in (old, new)))


def test_command_line_explains_what_is_missing(tiny_align, labelled_folder, tmp_path, monkeypatch, capsys):
    def missing():
        raise MissingDependencyError("pip install -r requirements-align.txt")

    monkeypatch.setattr(task, "MiniLm", missing)
    options = ["--labelled", str(labelled_folder), "--output", str(tmp_path / "cli"), "--trunk", "resnet10t"]
    assert main([*options, "--no-imagenet", "--device", "cpu"]) == 2
    assert "requirements-align.txt" in capsys.readouterr().err
    assert main(["--labelled", str(tmp_path), "--output", str(tmp_path / "x")]) == 2
    assert "classes.json" in capsys.readouterr().err


@pytest.mark.parametrize("changes", [{"labelled": ()}, {"enlarge": (2.0, 1.0)}, {"steps": 0}, {"ema": 1.0}])
def test_configurations_are_checked(tiny_align, changes):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        tiny_align(**changes)
