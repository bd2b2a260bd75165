import json

import numpy as np
import pytest
from PIL import Image

from sair_core.evaluation.selection import (
    flood_around,
    iou,
    ious_after_clicks,
    main,
    region_around,
    select_regions,
)
from sair_core.models.selection import SelectionNet


def test_iou():
    a, b = np.array([[1, 1, 0, 0]], bool), np.array([[0, 1, 1, 0]], bool)
    assert iou(a, b) == pytest.approx(1 / 3) and iou(a, a) == 1


def test_regions_are_added_and_taken_away():
    ids = np.array([[0, 0, 1, 0], [2, 2, 1, 0]])
    assert region_around(ids, 0, 0).tolist() == [[True, True, False, False], [False] * 4]

    def select(points, labels):
        return select_regions(lambda row, column: region_around(ids, row, column), np.array(points), labels)

    assert select([(0.5, 0.5), (3.5, 1.5)], [True, True]).sum() == 4
    assert select([(0.5, 0.5), (2.5, 1.5), (0.5, 0.5)], [True, True, False]).tolist() == [
        [False, False, True, False],
        [False, False, True, False],
    ]


def test_flood_fill_stops_at_another_colour():
    rgb = np.full((4, 6, 3), 100, np.uint8)
    rgb[:, 3:] = (100, 100, 140)
    rgb[0, 0] = (110, 100, 100)
    assert flood_around(rgb, 1, 1).sum() == 12


def test_iou_stays_once_all_is_right():
    true = np.zeros((9, 9), bool)
    true[2:7, 2:7] = True
    assert ious_after_clicks(true, lambda *_: true) == [1, 1, 1]
    half = true & (np.arange(9) < 4)
    assert ious_after_clicks(true, lambda points, _: half if len(points) < 3 else true) == [0.4, 1, 1]


def test_the_command(tmp_path, capsys):
    rgb = np.full((64, 96, 3), (70, 130, 60), np.uint8)
    rgb[16:48, 24:72] = (200, 40, 30)
    ids = np.zeros((64, 96), np.uint8)
    ids[16:48, 24:72] = 1
    Image.fromarray(rgb).save(tmp_path / "one.jpg", quality=95)
    Image.fromarray(ids).save(tmp_path / "one.png")
    classes = [{"id": 0, "name": "grass", "synonyms": []}, {"id": 1, "name": "car", "synonyms": []}]
    (tmp_path / "classes.json").write_text(json.dumps({"classes": classes}))

    assert main(["--data", str(tmp_path), "--json", str(tmp_path / "out.json")]) == 0
    printed = capsys.readouterr().out
    for text in (
        "1 click",
        "3 clicks",
        "5 clicks",
        "points",
        "class under the click",
        "flood fill",
        "car (1)",
    ):
        assert text in printed
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["labels"] == ["car"] and content["ious"]["flood fill"][0][0] > 0.85

    turned = Image.fromarray(np.rot90(rgb))  # as a camera held upright writes it, its map beside it
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "one.jpg", quality=95, exif=exif)
    Image.fromarray(np.ascontiguousarray(np.rot90(ids))).save(tmp_path / "one.png")
    assert main(["--data", str(tmp_path), "--json", str(tmp_path / "turned.json")]) == 0
    assert json.loads((tmp_path / "turned.json").read_text())["ious"]["flood fill"][0][0] > 0.85

    SelectionNet().save_pretrained(tmp_path / "other")  # untrained
    arguments = ["--data", str(tmp_path), "--json", str(tmp_path / "other.json"), "--encoder", "sair-clip"]
    assert main([*arguments, "--model", str(tmp_path / "other")]) == 0
    ious = [json.loads((tmp_path / f"{name}.json").read_text())["ious"] for name in ("turned", "other")]
    assert ious[0]["flood fill"] == ious[1]["flood fill"] and ious[0]["points"] != ious[1]["points"]

    assert main(["--data", str(tmp_path), "--sheet", str(tmp_path / "sheet.png")]) == 0
    assert Image.open(tmp_path / "sheet.png").size == (1280, 320)
