import numpy as np
import pytest

from app import session as module
from app.session import ORIGINAL, NoPhotoError, Session
from sair_core.images import load_photo


def grey(value, size=(4, 4)):
    return load_photo(np.full((*size, 3), value, np.uint8))


def test_results_are_numbered_and_found():
    session = Session(grey(1))
    assert [session.add(grey(2)), session.add(grey(3))] == ["1", "2"]
    assert session.get(ORIGINAL).rgb[0, 0, 0] == 1
    assert session.get("2").rgb[0, 0, 0] == 3


def test_the_oldest_results_go_first(monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 3 * 16)
    session = Session(grey(0))
    ids = [session.add(grey(i)) for i in range(5)]
    assert list(session.results) == ids[-3:]
    assert session.add(grey(9)) == "6"
    with pytest.raises(NoPhotoError):
        session.get("1")


def test_two_results_are_kept_of_the_largest_photo(monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 1)
    session = Session(grey(0))
    for i in range(4):
        session.add(grey(i))
    assert len(session.results) == 2


def test_new_work_of_a_kind_stops_the_one_before():
    session = Session(grey(0))
    session.stop("view")  # there is none yet
    view, export = session.begin("view"), session.begin("export")
    newer = session.begin("view")
    assert view.is_set() and not newer.is_set() and not export.is_set()
    session.stop()
    assert newer.is_set() and export.is_set()


@pytest.mark.parametrize("host, size", [("0", module.FEATURE_BYTES), ("1", module.HOSTED_FEATURE_BYTES)])
def test_every_visitor_has_features_of_their_own(monkeypatch, host, size):
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setenv("SAIR_HOSTED", host)
    one, other = Session(grey(0)), Session(grey(0))
    assert one.features is one.features is not other.features and one.features.max_bytes == size
