"""Figures of tiny label maps, known by hand, from readers that are right, wrong, or blind under a hole."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sair_core.evaluation import semantics
from sair_core.evaluation.samples import drawn_mask
from sair_core.evaluation.semantics import IN_VIEW, bin_name, common_classes, measure
from sair_core.photos.folders import VOID, Classes, read_classes

NAMES = ("sky", "road", "car", "bird")
COLOURS = np.array([[90, 160, 250], [90, 90, 90], [200, 30, 30], [20, 20, 20]], np.uint8)
SKY, ROAD, CAR, BIRD = range(4)
PARTS = (IN_VIEW, "hole 20-40 %", "hole 40-60 %")
HEIGHT, WIDTH = 24, 32


class ColourReader:
    """Names each pixel by its colour; under a hole it says `guess`, or what is there if that is None."""

    def __init__(self, guess: int | None = None, confuse: tuple[int, int] | None = None):
        self.guess, self.confuse = guess, confuse

    def read(self, rgb: np.ndarray, hole: np.ndarray | None) -> np.ndarray:
        distance = np.abs(rgb[:, :, None].astype(int) - COLOURS).sum(-1)
        ids = distance.argmin(-1)
        if self.confuse:
            ids[ids == self.confuse[0]] = self.confuse[1]
        if hole is not None and self.guess is not None:
            ids[hole] = self.guess
        return ids

    def name(self, ids: np.ndarray, labels: list[str]) -> SimpleNamespace:
        assert labels == list(NAMES)
        return SimpleNamespace(ids=ids.astype(np.uint8))


def street(car_columns: int) -> np.ndarray:
    """Sky above road, a car of six rows on the road."""
    ids = np.full((HEIGHT, WIDTH), SKY, np.uint8)
    ids[12:] = ROAD
    ids[14:20, 4 : 4 + car_columns] = CAR
    return ids


def save(folder, name: str, ids: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    rgb = COLOURS[np.where(ids == VOID, SKY, ids)]
    Image.fromarray(rgb).save(folder / f"{name}.jpg", quality=100, subsampling=0)
    Image.fromarray(ids).save(folder / f"{name}.png")


@pytest.fixture
def maps() -> list[np.ndarray]:
    return [street(8), street(16)]


@pytest.fixture
def data(tmp_path, maps):
    """A folder of two labelled photos; bird is a class that neither shows."""
    classes = [{"id": i, "name": name} for i, name in enumerate(NAMES)]
    (tmp_path / "classes.json").write_text(json.dumps({"classes": classes}))
    for i, ids in enumerate(maps):
        save(tmp_path / "val", f"p{i}", ids)
    return tmp_path / "val"


@pytest.fixture
def classes(data) -> Classes:
    return read_classes(data)


def test_a_reader_that_is_right_has_one_everywhere(data, classes):
    tables = measure({"right": ColourReader()}, data, classes)
    assert tuple(tables) == PARTS
    for part in PARTS:
        confusion = tables[part]["right"]
        assert confusion.accuracy() == 1 and confusion.mean_iou() == 1
        assert np.isnan(confusion.ious()[BIRD])


def test_accuracy_and_mean_iou_of_a_confusion_known_by_hand(data, classes):
    """Every car pixel is called road: 6 rows of 8 and of 16 columns, in halves of 12 x 32 px."""
    confusion = measure({"r": ColourReader(confuse=(CAR, ROAD))}, data, classes)[IN_VIEW]["r"]
    cars, halves, pixels = 6 * (8 + 16), 2 * 12 * WIDTH, 2 * HEIGHT * WIDTH
    assert confusion.accuracy() == (pixels - cars) / pixels
    road_iou = (halves - cars) / halves  # found: all of the lower half; true: without the cars
    np.testing.assert_allclose(confusion.ious()[:3], [1, road_iou, 0])
    assert confusion.mean_iou() == pytest.approx((1 + road_iou + 0) / 3)
    assert confusion.mean_iou([SKY, ROAD, BIRD]) == pytest.approx((1 + road_iou) / 2)


def test_under_a_hole_only_hidden_pixels_are_scored(data, classes, maps):
    readers = {"right": ColourReader(), "sky": ColourReader(guess=SKY)}
    tables = measure(readers, data, classes, seed=5)
    assert tables[IN_VIEW]["sky"].accuracy() == 1  # nothing is hidden there
    for index in semantics.HOLE_BINS:
        holes = [drawn_mask(5, i, index, (HEIGHT, WIDTH)) for i in range(len(maps))]
        hidden = np.concatenate([ids[hole] for ids, hole in zip(maps, holes)])
        confusion = tables[bin_name(index)]["sky"]
        assert confusion.counts.sum() == hidden.size == sum(hole.sum() for hole in holes)
        assert confusion.accuracy() == np.mean(hidden == SKY)
        # Sky: all of its pixels are found, and so are all others. The rest is never found.
        present = len(np.unique(hidden))
        assert confusion.mean_iou() == pytest.approx(np.mean(hidden == SKY) / present)
        assert tables[bin_name(index)]["right"].mean_iou() == 1


def test_void_pixels_are_never_scored(tmp_path, data, classes, maps):
    unknown = maps[0].copy()
    unknown[:, :16] = VOID
    save(data, "p0", unknown)
    confusion = measure({"r": ColourReader(confuse=(CAR, ROAD))}, data, classes)[IN_VIEW]["r"]
    known = 2 * HEIGHT * WIDTH - HEIGHT * 16
    assert confusion.counts.sum() == known
    assert confusion.accuracy() == (known - 6 * 16) / known  # the first photo's car is void


def test_the_limit_takes_photos_and_their_own_masks(data, classes):
    one = measure({"sky": ColourReader(guess=SKY)}, data, classes, limit=1)
    hole = drawn_mask(0, 0, semantics.HOLE_BINS[0], (HEIGHT, WIDTH))
    assert one[IN_VIEW]["sky"].counts.sum() == HEIGHT * WIDTH
    assert one[PARTS[1]]["sky"].counts.sum() == hole.sum()


def test_common_classes_are_those_of_many_training_photos(tmp_path, classes, monkeypatch):
    monkeypatch.setattr(semantics, "MANY", 3)
    for i in range(3):
        ids = street(8)
        if i:
            ids[14:20, :16] = ROAD  # only the first one shows a car
        ids[0] = VOID
        save(tmp_path / "train", f"t{i}", ids)
    assert common_classes(tmp_path / "train", classes) == [SKY, ROAD]


def test_the_command_prints_and_writes_the_figures(tmp_path, data, maps, monkeypatch, capsys):
    monkeypatch.setattr(semantics, "MANY", 2)
    for i, ids in enumerate(maps):
        save(tmp_path / "train", f"t{i}", np.where(ids == CAR, ROAD, ids))
    wrong = ColourReader(confuse=(CAR, ROAD))
    monkeypatch.setattr(semantics.SemanticReader, "from_pretrained", lambda config, device: wrong)
    out = tmp_path / "figures.json"
    assert semantics.main(["--data", str(data), "--json", str(out)]) == 0
    content = json.loads(out.read_text())
    assert content["common_classes"] == ["sky", "road"]
    figures = content["figures"][IN_VIEW]["encoder"]
    road_iou = 1 - 6 * 24 / (2 * 12 * WIDTH)
    assert figures["accuracy"] == pytest.approx(1 - 6 * 24 / (2 * HEIGHT * WIDTH))
    assert figures["miou"] == pytest.approx((1 + road_iou) / 3)
    assert figures["miou_common"] == pytest.approx((1 + road_iou) / 2)
    assert figures["ious"] == {"sky": 1, "road": round(road_iou, 4), "car": 0}
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(IN_VIEW))
    printed = [f"{figures[name]:.3f}" for name in ("accuracy", "miou", "miou_common")]
    assert line.split() == [*IN_VIEW.split(), "encoder", *printed]
