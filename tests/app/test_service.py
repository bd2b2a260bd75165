import threading

import numpy as np
import pytest

from app.service import FillService
from sair_core.errors import ModelNotFoundError
from sair_core.images import load_photo
from tests.app.conftest import MeanPipeline

HOLE = np.zeros((8, 8), bool)
HOLE[2:4, 2:4] = True


@pytest.fixture
def photo():
    return load_photo(np.zeros((8, 8, 3), np.uint8))


def test_nothing_is_loaded_before_it_is_needed_and_then_once(photo):
    loads = []
    service = FillService(lambda: loads.append(1) or MeanPipeline())
    assert not loads and not service.ready
    service.fill(photo, HOLE)
    service.fill(photo, HOLE)
    assert loads == [1] and service.ready


def test_a_model_that_cannot_be_loaded_is_tried_again(photo):
    outcomes = [ModelNotFoundError("There is no model."), MeanPipeline()]

    def load():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    service = FillService(load)
    with pytest.raises(ModelNotFoundError):
        service.fill(photo, HOLE)
    assert service.fill(photo, HOLE).image.size == (8, 8)


def test_warm_up_survives_a_missing_model(caplog):
    def load():
        raise ModelNotFoundError("There is no model x.")

    service = FillService(load)
    service.warm_up()
    service._worker.shutdown(wait=True)
    assert "There is no model x." in caplog.text


def test_fills_run_one_at_a_time_and_the_second_is_told_that_it_waits(photo):
    running, most, gate = [], [], threading.Event()

    class Slow(MeanPipeline):
        def fill(self, *args, **kwargs):
            running.append(1)
            most.append(len(running))
            gate.wait(5)
            running.pop()
            return super().fill(*args, **kwargs)

    service, news = FillService(Slow), []
    first = service.start(photo, HOLE)
    second = service.start(photo, HOLE, progress=lambda share, text: news.append(text))
    assert any("Waiting" in text for text in news)
    gate.set()
    first.result(5), second.result(5)
    assert max(most) == 1
    news.clear()
    service.start(photo, HOLE, progress=lambda share, text: news.append(text)).result(5)
    assert not any("Waiting" in text for text in news)
