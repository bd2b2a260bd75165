from dataclasses import replace

import numpy as np
import pytest

from app.host.limits import OWN, SHARED
from app.session import ORIGINAL, NoPhotoError, Session
from sair_core.photos.photo import load_photo


def grey(value, size=(4, 4)):
    return load_photo(np.full((*size, 3), value, np.uint8))


def test_results_are_numbered_and_found():
    session = Session(grey(1))
    assert [session.add(grey(2)), session.add(grey(3))] == ["1", "2"]
    assert session.get(ORIGINAL).rgb[0, 0, 0] == 1
    assert session.get("2").rgb[0, 0, 0] == 3


def test_the_oldest_results_go_first(monkeypatch):
    monkeypatch.setattr("app.host.limits.OWN", replace(OWN, result_pixels=3 * 16))
    session = Session(grey(0))
    ids = [session.add(grey(i)) for i in range(5)]
    assert list(session.results) == ids[-3:]
    assert session.add(grey(9)) == "6"
    with pytest.raises(NoPhotoError):
        session.get("1")


def test_two_results_are_kept_of_the_largest_photo(monkeypatch):
    monkeypatch.setattr("app.host.limits.OWN", replace(OWN, result_pixels=1))
    session = Session(grey(0))
    for i in range(4):
        session.add(grey(i))
    assert len(session.results) == 2


def test_the_result_that_is_edited_stays(monkeypatch):
    monkeypatch.setattr("app.host.limits.OWN", replace(OWN, result_pixels=1))
    session = Session(grey(0))
    base = session.add(grey(7))
    for i in range(4):
        newest = session.add(grey(i), keep=base)
        assert list(session.results) == [base, newest] and session.get(base).rgb[0, 0, 0] == 7
    last = session.add(grey(9))  # the photo itself is edited again
    assert list(session.results) == [newest, last]


def test_new_work_of_a_kind_stops_the_one_before():
    session = Session(grey(0))
    session.stop("view")  # there is none yet
    view, export = session.begin("view"), session.begin("export")
    newer = session.begin("view")
    assert view.is_set() and not newer.is_set() and not export.is_set()
    session.stop()
    assert newer.is_set() and export.is_set()


def test_the_newest_folders_of_a_kind_stay(tmp_path):
    folders = [tmp_path / str(i) for i in range(6)]
    for folder in folders:
        folder.mkdir()
        (folder / "view.png").touch()
    session = Session(grey(0))
    session.keep_folder("export", folders[0])
    for folder in folders[1:]:
        session.keep_folder("view", folder)
    assert [folder.exists() for folder in folders] == [True, False, True, True, True, True]


def test_what_can_be_made_again_is_forgotten(tmp_path):
    session = Session(grey(1))
    session.add(grey(2))
    features = session.features
    session.map, session.variations = object(), object()
    for kind in ("view", "export"):
        (tmp_path / kind).mkdir()
        session.keep_folder(kind, tmp_path / kind)
    session.forget()
    assert session.map is session.variations is None and session.features is not features
    assert [path.name for path in tmp_path.iterdir()] == ["export"]  # it may still be on its way
    assert list(session.results) == ["1"] and session.get(ORIGINAL).rgb[0, 0, 0] == 1


@pytest.mark.parametrize("host, size", [("0", OWN.feature_bytes), ("1", SHARED.feature_bytes)])
def test_every_visitor_has_features_of_their_own(monkeypatch, host, size):
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setenv("SAIR_HOSTED", host)
    one, other = Session(grey(0)), Session(grey(0))
    assert one.features is one.features is not other.features and one.features.max_bytes == size
