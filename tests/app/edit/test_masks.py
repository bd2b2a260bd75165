import io

import numpy as np
import pytest
from PIL import Image

from app.edit.masks import MaskActions
from app.session import Session
from app.widgets import pictures
from app.widgets.protocol import REQUEST, Request
from sair_core.photos.photo import load_photo

BOX = (40, 30, 50, 40)


@pytest.fixture
def masks(service) -> MaskActions:
    return MaskActions(service)


@pytest.fixture
def session(photo_file):
    return Session(load_photo(photo_file))


@pytest.mark.parametrize(
    "action, more",
    [("select", ("car", False)), ("grow", (4,)), ("shrink", (4,)), ("upload", ()), ("save", ())],
)
def test_without_a_photo_every_action_says_so(masks, action, more):
    for request, session in ((Request(), None), (Request(open=True), None)):
        answer = getattr(masks, action)(request, session, *more)
        answer = list(answer)[-1] if action == "select" else answer
        assert (answer.kind, answer.level) == ("notice", "warn")
        assert "pen" in answer.text  # open a photo first; open it again


def test_grow_and_shrink(masks, session, painted_file):
    request = Request(open=True, mask=painted_file, box=BOX)
    grown = masks.grow(request, session, 5).pictures[0]
    assert (grown.x, grown.y, grown.width, grown.height) == (45, 35, 40, 30)
    shrunk = masks.shrink(request, session, 5).pictures[0]
    assert (shrunk.x, shrunk.y, shrunk.width, shrunk.height) == (55, 45, 20, 10)
    assert masks.shrink(request, session, 64).level == "warn"


def test_mask_upload(masks, session, mask_file, tmp_path):
    answer = masks.upload(Request(open=True, file=mask_file), session)
    assert answer.kind == "mask" and "5.6%" in answer.text
    assert (answer.pictures[0].x, answer.pictures[0].y) == (50, 40)
    Image.new("L", (50, 90)).save(tmp_path / "other.png")
    other = masks.upload(Request(open=True, file=tmp_path / "other.png"), session)
    assert other.level == "error" and "50 x 90" in other.text and "120 x 90" in other.text
    Image.new("L", (120, 90)).save(tmp_path / "black.png")
    assert masks.upload(Request(open=True, file=tmp_path / "black.png"), session).level == "warn"


def test_words_become_the_mask(masks, street_session):
    *progress, answer = masks.select(Request(open=True), street_session, " car ", False)
    assert all(one.kind == "progress" for one in progress)
    assert answer.kind == "mask" and answer.text == "car: 8 % of the photo is marked. Press Fill."
    assert answer.more == {"add": False}
    picture = answer.pictures[0]
    assert (picture.x, picture.y, picture.width, picture.height) == (24, 72, 104, 24)
    added = list(masks.select(Request(open=True), street_session, "sky, car", True))[-1]
    assert added.more == {"add": True} and "is added" in added.text


def test_points_select_the_thing_under_them(masks, street_session):
    on_car = {"points": [[30, 75]], "inside": [True]}
    *progress, answer = masks.touch(REQUEST.validate_python({"open": True, **on_car}), street_session, 0)
    assert all(one.kind == "progress" for one in progress)
    assert answer.kind == "mask" and answer.text.startswith("8 % of the photo is selected.")
    assert answer.more == {"touched": True}
    picture = answer.pictures[0]
    assert (picture.x, picture.y, picture.width, picture.height) == (24, 72, 104, 24)
    grown = list(masks.touch(REQUEST.validate_python({"open": True, **on_car}), street_session, 4))[-1]
    assert grown.pictures[0].width > picture.width
    outside = Request(open=True, points=((3000, 75),), inside=(True,))
    assert "outside the photo" in list(masks.touch(outside, street_session, 0))[-1].text
    assert list(masks.touch(Request(), None, 0))[-1].level == "warn"


def test_words_that_name_nothing_are_told(masks, street_session):
    assert "No unicorn" in list(masks.select(Request(open=True), street_session, "unicorn", False))[-1].text
    empty = list(masks.select(Request(open=True), street_session, " ", False))[-1]
    assert empty.level == "warn" and "No label was given" in empty.text


def test_mask_download_is_what_was_painted(masks, session, painted_file, mask_file):
    answer = masks.save(Request(open=True, mask=painted_file, box=BOX), session)
    assert answer.name == "sair-mask.png"
    assert np.array_equal(Image.open(io.BytesIO(answer.file)), Image.open(mask_file))
    assert masks.save(Request(open=True), session).level == "warn"


def test_thin_lines_of_a_mask_are_there_on_a_reduced_view(masks, monkeypatch, tmp_path):
    monkeypatch.setattr(pictures, "MAX_DISPLAY_PIXELS", 90 * 120)
    session = Session(load_photo(np.zeros((360, 480, 3), np.uint8)))
    for line in (121, 122, 123, 124):
        mask = np.zeros((360, 480), np.uint8)
        mask[line, 40:400] = 255
        Image.fromarray(mask).save(tmp_path / "line.png")
        answer = masks.upload(Request(open=True, file=tmp_path / "line.png"), session)
        (picture,) = answer.pictures
        assert (picture.x, picture.y, picture.width, picture.height) == (10, line // 4, 90, 1)
