import numpy as np

from app.widgets.answers import send_mask


def test_a_mask_of_nothing_is_a_notice():
    answer = send_mask(np.zeros((9, 9), bool), "Marked.")
    assert (answer.kind, answer.level) == ("notice", "warn") and "Nothing" in answer.text
