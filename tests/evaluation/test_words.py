import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sair_core.evaluation import words
from sair_core.evaluation.samples import list_samples
from sair_core.evaluation.words import fill_with_words, list_cases, summarise

GREEN, BLUE = (40, 160, 40), (40, 40, 200)
CLASSES = {"classes": [{"id": 0, "name": "grass"}, {"id": 1, "name": "water"}, {"id": 2, "name": "car"}]}


class BlueIsWater:
    """Names a blue pixel water, all others grass."""

    @classmethod
    def from_pretrained(cls, *, device):
        return cls()

    def read(self, picture):
        return picture[..., 2] > picture[..., 1]

    def name(self, blue, names):
        assert names == ["grass", "water", "car"]
        return SimpleNamespace(ids=blue.astype(np.uint8))


def paint(photo, hole, word):
    return np.where(hole[..., None], np.uint8({"grass": GREEN, "water": BLUE}[word]), photo)


def ignore(photo, hole, word):
    return paint(photo, hole, "grass")


@pytest.fixture
def shore(tmp_path):
    """Grass above water in three photos, grass alone in a fourth."""
    folder = tmp_path / "shore"
    folder.mkdir()
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    ids = np.zeros((64, 80), np.uint8)
    ids[32:] = 1
    for name, labels in (("a", ids), ("b", ids), ("c", ids), ("d", np.zeros_like(ids))):
        rgb = np.where((labels == 1)[..., None], np.uint8(BLUE), np.uint8(GREEN))
        Image.fromarray(rgb).save(folder / f"{name}.png")
        Image.fromarray(labels).save(folder / f"{name}_labels.png")
    return folder


@pytest.fixture
def labelled(shore, monkeypatch):
    """The label maps have another name than usual here: photos and maps are both lossless."""
    find = lambda photo: photo.with_name(f"{photo.stem}_labels.png")  # noqa: E731
    monkeypatch.setattr("sair_core.evaluation.objects.find_label_map", find)
    return [sample for sample in list_samples(shore) if "_labels" not in sample.path.name]


def test_cases_show_two_classes_beside_the_hole(labelled):
    cases = list(list_cases(labelled, limit=10, seed=0))
    assert sorted(case.sample.path.stem for case in cases) == ["a", "b", "c"]
    assert all(sorted(case.words) == ["grass", "water"] and case.hole.any() for case in cases)
    again = list(list_cases(labelled, limit=2, seed=0))
    assert [case.sample.path for case in again] == [case.sample.path for case in cases[:2]]
    assert all((one.hole == other.hole).all() for one, other in zip(cases, again))


def test_a_method_that_heeds_words_is_told_from_one_that_does_not(labelled, tmp_path):
    cases = list(list_cases(labelled, limit=3, seed=0))
    fills = fill_with_words({"paint": paint, "ignore": ignore}, cases, BlueIsWater(), tmp_path / "sheets")
    table = summarise(fills)
    assert table["paint"] == {"named": 1.0, "share": 1.0, "fills": 6}
    assert table["ignore"] == {"named": 0.5, "share": 0.5, "fills": 6}
    assert len(list((tmp_path / "sheets").iterdir())) == 3


def test_the_command_prints_a_table_and_writes_it(labelled, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(words, "list_samples", lambda folder: labelled)
    monkeypatch.setattr(words, "SemanticReader", BlueIsWater)
    monkeypatch.setattr(words, "build_methods", lambda model, device: {"paint": paint})
    target = tmp_path / "words.json"
    folder = str(labelled[0].path.parent)
    assert words.main(["--data", folder, "--limit", "2", "--json", str(target)]) == 0
    assert "100.0%" in capsys.readouterr().out
    assert json.loads(target.read_text())["summary"] == {"paint": {"named": 1.0, "share": 1.0, "fills": 4}}


def test_photos_without_labels_are_refused(tmp_path, capsys):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    assert words.main(["--data", str(tmp_path)]) == 2
    assert words.main(["--data", str(tmp_path), "--limit", "0"]) == 2
