"""`benchmarks/contact_sheet.py`: photos side by side, fills or what the models see in them."""

import numpy as np
import pytest
from PIL import Image

from benchmarks import contact_sheet
from benchmarks.contact_sheet import GAP_PX, TITLE_PX, readings_of, sheet
from sair_core.evaluation.samples import list_samples
from tests.conftest import FIXTURES


def test_photos_of_any_shape_lie_side_by_side():
    shapes = [(40, 20), (20, 20), (20, 10)]
    photos = [[Image.new("RGB", shape, colour) for colour in ("red", "blue")] for shape in shapes]
    picture = np.asarray(sheet(photos, ["one", "other"], 20, 2))
    assert picture.shape == (TITLE_PX + 20 + 10 + 2 * GAP_PX, 4 * 20 + 3 * GAP_PX, 3)
    assert (picture[TITLE_PX : TITLE_PX + 10, :20] == (255, 0, 0)).all()  # the first photo, 20 x 10 px now
    assert (picture[TITLE_PX + 10 : TITLE_PX + 20, :20] == 255).all()  # lower than the photo beside it
    assert (picture[TITLE_PX : TITLE_PX + 20, -20:] == (0, 0, 255)).all()
    assert (picture[-10 - GAP_PX : -GAP_PX, -40 - 2 * GAP_PX :] == 255).all()  # three photos are no two rows


def test_what_the_models_see_is_shown(pipe, tmp_path):
    house = Image.open(FIXTURES / "house.jpg").convert("RGB")
    house.save(tmp_path / "house.png")
    (sample,) = list_samples(tmp_path)
    photo, over, clicked = (np.asarray(one) for one in readings_of(sample, pipe, "sky, house"))
    assert photo.shape == over.shape == clicked.shape
    assert not np.array_equal(over, photo)
    selected = (clicked != photo).any(axis=2)
    height, width = selected.shape
    assert selected[height // 2, width // 2] and 0 < selected.mean() < 1


def test_fills_or_words_are_needed(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["contact_sheet.py", "--data", str(tmp_path), "--output", "sheet.jpg"])
    with pytest.raises(SystemExit):
        contact_sheet.main()
    assert "give --fills and --masks, or --words" in capsys.readouterr().err
