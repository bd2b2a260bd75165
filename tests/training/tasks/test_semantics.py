import dataclasses
import json
import math

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from sair_core.config import to_dict
from sair_core.encoders import semantic
from sair_core.encoders.semantic import SemanticConfig
from sair_core.errors import ConfigError, DataError, LabelError
from sair_core.models import presets
from sair_core.models.load import load_model
from sair_core.models.sair import Part, Sair, SairConfig
from sair_core.models.sir import SirConfig
from sair_core.photos.folders import Classes
from sair_core.pipeline import InpaintPipeline
from sair_core.training.__main__ import main
from sair_core.training.backend import Backend
from sair_core.training.config import TrainConfig
from sair_core.training.loop import train
from sair_core.training.tasks.sair import SairLoss, SairTask
from sair_core.training.tasks.semantics import SemanticSupervision

CLASSES = Classes(("sky", "grass"), ((), ()))


@pytest.fixture
def config(tiny_clip_folder):
    unet = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1], "context_blocks": 1, "heads": 2, "out_channels": 8}
    return SairConfig(
        Part("unet", unet),
        Part("liif", {"hidden": 16}),
        semantic=SemanticConfig(str(tiny_clip_folder), upsample=2.0, keep_text=True),
        sir=SirConfig(hidden=16, context_blocks=1, context_width=16, heads=2),
        initial_fill="pull_push",
    )


@pytest.fixture
def batch():
    torch.manual_seed(0)
    hole = torch.zeros(2, 1, 32, 32)
    hole[..., 8:24, 8:24] = 1
    ids = torch.full((2, 40), 255)
    ids[0] = 1
    return {
        "rgb01": torch.rand(2, 3, 32, 32),
        "hole01": hole,
        "coords_yx": torch.rand(2, 40, 2) - 0.5,
        "ids": ids,
    }


def test_a_perfect_meaning_costs_nothing(config, batch):
    model = Sair(config)
    supervision = SemanticSupervision(model, None, queries=20)
    target = supervision.embed(batch["rgb01"])
    features = model.encode(batch["rgb01"], batch["hole01"])
    distance, labels = supervision.losses(features, target, batch)
    assert distance > 0.01 and labels == 0

    model.decode_semantics = lambda features, coords: torch.nn.functional.grid_sample(
        target, coords.flip(-1)[:, :, None], align_corners=False, padding_mode="border"
    )[..., 0].transpose(1, 2)
    assert supervision.losses(features, target, batch)[0].abs() < 1e-5


def test_an_oracle_s_semantics_are_those_of_the_whole_photo(config, batch):
    torch.manual_seed(0)
    model = Sair(config)
    supervision = SemanticSupervision(model, None, 20)
    given = {"data": ("x",), "output": "x", "semantic_weight": 0.0, "label_weight": 0.0, "guide_share": 0.0}
    losses = {}
    for oracle in (False, True):
        words = supervision.embed(batch["rgb01"]) if oracle else None
        features = model.encode(batch["rgb01"], batch["hole01"], words=words)
        cell = torch.full((2, 2), 2 / 32)
        target = {**batch, "cell": cell, "target01": torch.zeros(2, 40, 3)}
        expected = model.decode(features, batch["coords_yx"], cell).abs().mean()
        loss = SairLoss(model, supervision, TrainConfig(**given, oracle=oracle))
        losses[oracle] = loss(target, 0).item()
        assert losses[oracle] == pytest.approx(expected.item(), rel=1e-5)
        assert loss.colour_losses == [pytest.approx(losses[oracle])]
    assert losses[True] != losses[False]


def test_the_teacher_sees_what_the_hole_hides_and_is_not_trained(config, batch):
    model = Sair(config)
    target = SemanticSupervision(model, None, 20).embed(batch["rgb01"])
    masked = model.semantic_encoder(batch["rgb01"] * (1 - batch["hole01"]), batch["hole01"])
    assert not target.requires_grad and not torch.allclose(target, masked)


def test_classes_are_asked_where_they_are_known(config, batch):
    model = Sair(config)
    supervision = SemanticSupervision(model, CLASSES, queries=20)
    features = model.encode(batch["rgb01"], batch["hole01"])
    vectors = supervision.names[1].expand(2, 20, -1)
    model.decode_semantics = lambda features, coords: vectors
    right = supervision.losses(features, supervision.embed(batch["rgb01"]), batch)[1]
    batch["ids"][0] = 0
    assert supervision.losses(features, supervision.embed(batch["rgb01"]), batch)[1] > right


def test_words_are_the_truths_map_or_one_vector_a_photo(config, batch):
    supervision = SemanticSupervision(Sair(config), CLASSES, queries=20)
    target = supervision.embed(batch["rgb01"])
    found = [supervision.draw_guidance(np.random.default_rng(i), target, batch) for i in range(12)]
    assert {tuple(w.shape) for w in found} == {tuple(target.shape), (2, 16)}
    single = next(w for w in found if w.ndim == 2)
    torch.testing.assert_close(single[0], supervision.names[1])  # its hole is grass
    inside = (target[1] * batch["hole01"][1].new_ones(1)).mean((1, 2))
    assert torch.nn.functional.cosine_similarity(single[1], inside, dim=0) > 0.5


@pytest.mark.parametrize("semantics", ["full", "none", "unfilled", "only"])
def test_every_form_trains_by_the_same_command(tiny_run, config, monkeypatch, semantics, tmp_path):
    monkeypatch.setitem(presets.PRESETS, "tiny", config)
    run = tiny_run(preset="tiny", semantics=semantics, guide_share=0.5, size_px=64, final_size_px=64, steps=3)
    before = Sair(presets.preset("tiny", semantics=semantics)).own_state()
    model = load_model(train(run, show_progress=False))
    assert model.config.semantics == semantics and to_dict(model.config)["semantic"]["keep_text"]
    assert before.keys() == model.own_state().keys() and not [k for k in before if "semantic_encoder" in k]


def test_the_sir_can_be_trained_alone(tiny_run, config, monkeypatch, tmp_path):
    monkeypatch.setitem(presets.PRESETS, "tiny", config)
    sizes = dict(preset="tiny", size_px=64, final_size_px=64, steps=3, ema=0.0)
    first = train(tiny_run(**sizes), show_progress=False)
    again = tiny_run(**sizes, start=str(first), sir_only=True, output=str(tmp_path / "again"))
    before = load_model(first).own_state()
    after = load_model(train(again, show_progress=False)).own_state()
    changed = {
        name.partition(".")[0] for name, value in after.items() if not torch.equal(value, before[name])
    }
    assert changed == {"sir"}
    with pytest.raises(ConfigError, match="--sir-only"):
        alone = tiny_run(**sizes, semantics="none", sir_only=True, output=str(tmp_path / "none"))
        SairTask(alone, Backend("cpu", bf16=False))


def test_resumed_equals_uninterrupted_with_words_and_labels(tiny_run, config, monkeypatch, train_in_parts):
    monkeypatch.setitem(presets.PRESETS, "tiny", config)
    fields = dict(preset="tiny", guide_share=0.5, size_px=64, final_size_px=64, steps=4, final_share=0.0)
    whole, parts = train_in_parts(lambda **changes: tiny_run(**fields, **changes))
    one, other = (state["learners"]["model"]["model"] for state in (whole, parts))
    assert all(torch.equal(other[k], v) for k, v in one.items())


def test_label_maps_are_used_where_the_folder_has_classes(
    tiny_run, config, photo_folder, monkeypatch, tmp_path
):
    monkeypatch.setitem(presets.PRESETS, "tiny", config)
    classes = {"classes": [{"id": 0, "name": "sky"}, {"id": 1, "name": "grass"}]}
    (photo_folder / "classes.json").write_text(json.dumps(classes))
    Image.fromarray(np.ones((90, 120), np.uint8)).save(photo_folder / "p3.png")
    task = SairTask(tiny_run(preset="tiny"), Backend("cpu", bf16=False))
    assert task.semantics.names.shape == (2, 16)
    assert sum(p.ids is not None for p in task.photos) >= 1
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (90, 90)).save(other / "a.jpg")
    (other / "classes.json").write_text(json.dumps({"classes": [{"id": 0, "name": "sea"}]}))
    with pytest.raises(DataError, match="other classes"):
        run = tiny_run(preset="tiny", data=(str(photo_folder), str(other)))
        SairTask(run, Backend("cpu", bf16=False))


def test_an_encoder_that_knows_no_words_trains_and_fills(tiny_run, monkeypatch, config):
    monkeypatch.setattr(semantic, "fetch", lambda *_: timm.create_model("test_resnet", num_classes=0))
    monkeypatch.setitem(presets.PRESETS, "tiny", dataclasses.replace(config, semantics="full"))
    folder = train(tiny_run(preset="tiny", encoder="test_resnet"), show_progress=False)
    model = load_model(folder)
    assert model.config.semantic == SemanticConfig("timm:test_resnet") and model.sir.embed_dim == 96
    pipe = InpaintPipeline(model, device="cpu", texture=False)
    photo, mask = np.full((64, 64, 3), 90, np.uint8), np.zeros((64, 64), bool)
    mask[20:40, 20:40] = True
    assert pipe.fill(photo, mask).photo.size_px == (64, 64)
    with pytest.raises(LabelError, match="cannot be told to fill with 'sky'"):
        pipe.fill(photo, mask, words="sky")
    assert pipe.reader.encoder.text is not None  # words are read by the bundled encoder


def test_an_encoder_that_cannot_be_had_names_the_option(photo_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sair_core.weights.network._is_there", lambda url: False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    for name in ("samvit_base_patch16", "ViT-B-16"):
        arguments = ["--preset", "paper", "--encoder", name, "--output", str(tmp_path / name)]
        assert main(["--data", str(photo_folder), "--device", "cpu", *arguments]) == 2
        assert "--encoder sair-clip" in capsys.readouterr().err


def test_a_step_that_went_wrong_is_in_no_figure(tiny_run, monkeypatch):
    task = SairTask(tiny_run(preset="tiny"), Backend("cpu", bf16=False))
    _, batch = next(task.loader(0, 0))
    task.step(batch, 0)
    colours = list(task.colours)

    def diverge(loss, optimiser, batch, first_sample, *, clip_norm):
        loss(batch, first_sample)
        return math.nan

    monkeypatch.setattr(task.backend, "optimise", diverge)
    assert math.isnan(task.step(batch, 0)) and len(colours) == 1
    assert task.colours == colours and not task.sair_loss.colour_losses
