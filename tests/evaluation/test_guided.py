import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sair_core.evaluation import guided
from sair_core.photos.photo import load_photo

COLOURS = {"grass": (0, 255, 0), "water": (0, 0, 255)}


class Painter:
    """Fills with the word's colour, or with black; its embeddings are colours."""

    def __init__(self, listens: bool = True):
        self.listens = listens
        vectors = {word: torch.tensor(colour) / 255 for word, colour in COLOURS.items()}
        self.reader = SimpleNamespace(
            text=SimpleNamespace(embed=lambda words: torch.stack([vectors[word] for word in words])),
            read=lambda rgb: SimpleNamespace(vectors=torch.from_numpy(rgb.copy()).permute(2, 0, 1) / 255),
        )

    def fill(self, photo, hole, *, words=None, strength=1.0):
        rgb = photo.rgb.copy()
        rgb[hole] = COLOURS[words] if words and self.listens else (80, 80, 80)
        return SimpleNamespace(photo=load_photo(rgb))


@pytest.fixture
def pair():
    hole = np.zeros((40, 50), bool)
    hole[10:20, 10:30] = True
    return load_photo(np.full((40, 50, 3), 200, np.uint8)), hole


def test_the_mean_is_taken_over_the_hole_only(pair):
    photo, hole = pair
    rgb = photo.rgb.copy()
    rgb[hole] = COLOURS["water"]
    found = guided.mean_embedding(torch.from_numpy(rgb).permute(2, 0, 1).float(), hole)
    torch.testing.assert_close(found, torch.tensor([0.0, 0.0, 1.0]))


def test_nearness_to_each_word_by_what_was_filled_in(pair):
    answers = guided.measure(Painter(), [pair, pair], ["grass", "water"])
    table = answers.cosines
    assert table["grass"] == pytest.approx({"grass": 1, "water": 0})
    assert table["water"] == pytest.approx({"grass": 0, "water": 1})
    assert table[guided.NO_WORDS]["grass"] == pytest.approx(3**-0.5)
    assert answers.levels == pytest.approx({guided.NO_WORDS: 0, "grass": 335 / 3, "water": 335 / 3})


@pytest.mark.parametrize("listens", [True, False])
def test_the_command_tells_by_its_status(listens, tmp_path, monkeypatch, capsys):
    Image.new("RGB", (64, 64), (200, 10, 10)).save(tmp_path / "p.png")
    engines = []
    monkeypatch.setattr(
        guided.InpaintPipeline,
        "from_pretrained",
        lambda model, *, engine, device: engines.append(engine) or Painter(listens),
    )
    status = guided.main(["--data", str(tmp_path), "--json", str(tmp_path / "o.json"), "--engine", "smooth"])
    assert engines == ["smooth"]
    assert status == int(not listens)
    assert ("toward 'grass' when filled with it: +0.4" in capsys.readouterr().out) == listens
    written = json.loads((tmp_path / "o.json").read_text())
    assert set(written["cosines"]) == set(written["levels"]) == {"(none)", "grass", "water"}
    assert guided.main(["--data", str(tmp_path), "--words", "grass"]) == 2
