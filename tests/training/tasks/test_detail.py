import csv
import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from sair_core.coords import cell_of, grid_coords
from sair_core.errors import ConfigError
from sair_core.models.detail import DetailConfig
from sair_core.models.load import load_model
from sair_core.models.parts import Part
from sair_core.models.presets import PRESETS, preset
from sair_core.models.sair import Sair
from sair_core.photos.photo import load_photo
from sair_core.training.__main__ import main
from sair_core.training.backend import Backend
from sair_core.training.config import DetailTrainConfig
from sair_core.training.data.photos import TrainPhoto
from sair_core.training.loop import train
from sair_core.training.tasks.detail import DetailTask, FinerSamples
from sair_core.window import Window
from sair_core.zoom.cache import FeatureCache
from sair_core.zoom.function import PhotoFunction
from tests.training.states import load_state

SMALL = DetailConfig(
    Part("edsr", {"out_channels": 16, "blocks": 1}), Part("liif", {"hidden": 24, "layers": 3})
)


@pytest.fixture
def edges_folder(tmp_path):
    """Photos of sharp shapes, which interpolation blurs."""
    folder = tmp_path / "edges"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(6):
        picture = Image.new("RGB", (400, 400), tuple(rng.integers(0, 256, 3).tolist()))
        draw = ImageDraw.Draw(picture)
        for _ in range(700):
            (x, y), r = rng.integers(0, 400, 2), rng.integers(5, 20)
            draw.ellipse((x - r, y - r, x + r, y + r), tuple(rng.integers(0, 256, 3).tolist()))
        picture.resize((200, 200), Image.Resampling.BICUBIC).save(folder / f"e{i}.png")
    return folder


@pytest.fixture
def detail_run(edges_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "lite", dataclasses.replace(PRESETS["tiny"], detail=SMALL))

    def make(**changes):
        fields = dict(
            data=(str(edges_folder),), output=str(tmp_path / "run"), device="cpu", bf16=False, size_px=24,
            final_size_px=24, batch=4, queries=256, steps=4, warmup_steps=2, workers=0, validate_every=2,
            save_every=2, val_share=0.3,
        )  # fmt: skip
        return DetailTrainConfig(**{**fields, **changes})

    return make


def test_training_scores_what_a_view_shows(detail_run, bird):
    task = DetailTask(detail_run(), Backend("cpu", bf16=False))
    torch.nn.init.normal_(task.model.detail.decoder.last.weight, std=0.2)
    rgb, window = np.asarray(bird)[100:148, 200:248], Window.whole((48, 48), 3.0)
    options = {"device": torch.device("cpu"), "bf16": False, "key": b"one"}
    shown = PhotoFunction(task.model, load_photo(rgb), FeatureCache(), **options).colours(window)
    coords = grid_coords((144, 144))
    inner = slice(9, -9)  # the photo goes on beyond its border by repetition in both, a little differently
    batch = {
        "rgb01": torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None] / 255,
        "coords_yx": coords[inner, inner].reshape(1, -1, 2),
        "cell": cell_of((144, 144))[None],
        "target01": shown[inner, inner].reshape(1, -1, 3),
    }
    with torch.no_grad():
        assert task.loss(batch, 0) < 5e-4
        torch.nn.init.zeros_(task.model.detail.decoder.last.weight)
        assert task.loss(batch, 0) > 5e-3


def test_it_learns_and_leaves_the_rest_to_the_bit(detail_run, tmp_path):
    before = Sair(dataclasses.replace(PRESETS["tiny"]))
    before.save_pretrained(tmp_path / "base")
    config = detail_run(start=str(tmp_path / "base"), steps=150, learning_rate=4e-3, validate_every=150)
    after = load_model(train(config, show_progress=False))
    assert after.config == dataclasses.replace(before.config, detail=SMALL)
    for key, value in before.state_dict().items():
        assert torch.equal(after.state_dict()[key], value.half().float())
    log = (tmp_path / "run" / "log.csv").read_text().splitlines()
    rows = [row for row in csv.DictReader(log) if row["over"]]
    assert abs(float(rows[0]["over"])) < 0.05  # untrained it is Lanczos
    assert float(rows[-1]["over"]) > 0.05 and float(rows[-1]["over_x2"]) > 0.05


def test_a_fill_training_leaves_the_detail_alone(tiny_run, monkeypatch):
    monkeypatch.setitem(PRESETS, "lite", dataclasses.replace(PRESETS["tiny"], detail=SMALL))
    torch.manual_seed(0)
    fresh = Sair(preset("lite")).detail.state_dict()
    found = load_model(train(tiny_run(), show_progress=False)).detail.state_dict()
    assert all(torch.equal(v, fresh[k].half().float()) for k, v in found.items())


def test_interrupted_and_resumed_is_uninterrupted(detail_run, train_in_parts):
    train_in_parts(detail_run)


def test_samples_are_the_photos_own_pixels():
    rng = np.random.default_rng(1)
    photos = [TrainPhoto(rng.integers(0, 256, size, dtype=np.uint8)) for size in ((90, 200, 3), (20, 70, 3))]
    samples = FinerSamples(photos, 24, 64, 4.0, seed=3)
    specs = [samples[i][0] for i in range(60)]
    assert {p.photo for p in specs} == {0, 1} and len(samples[0][0].queries) == 64
    for spec in specs:
        height, width = photos[spec.photo].rgb.shape[:2]
        assert spec.top + spec.side <= height and spec.left + spec.side <= width
        assert spec.side == min(spec.fine_px, 20 if spec.photo else 90) and not spec.mask.any()
        assert 24 <= spec.fine_px <= (24 if spec.photo else 90) and spec.queries.max() < spec.fine_px**2
    assert samples[7][0].top == FinerSamples(photos, 24, 64, 4.0, seed=3)[7][0].top


def test_the_command_and_what_it_refuses(detail_run, edges_folder, tmp_path, capsys, monkeypatch):
    options = ["--model", "detail", "--data", str(edges_folder), "--device", "cpu", "--size-px", "24",
               "--batch", "2", "--queries", "32", "--workers", "0", "--steps", "1"]  # fmt: skip
    assert main([*options, "--output", str(tmp_path / "cli")]) == 0
    assert load_model(tmp_path / "cli" / "model").config.detail == SMALL
    assert main(["--resume", "--output", str(tmp_path / "cli"), "--steps", "2"]) == 0
    assert load_state(tmp_path / "cli")["progress"]["step"] == 2
    monkeypatch.setitem(PRESETS, "lite", PRESETS["tiny"])
    with pytest.raises(ConfigError, match="no detail to train"):
        DetailTask(detail_run(), Backend("cpu", bf16=False))
    assert main([*options, "--output", str(tmp_path / "x"), "--from", str(tmp_path / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err
