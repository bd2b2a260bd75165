import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sair_core.errors import DataError, MethodError, MissingDependencyError
from sair_core.evaluation import removal
from sair_core.evaluation.baselines import harmonic
from sair_core.evaluation.removal import UNTOUCHED, RemovalRuler, list_removals, remove_objects, summarise
from sair_core.evaluation.samples import list_samples

GREEN, RED = (40, 160, 40), (200, 30, 30)
CLASSES = {"classes": [{"id": 0, "name": "grass"}, {"id": 1, "name": "cow"}, {"id": 2, "name": "car"}]}


class RedIsCow:
    """Names a red pixel cow, all others grass."""

    @classmethod
    def from_pretrained(cls, *, device):
        return cls()

    def read(self, picture):
        return picture[..., 0] > picture[..., 1]

    def name(self, red, names):
        assert names == ["grass", "cow", "car"]
        return SimpleNamespace(ids=red.astype(np.uint8))


def means(picture: np.ndarray) -> list[torch.Tensor]:
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    return [torch.nn.functional.avg_pool2d(x, 4)[0]]


def keep(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Paints another cow."""
    return np.where(mask[..., None], np.array(RED, np.uint8), photo)


def fail(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    raise MethodError("out of paint")


@pytest.fixture
def meadow(tmp_path):
    """Two cows on grass in one photo, nothing in the other."""
    folder = tmp_path / "meadow"
    folder.mkdir()
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    ids = np.zeros((64, 80), np.uint8)
    ids[10:30, 10:30] = ids[36:50, 50:64] = 1
    rng = np.random.default_rng(0)
    for name, labels in (("a", ids), ("b", np.zeros_like(ids))):
        rgb = np.where((labels == 1)[..., None], RED, GREEN) + rng.integers(-20, 20, (64, 80, 3))
        Image.fromarray(rgb.astype(np.uint8)).save(folder / f"{name}.jpg", quality=95)
        Image.fromarray(labels).save(folder / f"{name}.png")
    return folder


def test_all_objects_of_a_class_are_one_hole(meadow):
    a, b = list_samples(meadow)
    (case,) = list_removals(a)
    assert case.name == "00000_a_cow"
    assert case.mask[10:30, 10:30].all() and case.mask[36:50, 50:64].all() and case.mask.mean() < 0.25
    assert list(list_removals(b)) == []


def test_what_is_left_of_an_object_is_seen(meadow, tmp_path):
    methods = {"harmonic": harmonic, "keep": keep, "fail": fail}
    ruler = RemovalRuler(RedIsCow(), means)
    remove_objects(methods, list_samples(meadow), ruler, tmp_path / "sheets")
    table = summarise(ruler, [UNTOUCHED, *methods])
    assert list(table) == [UNTOUCHED, "harmonic", "keep"]
    assert table["harmonic"]["named_share"] < 0.01 and table["harmonic"]["still_there"] == 0
    assert table["keep"]["named_share"] == 1 == table["keep"]["still_there"]
    assert 0.4 < table[UNTOUCHED]["named_share"] < 0.9  # outlines are grown: grass all around
    # Smooth grass is nearer to the rest of the photo than cows are.
    assert table["harmonic"]["frechet"] < table["keep"]["frechet"]
    assert table[UNTOUCHED]["seconds"] is None and table["keep"]["seconds"] > 0
    assert [(f.method, f.reason) for f in ruler.failures] == [("fail", "out of paint")]
    assert [path.name for path in (tmp_path / "sheets").iterdir()] == ["00000_a_cow.png"]


def test_without_objects_there_is_nothing_to_remove(meadow):
    with pytest.raises(DataError, match="nothing to remove"):
        remove_objects({"keep": keep}, list_samples(meadow)[1:], RemovalRuler(RedIsCow()))


def test_the_command_line(meadow, tmp_path, monkeypatch, capsys):
    def unavailable() -> None:
        raise MissingDependencyError("no weights here.")

    monkeypatch.setattr(removal, "load_features", unavailable)
    monkeypatch.setattr(removal, "SemanticReader", RedIsCow)
    target = tmp_path / "r.json"
    bad = "bad=no-such-program {photo} {mask} {output}"
    options = ["--data", str(meadow), "--methods", "mean", "--method", bad, "--json", str(target)]
    assert removal.main(options) == 1  # some failed
    out = capsys.readouterr().out
    assert "Fréchet unavailable: no weights here." in out and "bad failed on 1 holes" in out
    assert [line.split()[:3] for line in out.splitlines()[2:3]] == [["mean", "not", "installed"]]
    content = json.loads(target.read_text())
    assert [row["method"] for row in content["removals"]] == [UNTOUCHED, "mean"]
    assert content["summary"]["mean"]["frechet"] is None and content["summary"]["mean"]["removals"] == 1


def test_a_folder_without_classes_is_refused(photo_folder, capsys):
    assert removal.main(["--data", str(photo_folder), "--methods", "mean"]) == 2
    assert "classes.json" in capsys.readouterr().err
