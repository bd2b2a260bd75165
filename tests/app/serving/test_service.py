import logging
import threading
from dataclasses import replace

import numpy as np
import pytest

from app.serving.contracts import FillOptions
from app.serving.models import BUNDLED
from app.serving.service import SHARED_FEATURE_BYTES, FillService
from sair_core.errors import CancelledError, ConfigError, FullMaskError, LabelError, ModelNotFoundError
from sair_core.filling.engines import PAINTED
from sair_core.photos.photo import load_photo
from sair_core.window import Window
from tests.app.fakes import WAIT_SECONDS, ColourReader, GreyPainter, MeanPipeline, WhitePipeline, until

HOLE = np.zeros((8, 8), bool)
HOLE[2:4, 2:4] = True


@pytest.fixture
def photo():
    return load_photo(np.zeros((8, 8, 3), np.uint8))


def test_nothing_is_loaded_before_it_is_needed_and_then_once(photo):
    loads = []
    service = FillService(lambda: loads.append(1) or MeanPipeline())
    assert not loads and not service.models.ready
    service.start_fill(photo, HOLE).result()
    service.start_fill(photo, HOLE).result()
    assert loads == [1] and service.models.ready


def test_a_model_that_cannot_be_loaded_is_tried_again(photo):
    outcomes = [ModelNotFoundError("There is no model."), MeanPipeline()]

    def load():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    service = FillService(load)
    with pytest.raises(ModelNotFoundError):
        service.start_fill(photo, HOLE).result()
    assert service.start_fill(photo, HOLE).result().image.size == (8, 8)


def test_warm_up_survives_a_missing_model(caplog):
    def load():
        raise ModelNotFoundError("There is no model x.")

    service = FillService(load)
    service.warm_up().result()
    assert "There is no model x." in caplog.text


def test_fills_run_one_at_a_time_and_the_second_is_told_that_it_waits(photo):
    running, most, gate = [], [], threading.Event()

    class Slow(MeanPipeline):
        def fill(self, *args, **kwargs):
            running.append(1)
            most.append(len(running))
            gate.wait(WAIT_SECONDS)
            running.pop()
            return super().fill(*args, **kwargs)

    service, news = FillService(Slow), []
    first = service.start_fill(photo, HOLE)
    second = service.start_fill(photo, HOLE, progress=lambda share, text: news.append(text))
    assert any("Waiting" in text for text in news)
    gate.set()
    first.result(WAIT_SECONDS), second.result(WAIT_SECONDS)
    assert max(most) == 1
    news.clear()
    service.start_fill(photo, HOLE, progress=lambda share, text: news.append(text)).result(WAIT_SECONDS)
    assert not any("Waiting" in text for text in news)


def test_a_reading_names_every_pixel(photo):
    service = FillService(lambda: MeanPipeline(model="SIR"))
    reading = service.start_reading(photo, "sky, road").result()
    assert reading.map.labels == ("sky", "road") and reading.map.ids.shape == (8, 8) and not reading.completed
    assert service.start_reading(photo, "sky, road", HOLE).result().completed
    assert not service.start_reading(photo, "sky, road", HOLE, complete=False).result().completed
    with pytest.raises(LabelError):
        service.start_reading(photo, " ,").result()
    with pytest.raises(FullMaskError):
        service.start_reading(photo, "sky", np.ones((8, 8), bool)).result()


def test_two_readers_are_kept(photo):
    loads, news = [], []

    def load_reader(encoder, device):
        loads.append((encoder, device))
        return ColourReader()

    service = FillService(MeanPipeline, load_reader=load_reader)
    for encoder in (BUNDLED, "A a", "A a", BUNDLED, "B b", BUNDLED, "A a"):
        service.start_reading(
            photo, "sky", encoder=encoder, progress=lambda share, text: news.append(text)
        ).result()
    assert loads == [("A a", "cpu"), ("B b", "cpu"), ("A a", "cpu")]
    assert sum("Loading the encoder" in text for text in news) == 1
    assert sum("Fetching" in text for text in news) == 3
    assert list(service.models._other_readers) == ["A a"] and service.models._own_reader


def test_an_encoder_that_cannot_be_loaded_drives_none_out(photo):
    outcomes = [ColourReader(), ModelNotFoundError("Not here.")]

    def load_reader(encoder, device):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    service = FillService(MeanPipeline, load_reader=load_reader)
    service.start_encoder("A a").result()
    with pytest.raises(ModelNotFoundError):
        service.start_encoder("B b").result()
    assert service.start_reading(photo, "sky", encoder="A a").result() and not outcomes


def test_no_fill_waits_for_a_fetch(photo):
    gate = threading.Event()

    def load_reader(encoder, device):
        gate.wait(WAIT_SECONDS)
        return ColourReader()

    service = FillService(MeanPipeline, load_reader=load_reader)
    fetch = service.start_encoder("A a")
    assert service.start_fill(photo, HOLE).result().image.size == (8, 8) and not fetch.done()
    gate.set()
    fetch.result(WAIT_SECONDS)


def test_another_model_takes_over_between_two_fills(photo):
    loads, gate = [], threading.Event()

    class Slow(MeanPipeline):
        def fill(self, *args, **kwargs):
            gate.wait(WAIT_SECONDS)
            return super().fill(*args, **kwargs)

    def load_model(name):
        loads.append(name)
        return WhitePipeline()

    service = FillService(Slow, model="first", load_model=load_model)
    reader = service.start_reading(photo, "sky").result() and service.models._own_reader
    before = service.start_fill(photo, HOLE)
    change = service.start_switch("runs/mine/model")
    after = service.start_fill(photo, HOLE)
    assert service.models.name == "first" and not loads
    gate.set()
    change.result(WAIT_SECONDS)
    assert not np.asarray(before.result(WAIT_SECONDS).image).any()
    assert (np.asarray(after.result(WAIT_SECONDS).image)[HOLE] == 255).all()
    assert loads == ["runs/mine/model"] == [service.models.name] and service.models.first_name == "first"
    assert service.start_reading(photo, "sky").result() and service.models._own_reader is not reader


def test_a_model_that_cannot_be_loaded_changes_nothing(photo):
    def load_model(name):
        raise ModelNotFoundError("Not here.")

    service = FillService(MeanPipeline, load_model=load_model)
    with pytest.raises(ModelNotFoundError):
        service.start_switch("nowhere").result()
    assert service.models.name == "sair-lite" and service.start_fill(photo, HOLE).result().image.size == (
        8,
        8,
    )


def test_words_give_a_mask(photo):
    mask = FillService(MeanPipeline).start_words(photo, "car").result()
    assert mask.dtype == bool and mask.shape == (8, 8)


def test_the_log_says_at_debug_level_where_the_time_went(photo, caplog):
    mask = np.zeros(photo.size_px, bool)
    mask[2:5, 2:5] = True
    with caplog.at_level(logging.DEBUG, "app.serving.service"):
        FillService(MeanPipeline).start_fill(photo, mask).result()
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("fill: the rest ") and "composite" in line


def test_a_photo_is_read_ahead_while_there_is_nothing_else_to_do(photo, monkeypatch, caplog):
    pipeline = MeanPipeline()
    service = FillService(lambda: pipeline)
    begun, go_on = threading.Event(), threading.Event()
    busy = service.work.submit(lambda _: begun.set() or go_on.wait(WAIT_SECONDS))
    assert begun.wait(WAIT_SECONDS)
    service.read_ahead(photo)  # somebody waits already
    go_on.set()
    busy.result()
    until(lambda: not len(service.work))
    assert pipeline.prepared is None
    monkeypatch.setattr("app.serving.service.hosted", lambda: True)
    service.read_ahead(photo)
    monkeypatch.undo()
    service.read_ahead(photo)
    service.work.submit(lambda _: None).result()
    assert pipeline.prepared is photo

    def load():
        raise ModelNotFoundError("No such model.")

    FillService(load).read_ahead(photo)
    until(lambda: "could not be read ahead: No such model." in caplog.text)


def test_warm_up_with_reader():
    pipeline, news = MeanPipeline(), []
    service = FillService(lambda: pipeline)
    service.warm_up(reader=True).result()
    assert service.models.reader(BUNDLED, pipeline, news.append) is pipeline.reader and not news


def test_views_readings_and_exports_of_a_window(photo, tmp_path):
    service, window = FillService(MeanPipeline), Window(2.0, 2.0, 3.0, (6, 9))
    assert service.start_view(photo, window).result().size == (9, 6)
    assert service.start_view(photo, window, mask=HOLE).result().size == (9, 6)
    assert service.start_reading(photo, "sky", window=window).result().map.ids.shape == (6, 9)
    assert service.start_export(photo, tmp_path / "a.png", window).result() == (6, 9)
    with pytest.raises(CancelledError):
        service.start_export(photo, tmp_path / "b.png", window, cancelled=lambda: True).result()
    assert [one.name for one in tmp_path.iterdir()] == ["a.png"]


def test_the_spn_is_loaded_when_it_is_needed_and_then_once(photo):
    loads, news = [], []
    service = FillService(MeanPipeline, load_painter=lambda: loads.append(1) or GreyPainter())
    assert service.models.has_painter and not loads
    for _ in range(2):
        fills = service.start_variations(
            photo, HOLE, 2, FillOptions(PAINTED, seed=4), progress=lambda share, text: news.append(text)
        )
        assert [one.seed for one in fills.result()] == [4, 5]
    assert loads == [1] and sum("Loading" in text for text in news) == 1
    assert [view.seed for view in service.start_priors(photo, HOLE, seed=2).result()] == [2, 3]


def test_the_engine_of_others_is_loaded_when_it_is_needed_and_then_once(photo):
    loads = []
    service = FillService(MeanPipeline, guest="big-lama", load_guest=lambda: loads.append(1) or Guest())
    assert service.models.engines == ("Natural", "Smooth", "big-lama") and not loads
    for _ in range(2):
        options = FillOptions("big-lama", words="car", source=HOLE)
        assert service.start_fill(photo, HOLE, options).result().note == "of the guest"
    assert loads == [1]
    with pytest.raises(ModelNotFoundError, match="Choose Natural, Smooth, big-lama"):
        service.start_fill(photo, HOLE, FillOptions("other")).result()


class Guest(MeanPipeline):
    """What it is told shows that words, sources and texture are left to it."""

    def variations(self, photo, mask, count, *, words, texture, source, **options):
        assert words is None and texture is None and source is None
        fills = super().variations(photo, mask, count, **options)
        return [replace(fill, note="of the guest") for fill in fills]


def test_variations_have_a_number(photo, monkeypatch):
    service = FillService(MeanPipeline, load_painter=GreyPainter)
    for count in (0, 9):
        with pytest.raises(ConfigError, match="1 to 8 variations"):
            service.start_variations(photo, HOLE, count).result()
    monkeypatch.setenv("SAIR_HOSTED", "1")
    with pytest.raises(ConfigError, match="1 to 4 variations"):
        service.start_variations(photo, HOLE, 5).result()


def test_without_an_spn_that_is_said(photo):
    service = FillService(MeanPipeline)
    assert not service.models.has_painter
    with pytest.raises(ModelNotFoundError, match="--spn"):
        service.start_priors(photo, HOLE).result()


def test_views_without_a_page_share_a_small_memory(photo, monkeypatch):
    caches = []
    real = MeanPipeline.view
    monkeypatch.setattr(
        MeanPipeline, "view", lambda *args, cache, **more: caches.append(cache) or real(*args, **more)
    )
    service = FillService(MeanPipeline)
    for _ in range(2):
        service.start_view(photo, Window.whole(photo.size_px, 2.0)).result()
    assert caches[0] is caches[1] and caches[0].max_bytes == SHARED_FEATURE_BYTES < 100e6
