import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sair_core.errors import ConfigError
from sair_core.models.selection import CHANNELS, Meaning, SelectionNet
from sair_core.training.selection import (
    ReadPhoto,
    SelectionTrainConfig,
    draw_batch,
    draw_point,
    draw_square,
    main,
    selection_loss,
)


@pytest.fixture(scope="module")
def photo() -> ReadPhoto:
    """A red box on green, whose meaning is its colour."""
    rgb = np.full((96, 128, 3), (60, 120, 50), np.uint8)
    rgb[24:72, 40:88] = (200, 40, 30)
    mask = rgb[..., 0] > 100
    kind = torch.from_numpy(mask[8::16, 8::16]).half()
    return ReadPhoto(rgb, Meaning(*[torch.stack([kind, 1 - kind])] * 2, 1), [mask])


def config(**values) -> SelectionTrainConfig:
    return SelectionTrainConfig(labelled=Path("."), output=Path("out"), batch=2, size_px=32, **values)


def test_a_square_shows_an_object_where_it_is(photo):
    rng = np.random.default_rng(0)
    for _ in range(20):
        square = draw_square([photo], 64, rng)
        assert square.rgb01.shape == (3, 64, 64) and 0.01 <= square.mask.mean() <= 0.98
        if not torch.equal(square.rgb01[0], square.rgb01[1]):  # which is so where it has lost its colours
            red = (square.rgb01[0] > square.rgb01[1]).numpy()
            assert (red != square.mask).mean() < 0.08
        middle = square.meaning.shares[0].numpy() > 0.5
        enlarged = np.asarray(Image.fromarray(middle).resize((64, 64), Image.Resampling.NEAREST))
        assert (enlarged != square.mask).mean() < 0.35


def test_points_lie_inside():
    region = np.zeros((20, 20), bool)
    region[4:9, 3:17] = True
    rng = np.random.default_rng(0)
    points = np.array([draw_point(region, rng) for _ in range(50)])
    assert (
        region[points[:, 1].astype(int), points[:, 0].astype(int)].all()
        and len(np.unique(points, axis=0)) > 5
    )


def test_batches_depend_on_the_seed(photo):
    def draw(seed):
        torch.manual_seed(0)
        return draw_batch([photo], SelectionNet().eval(), config(), np.random.default_rng(seed))

    maps, wanted = draw(3)
    assert maps.shape == (2, CHANNELS, 32, 32) and wanted.shape == (2, 1, 32, 32)
    assert torch.equal(maps, draw(3)[0]) and not torch.equal(maps, draw(4)[0])


def test_the_loss_is_nothing_where_all_is_right():
    wanted = torch.zeros(1, 1, 8, 8)
    wanted[..., 2:5, 2:5] = 1
    assert selection_loss(100 * (wanted - 0.5), wanted) < 0.01
    assert selection_loss(-100 * (wanted - 0.5), wanted) > 10


def test_the_command_trains(tmp_path, photo, capsys):
    turned = Image.fromarray(np.rot90(photo.rgb))  # as a camera held upright writes it, its map beside it
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "one.jpg", exif=exif)
    Image.fromarray(np.rot90(photo.objects[0]).astype(np.uint8)).save(tmp_path / "one.png")
    classes = [{"id": 0, "name": "grass", "synonyms": []}, {"id": 1, "name": "car", "synonyms": []}]
    (tmp_path / "classes.json").write_text(json.dumps({"classes": classes}))
    out = tmp_path / "model"
    arguments = ["--labelled", str(tmp_path), "--output", str(out), "--minutes", "0.01", "--batch", "1"]
    assert main(arguments) == 0
    assert str(out) in capsys.readouterr().out
    assert isinstance(SelectionNet.from_pretrained(out), SelectionNet)

    Image.fromarray(np.zeros((96, 128), np.uint8)).save(tmp_path / "one.png")
    assert main(arguments) == 2 and "shows no object" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [{"minutes": 0}, {"learning_rate": -1}, {"size_px": 100}])
def test_wrong_configurations(wrong):
    with pytest.raises(ConfigError):
        SelectionTrainConfig(labelled=Path("."), output=Path("out"), **wrong)
