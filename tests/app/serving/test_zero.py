"""ZeroGPU, with a lender that pickles what goes to its fork and back as the real one does."""

import pickle
from contextvars import ContextVar
from types import SimpleNamespace

import numpy as np
import pytest

from app.serving import zero
from app.serving.service import FillService
from sair_core.errors import CancelledError, EmptyMaskError
from sair_core.photos.photo import load_photo
from sair_core.window import Window
from tests.app.fakes import MeanPipeline, street

HOLE = np.zeros((120, 160), bool)
HOLE[20:40, 30:50] = True


@pytest.fixture
def asked(monkeypatch):
    """Seconds that the GPU was asked for."""
    seconds = []

    def lend(duration):
        def decorated(work):
            def call(*arguments):
                arguments = pickle.loads(pickle.dumps(arguments))
                seconds.append(duration(*arguments))
                return pickle.loads(pickle.dumps(work(*arguments)))

            return call

        return decorated

    monkeypatch.setattr(zero, "spaces", SimpleNamespace(GPU=lend))
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    return seconds


@pytest.fixture
def service():
    service = FillService(lambda: zero.on_lent_gpu(MeanPipeline("SIR")))
    service.load()
    return service


@pytest.fixture
def photo():
    return load_photo(street())


def test_without_the_package_work_stays_what_it_is(monkeypatch):
    monkeypatch.setattr(zero, "spaces", None)
    assert zero.on_gpu(zero.gpu_seconds)(len) is len


def test_elsewhere_a_pipeline_stays_what_it_is(monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    pipeline = MeanPipeline()
    assert zero.on_lent_gpu(pipeline) is pipeline


def test_the_time_asked_for_grows_with_the_output():
    times = [zero.gpu_seconds("view", (side, side), (), {}) for side in (100, 1000, 5000, 50_000)]
    assert times == sorted(set(times)) and times[0] <= 11 and times[-1] == zero.MAX_SECONDS
    assert zero.gpu_seconds("variations", (1000, 1000), (), {"count": 4}) == 18


def test_all_work_is_done_on_the_lent_gpu(asked, service, photo, tmp_path):
    window = Window(2.0, 2.0, 3.0, (600, 900))
    plain = MeanPipeline("SIR")
    assert np.array_equal(service.start_fill(photo, HOLE).result().image, plain.fill(photo, HOLE).image)
    assert np.array_equal(service.start_view(photo, window).result(), plain.view(photo, window=window))
    assert service.start_export(photo, tmp_path / "a.png", window).result() == (600, 900)
    assert service.start_words(photo, "car").result().any()
    reading = service.start_reading(photo, "sky, road", HOLE).result()
    named = plain.reader.name(plain.reader.read(photo.rgb, HOLE), ["sky", "road"])
    assert reading.completed and np.array_equal(reading.map.ids, named.ids)
    assert asked == [11, 12, 12, 11, 11]


def test_errors_arrive_and_callbacks_are_left_here(asked, service, photo):
    told = []
    with pytest.raises(EmptyMaskError):
        nothing = np.zeros_like(HOLE)
        service.start_fill(photo, nothing, progress=lambda share, text: told.append(text)).result()
    assert "Waiting for a GPU" in told
    with pytest.raises(CancelledError):
        service.start_view(photo, Window.whole((120, 160), 1.0), cancelled=lambda: True).result()
    assert len(asked) == 1


def test_everything_is_loaded_before_the_launch(asked):
    pipeline = MeanPipeline()
    service = FillService(lambda: zero.on_lent_gpu(pipeline))
    assert not service.models.ready
    service.load()
    assert service.models.ready and service.models._own_reader


def test_work_is_done_in_the_context_of_who_asks(photo):
    visitor, seen = ContextVar("visitor", default=None), []

    class Looking(MeanPipeline):
        def fill(self, *args, **options):
            seen.append(visitor.get())
            return super().fill(*args, **options)

    service = FillService(Looking)
    visitor.set("anna")
    service.start_fill(photo, HOLE).result()
    assert seen == ["anna"]
