"""Public sets in miniature, laid out as they are downloaded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sair_core.errors import DataError
from sair_core.evaluation.holes import FolderHoles
from sair_core.evaluation.samples import Sample, list_samples
from sair_core.photos import datasets
from sair_core.photos.datasets import find_dataset, list_labelled
from sair_core.photos.folders import VOID
from sair_core.training.data.scan import scan

SIZE = (96, 64)  # width, height


def save(path, value: int = 0, size=SIZE) -> None:
    """A photo of noise, or a map of one id."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        Image.new("L", size, value).save(path)
    else:
        rng = np.random.default_rng(abs(hash(path.as_posix())) % 2**32)
        Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).save(path, "JPEG")


@pytest.fixture
def celeba(tmp_path, monkeypatch):
    """Four faces, of which the last is for testing."""
    layout = find_layout("CelebAMask-HQ")
    train, test = layout.parts
    small = (replace(train, last=3, published=3), replace(test, first=3, published=1))
    monkeypatch.setattr(datasets, "LAYOUTS", (replace(layout, parts=small),))
    for i in (0, 2, 10, 9):
        save(tmp_path / "CelebA-HQ-img" / f"{i}.jpg")
    maps = tmp_path / "CelebAMask-HQ-mask-anno" / "0"
    for part, columns in {"skin": slice(0, 20), "hair": slice(10, 30), "l_eye": slice(2, 4)}.items():
        mask = np.zeros((32, 48), np.uint8)
        mask[:, columns] = 255
        maps.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(maps / f"00010_{part}.png")
    return tmp_path


@pytest.fixture
def ade(tmp_path):
    for kind, name in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        save(tmp_path / "images" / kind / f"{name}.jpg")
        save(tmp_path / "annotations" / kind / f"{name}.png", 2)
    ids = np.full(SIZE[::-1], 3, np.uint8)
    ids[:10] = 0
    Image.fromarray(ids).save(tmp_path / "annotations" / "validation" / "ADE_val_00000001.png")
    rows = ["Idx\tRatio\tTrain\tVal\tStuff\tName"]
    rows += [f"{i}\t0.2\t9\t1\t1\t{name}" for i, name in enumerate(("wall", "building, edifice", "sky"), 1)]
    (tmp_path / "objectInfo150.txt").write_text("\n".join(rows) + "\n")
    return tmp_path


def find_layout(name: str) -> datasets.Layout:
    return next(layout for layout in datasets.LAYOUTS if layout.name == name)


def names(paths) -> list[str]:
    return [path.name for path in paths]


def test_faces_are_split_by_their_numbers_and_their_parts_are_one_map(celeba, caplog):
    assert names(scan([celeba]).photos) == ["0.jpg", "2.jpg", "9.jpg"]
    assert names(s.path for s in list_samples(celeba)) == ["10.jpg"]
    assert "CelebAMask-HQ, test: 1 files in CelebA-HQ-img, as published" in caplog.text
    (photo,), classes = list_labelled(celeba)
    ids = photo.read_ids(SIZE[::-1], classes)
    assert ids.shape == SIZE[::-1]
    row = [classes.names[i] for i in ids[0]]
    assert [row[i] for i in (0, 5, 30, 50, -1)] == ["skin", "left eye", "hair", "hair", "background"]


def test_scenes_are_named_by_the_set_s_own_table(ade, caplog):
    assert names(scan([ade]).photos) == ["ADE_train_00000001.jpg"]
    assert names(s.path for s in list_samples(ade)) == ["ADE_val_00000001.jpg"]
    assert "1 files in images/validation, 2,000 were published" in caplog.text
    (photo,), classes = list_labelled(ade)
    assert classes.names == ("wall", "building", "sky") and classes.synonyms[1] == ("edifice",)
    ids = photo.read_ids(SIZE[::-1], classes)
    assert (ids[:10] == VOID).all() and (ids[10:] == 2).all()
    assert photo.list_ids().tolist() == [2, VOID]
    (train,), _ = list_labelled(ade, "train")
    assert train.list_ids().tolist() == [1]


def test_scenes_without_labels_are_said(ade, caplog):
    (ade / "objectInfo150.txt").unlink()
    assert len(list_samples(ade)) == 1
    assert "objectInfo150.txt is missing, so labels cannot be read" in caplog.text
    with pytest.raises(DataError, match="has no labels"):
        list_labelled(ade)
    (ade / "objectInfo150.txt").write_text("Idx\n2\tno\n")
    with pytest.raises(DataError, match="table of classes"):
        list_labelled(ade)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("data_256/a/airfield/00000001.jpg", "val_256/Places365_val_00000001.jpg"),
        ("data_large/a/airfield/00000001.jpg", "val_large/Places365_val_00000001.jpg"),
        ("train/airfield/00000001.jpg", "val/airfield/Places365_val_00000435.jpg"),
        ("paris_train_original/0001_image.JPG", "paris_eval/paris_eval_gt/001_im.jpg"),
        ("paris_train_original/0001_image.JPG", "paris_eval_gt/001_im.jpg"),
    ],
)
def test_photos_without_labels_lie_in_folders_of_their_own(train, test, tmp_path):
    for name in (train, test):
        save(tmp_path / name)
    assert find_dataset(tmp_path) is not None
    assert [path.relative_to(tmp_path).as_posix() for path in scan([tmp_path]).photos] == [train]
    assert [s.path.relative_to(tmp_path).as_posix() for s in list_samples(tmp_path)] == [test]


def test_what_is_missing_is_said(tmp_path):
    save(tmp_path / "val_256" / "Places365_val_00000001.jpg")
    found = find_dataset(tmp_path)
    assert found is not None
    assert found.describe("train") == ["Places2, train: data_256 or data_large or train is missing"]
    with pytest.raises(DataError, match="Places2 lacks its photos for train"):
        scan([tmp_path])


@pytest.mark.parametrize("below", ["", "mask/"])
def test_masks_are_found_in_what_was_downloaded(below, tmp_path):
    for i, share in enumerate((0.05, 0.5)):
        mask = np.zeros((100, 100), np.uint8)
        mask[: int(100 * share)] = 255
        path = tmp_path / f"{below}testing_mask_dataset" / f"{i:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
    save(tmp_path / "disocclusion_img_mask" / "00001.png", 255)
    holes = FolderHoles(tmp_path, 50)
    assert holes.settings["count"] == {"0-20": 1, "40-60": 1}
    assert dict(holes(Sample(0, tmp_path), (50, 50)))["40-60"].mean() == 0.5


def test_nested_folders_are_trained_on_and_measured(tmp_path):
    for name in ("a/x.jpg", "a/b/y.jpg", "z.jpg"):
        save(tmp_path / name)
    (tmp_path / "empty").mkdir()
    found = scan([tmp_path])
    assert names(found.photos) == ["y.jpg", "x.jpg", "z.jpg"] and found.others == {"folders": 1}
    assert len(list_samples(tmp_path)) == 3 and find_dataset(tmp_path) is None
