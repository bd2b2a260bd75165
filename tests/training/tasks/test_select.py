import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sair_core.errors import ConfigError, DataError
from sair_core.models.selection import CHANNELS, Meaning, SelectionNet
from sair_core.training.__main__ import main
from sair_core.training.backend import Backend
from sair_core.training.card import model_card
from sair_core.training.config import SelectionTrainConfig
from sair_core.training.loop import train
from sair_core.training.tasks import select
from sair_core.training.tasks.select import (
    ReadPhoto,
    SelectionTask,
    SelectionValidation,
    SquareSamples,
    draw_point,
    draw_square,
    selection_loss,
)
from tests.training.states import load_state

SIZE = (96, 128)
BOX = slice(24, 72), slice(40, 88)


def box_photo() -> tuple[np.ndarray, np.ndarray]:
    """A red box on green, and where it is."""
    rgb = np.full((*SIZE, 3), (60, 120, 50), np.uint8)
    rgb[BOX] = (200, 40, 30)
    return rgb, rgb[..., 0] > 100


@pytest.fixture(scope="module")
def photo() -> ReadPhoto:
    """That photo, whose meaning is its colour."""
    rgb, mask = box_photo()
    return ReadPhoto(rgb, by_colour(None, rgb), [mask])


def by_colour(_, rgb):
    kind = torch.from_numpy(rgb[8::16, 8::16, 0] > 100).half()
    return Meaning(*[torch.stack([kind, 1 - kind])] * 2, 1)


@pytest.fixture
def box_folder(tmp_path):
    """Four of them with label maps, one turned as a camera held upright writes it, its map beside it."""
    folder = tmp_path / "boxes"
    folder.mkdir()
    rgb, mask = box_photo()
    for i in range(4):
        shown = rgb + np.uint8(i)  # the same photo twice would count once
        picture, exif = Image.fromarray(np.rot90(shown) if i == 0 else shown), Image.Exif()
        exif[0x0112] = 6 if i == 0 else 1
        picture.save(folder / f"{i}.jpg", exif=exif, quality=95)
        ids = mask.astype(np.uint8)
        Image.fromarray(np.rot90(ids) if i == 0 else ids).save(folder / f"{i}.png")
    classes = [{"id": 0, "name": "grass", "synonyms": []}, {"id": 1, "name": "car", "synonyms": []}]
    (folder / "classes.json").write_text(json.dumps({"classes": classes}))
    return folder


@pytest.fixture
def selection_run(box_folder, tmp_path, monkeypatch):
    """A run of seconds: `by_colour` plays the encoder's part, and few squares are validated."""
    monkeypatch.setattr(select, "read_meaning", by_colour)
    monkeypatch.setattr(select, "VALIDATED", 8)

    def make(**changes):
        fields = dict(
            data=(str(box_folder),), output=str(tmp_path / "run"), device="cpu", size_px=32, final_size_px=32,
            batch=2, steps=4, warmup_steps=2, validate_every=2, save_every=2, val_share=0.3,
        )  # fmt: skip
        return SelectionTrainConfig(**{**fields, **changes})

    return make


def test_a_square_shows_an_object_where_it_is(photo):
    rng = np.random.default_rng(0)
    for _ in range(20):
        square = draw_square([photo], 64, rng)
        rgb01, mask = square["rgb01"], square["mask"][0].numpy() > 0
        assert rgb01.shape == (3, 64, 64) and 0.01 <= mask.mean() <= 0.98 and square["things"] == 1
        if not torch.equal(rgb01[0], rgb01[1]):  # which is so where it has lost its colours
            assert ((rgb01[0] > rgb01[1]).numpy() != mask).mean() < 0.08
        middle = square["shares"][0].numpy() > 0.5
        enlarged = np.asarray(Image.fromarray(middle).resize((64, 64), Image.Resampling.NEAREST))
        assert (enlarged != mask).mean() < 0.35


def test_samples_depend_on_their_number_and_the_seed(photo):
    samples = SquareSamples([photo], 32, seed=3)
    again, other = SquareSamples([photo], 32, seed=3), SquareSamples([photo], 32, seed=4)
    for name, value in samples[5].items():
        assert torch.equal(value, again[5][name])
    assert not torch.equal(samples[5]["rgb01"], samples[6]["rgb01"])
    assert not torch.equal(samples[5]["rgb01"], other[5]["rgb01"])


def test_points_lie_inside():
    region = np.zeros((20, 20), bool)
    region[4:9, 3:17] = True
    rng = np.random.default_rng(0)
    points = np.array([draw_point(region, rng) for _ in range(50)])
    inside = region[points[:, 1].astype(int), points[:, 0].astype(int)]
    assert inside.all() and len(np.unique(points, axis=0)) > 5


def test_a_further_click_is_where_it_was_wrong(selection_run, monkeypatch):
    """Of a network that selects everything: outside of the object, whatever was clicked before."""
    task, seen = SelectionTask(selection_run(), Backend("cpu", bf16=False)), []
    _, batch = next(task.loader(0, 0))
    monkeypatch.setattr(select, "ROUNDS", (0, 0, 0, 1.0))
    monkeypatch.setattr(task, "select", lambda maps: np.ones(maps[:, 0].shape, bool))
    monkeypatch.setattr(
        select, "_stack", lambda batch, clicks: seen.append(clicks) or torch.zeros(2, 1, 32, 32)
    )
    task.click(batch, np.random.default_rng(0))
    for clicks, mask in zip(seen[-1], batch["mask"][:, 0].numpy() > 0):
        assert [inside for _, _, inside in clicks] == [True, False, False, False]
        assert all(mask[int(y), int(x)] == inside for x, y, inside in clicks)


def test_clicks_depend_on_the_generator(selection_run):
    task = SelectionTask(selection_run(), Backend("cpu", bf16=False))
    _, batch = next(task.loader(0, 0))
    maps = task.click(batch, np.random.default_rng(3))
    assert maps.shape == (2, CHANNELS, 32, 32)
    assert torch.equal(maps, task.click(batch, np.random.default_rng(3)))
    assert not torch.equal(maps, task.click(batch, np.random.default_rng(4)))


def test_the_loss_is_nothing_where_all_is_right():
    wanted = torch.zeros(1, 1, 8, 8)
    wanted[..., 2:5, 2:5] = 1
    assert selection_loss(100 * (wanted - 0.5), wanted) < 0.01
    assert selection_loss(-100 * (wanted - 0.5), wanted) > 10


def test_validation_measures_what_is_selected(photo, selection_run, monkeypatch):
    task = SelectionTask(selection_run(), Backend("cpu", bf16=False))
    validation = SelectionValidation([photo], 32, seed=0)
    assert len(validation.squares) == 8
    masks = iter([square["mask"].numpy() > 0 for square in validation.squares])
    monkeypatch.setattr(task, "select", lambda maps: next(masks))
    figures, picture = validation(task)
    assert figures == {"iou_1": 1.0, "iou_3": 1.0} and picture.size == (8 * 32, 4 * 32)
    monkeypatch.setattr(task, "select", lambda maps: np.ones((1, 32, 32), bool))
    shares = [square["mask"].mean().item() for square in validation.squares]
    assert validation(task)[0] == pytest.approx({"iou_1": np.mean(shares), "iou_3": np.mean(shares)})


def test_it_learns(selection_run, tmp_path):
    folder = train(selection_run(steps=60, validate_every=60, ema=0.8), show_progress=False)
    log = (tmp_path / "run" / "log.csv").read_text().splitlines()
    names = log[0].split(",")
    figures = [dict(zip(names, line.split(","))) for line in log[1:]]
    ious = [float(row["iou_1"]) for row in figures if row["iou_1"]]
    assert ious[-1] > ious[0] + 0.2
    assert isinstance(SelectionNet.from_pretrained(folder), SelectionNet)


def test_interrupted_and_resumed_is_uninterrupted(selection_run, train_in_parts):
    train_in_parts(selection_run)


def test_it_begins_with_the_weights_of_another(selection_run, tmp_path):
    config = selection_run(start="sair-select")
    task = SelectionTask(config, Backend("cpu", bf16=False))
    bundled = SelectionNet.from_pretrained(Path("assets/models/sair-select")).state_dict()
    assert all(torch.equal(value, bundled[name]) for name, value in task.model.state_dict().items())


def test_photos_to_validate_with_have_their_labels(selection_run, box_folder):
    task = SelectionTask(selection_run(val=(str(box_folder),)), Backend("cpu", bf16=False))
    assert len(task.photos) == 4 and len(task.validation.squares) == 8


def test_it_is_trained_elsewhere(selection_run, elsewhere, monkeypatch):
    monkeypatch.setattr(select.SemanticReader, "from_pretrained", lambda *_, **__: None)
    state = SelectionNet.from_pretrained(train(selection_run(), show_progress=False)).state_dict()
    assert all(torch.isfinite(value).all() for value in state.values())


def test_the_command_and_its_card(box_folder, tmp_path, capsys, monkeypatch):
    """With the bundled encoder."""
    monkeypatch.setattr(select, "VALIDATED", 2)
    out = tmp_path / "cli"
    options = ["--model", "select", "--data", str(box_folder), "--output", str(out), "--device", "cpu",
               "--size-px", "32", "--final-size-px", "32", "--batch", "1", "--steps", "1"]  # fmt: skip
    assert main(options) == 0
    said = capsys.readouterr().out
    assert f"sair evaluate selection --data PHOTOS --model {out / 'model'}" in said
    assert isinstance(SelectionNet.from_pretrained(out / "model"), SelectionNet)
    assert main(["--resume", "--output", str(out), "--steps", "2"]) == 0
    assert load_state(out)["progress"]["step"] == 2
    card = model_card(out, "me/touch")
    assert "Selects the object under points" in card and "--model me/touch" in card
    assert (
        "pipeline_tag: image-segmentation" in card and "trained from nothing" in card and "| iou_1 |" in card
    )


def test_photos_without_objects_are_refused(selection_run, box_folder):
    for path in box_folder.glob("*.png"):
        Image.fromarray(np.zeros_like(np.asarray(Image.open(path)))).save(path)
    with pytest.raises(DataError, match="No photo shows an object"):
        SelectionTask(selection_run(), Backend("cpu", bf16=False))
    (box_folder / "classes.json").unlink()
    with pytest.raises(DataError, match=r"no classes\.json"):
        SelectionTask(selection_run(), Backend("cpu", bf16=False))


@pytest.mark.parametrize(
    "wrong", [{"minutes": 0}, {"learning_rate": -1}, {"size_px": 100}, {"preset": "lite"}]
)
def test_wrong_configurations(wrong):
    with pytest.raises(ConfigError):
        SelectionTrainConfig(data=(".",), output="out", **wrong)
