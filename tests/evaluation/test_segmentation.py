import math

import numpy as np

from sair_core.evaluation.segmentation import Confusion


def test_accuracy_and_iou_by_hand():
    true = np.array([[0, 0, 1, 1], [2, 255, 1, 0]], np.uint8)
    found = np.array([[0, 1, 1, 1], [0, 2, 1, 0]], np.uint8)
    confusion = Confusion(4)
    confusion.add(found, true)
    assert confusion.accuracy() == 5 / 7
    ious = confusion.ious()
    np.testing.assert_allclose(ious[:3], [2 / 4, 3 / 4, 0])
    assert math.isnan(ious[3])  # no true pixel: not counted, though nobody claimed it either
    assert confusion.mean_iou() == np.mean([0.5, 0.75, 0]) and confusion.mean_iou([0, 1, 3]) == 0.625


def test_only_the_asked_pixels_count():
    true = np.zeros((4, 4), np.uint8)
    found = np.zeros((4, 4), np.uint8)
    found[:2] = 1
    confusion = Confusion(2)
    confusion.add(found, true, where=np.arange(16).reshape(4, 4) >= 4)
    assert confusion.counts.tolist() == [[8, 4], [0, 0]]


def test_nothing_scored_is_no_number():
    confusion = Confusion(2)
    confusion.add(np.zeros((2, 2), int), np.full((2, 2), 255))
    assert math.isnan(confusion.accuracy()) and math.isnan(confusion.mean_iou())
