import numpy as np

from sair_core.evaluation.sheets import GAP_PX, TITLE_PX, picture_sheet
from tests.evaluation.conftest import pattern


def test_every_panel_is_shown_unchanged():
    photo, mask = pattern(0, 32, 32), np.eye(32, dtype=bool)
    sheet = np.asarray(picture_sheet(photo, mask, {"x": 255 - photo}))
    assert np.array_equal(sheet[-32:, :32], photo)
    assert (sheet[-32:, 36:68][mask] == 255).all()
    assert np.array_equal(sheet[-32:, -32:], 255 - photo)


def test_many_methods_take_another_row_and_a_failed_one_its_place():
    photo, mask = pattern(1, 30, 40), np.zeros((30, 40), bool)
    pictures = {f"m{i}": np.full_like(photo, 10 * i) for i in range(1, 6)}
    sheet = np.asarray(picture_sheet(photo, mask, {"absent": None, **pictures}))
    assert sheet.shape == (2 * 30 + 2 * TITLE_PX + GAP_PX, 6 * 40 + 5 * GAP_PX, 3)
    assert (sheet[TITLE_PX : TITLE_PX + 30, 2 * 44 : 2 * 44 + 40] == 255).all()  # absent
    assert (sheet[TITLE_PX : TITLE_PX + 30, 3 * 44 : 3 * 44 + 40] == 10).all()
    assert (sheet[-30:, :40] == 40).all() and (sheet[-30:, 44:84] == 50).all()
    assert (sheet[-30:, 84:] == 255).all()
