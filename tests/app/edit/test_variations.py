import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from app.edit.actions import EditActions
from app.host.limits import OWN
from app.serving.service import FillService
from app.session import Session
from app.widgets.protocol import Request
from app.widgets.requests import read_mask
from sair_core.filling.engines import NATURAL, PAINTED, SMOOTH
from sair_core.photos.photo import load_photo
from tests.app.fakes import GreyPainter, MeanPipeline

BOX = (40, 30, 50, 40)


@pytest.fixture
def painter() -> GreyPainter:
    return GreyPainter()


@pytest.fixture
def drawn(painter, tmp_path) -> EditActions:
    service = FillService(
        MeanPipeline, load_painter=lambda: painter, guest="lama", load_guest=MeanPipeline, max_megapixels=1.0
    )
    return EditActions(service, tmp_path / "no examples")


@pytest.fixture
def session(photo_file):
    return Session(load_photo(photo_file))


@pytest.fixture
def request_(painted_file):
    return Request(open=True, mask=painted_file, box=BOX)


def last(answers):
    *progress, answer = answers
    assert all(one.kind == "progress" for one in progress)
    return answer


def test_an_engine_of_others_has_one_fill_and_no_words(drawn, session, request_):
    answer = last(drawn.fill(request_, session, "grass", 1.0, "lama", 3, 7))
    assert answer.kind == "result" and "lama does not listen" in answer.text


def test_several_fills_are_kept_to_choose_from(drawn, session, request_, noise):
    answer = last(drawn.fill(request_, session, "", 1.0, PAINTED, 3, 7))
    assert (answer.kind, answer.level) == ("variations", "good")
    assert answer.text.startswith("3 variations in 0.3 s. Point at one")
    assert answer.more == {"base": "original", "seeds": [7, 8, 9], "parts": 1}
    assert len(answer.pictures) == 3 and not session.results
    mask = read_mask(request_, (90, 120))
    for seed, picture in zip((7, 8, 9), answer.pictures):
        shown = np.asarray(Image.open(io.BytesIO(picture.data)).convert("RGB"))
        assert (shown == GreyPainter.grey(seed)).all(axis=2).sum() >= mask.sum()
        kept = session.variations.photos[seed].rgb
        assert np.array_equal(kept[~mask], noise[~mask]) and (kept[mask] == GreyPainter.grey(seed)).all()


def test_one_is_taken_and_becomes_a_result(drawn, session, request_):
    last(drawn.fill(request_, session, "", 1.0, PAINTED, 3, 7))
    answer = drawn.take(Request(open=True, seed=8), session)
    assert answer.kind == "result" and answer.more == {"result": "1", "base": "original", "live": ["1"]}
    assert answer.text.startswith("You took seed 8.") and "mask is kept" in answer.text
    assert session.get("1") is session.variations.photos[8]
    assert drawn.take(Request(open=True, seed=9), session).more["live"] == ["1", "2"]


def test_what_is_not_kept_cannot_be_taken(drawn, session, request_):
    assert "no longer kept" in drawn.take(Request(open=True, seed=8), session).text
    last(drawn.fill(request_, session, "", 1.0, PAINTED, 2, 7))
    assert drawn.take(Request(open=True, seed=1), session).level == "warn"
    assert drawn.take(Request(open=True), session).level == "warn" and not session.results


def test_one_fill_is_a_result_at_once(drawn, session, request_):
    answer = last(drawn.fill(request_, session, "", 1.0, PAINTED, 1.0, 5.0))
    assert answer.kind == "result" and answer.text.startswith("Filled with seed 5 in 0.1 s.")
    assert session.variations is None and list(session.results) == ["1"]


def test_smooth_fills_once_with_the_words(drawn, session, request_, painter):
    answer = last(drawn.fill(request_, session, "car", 1.0, SMOOTH, 4, 0))
    assert answer.kind == "result" and answer.text.startswith("Filled with car in ")
    assert last(drawn.fill(request_, session)).kind == "result" and not painter.drawn


def test_natural_has_variations_too(drawn, session, request_, painter):
    answer = last(drawn.fill(request_, session, "", 1.0, NATURAL, 3, 7))
    assert answer.kind == "variations" and answer.more["seeds"] == [7, 8, 9] and not painter.drawn


def test_natural_takes_from_what_is_marked_as_its_source(drawn, session, request_, noise, tmp_path):
    marked = np.zeros((10, 20, 4), np.uint8)
    marked[..., 3] = 255
    Image.fromarray(marked).save(tmp_path / "source.png")
    request = replace(request_, source=tmp_path / "source.png", source_box=(100, 70, 20, 10))
    assert last(drawn.fill(request, session)).kind == "result"
    hole, expected = read_mask(request, (90, 120)), noise[70:80, 100:120].reshape(-1, 3).mean(axis=0)
    assert np.abs(session.get("1").rgb[hole] - expected).max() <= 1
    last(drawn.fill(request, session, "", 1.0, SMOOTH))
    assert np.abs(session.get("2").rgb[hole] - noise[~hole].mean(axis=0)).max() <= 1


def test_a_fill_is_cancelled_and_nothing_has_changed(drawn, session, request_):
    answers = drawn.fill(request_, session)
    assert next(answers).kind == "progress"
    session.stop("fill")
    assert list(answers)[-1].text.startswith("Stopped") and not session.results


def test_a_fill_ends_when_the_visitor_leaves(drawn, session, request_):
    begin, signs = session.begin, []
    session.begin = lambda kind: signs.append(begin(kind)) or signs[-1]
    answers = drawn.fill(request_, session)
    assert next(answers).kind == "progress"
    answers.close()
    assert [sign.is_set() for sign in signs] == [True]  # which the work asks for


def test_words_are_left_out_and_that_is_said(drawn, session, request_):
    assert "words were left out" in last(drawn.fill(request_, session, "grass", 1.0, PAINTED, 2, 0)).text


def test_photos_without_room_have_fewer(drawn, session, request_, monkeypatch):
    monkeypatch.setattr("app.host.limits.OWN", replace(OWN, result_pixels=3 * 90 * 120))
    answer = last(drawn.fill(request_, session, "", 1.0, PAINTED, 8, 0))
    assert answer.more["seeds"] == [0, 1, 2] and "too large to keep more than 3" in answer.text


@pytest.mark.parametrize("seed", [None, 0.5])
def test_a_seed_that_is_none_is_told(drawn, session, request_, seed):
    for answers in (
        drawn.fill(request_, session, "", 1.0, PAINTED, 2, seed),
        drawn.show_priors(request_, session, seed),
    ):
        assert "whole number" in last(answers).text


def test_a_step_that_is_missing_is_told(drawn, session):
    for request, text in ((Request(), "Open a photo"), (Request(open=True), "Nothing is marked")):
        for answers in (
            drawn.fill(request, session, "", 1.0, PAINTED, 2, 0),
            drawn.show_priors(request, session),
        ):
            answer = last(answers)
            assert (answer.kind, answer.level) == ("notice", "warn") and text in answer.text


def test_priors_are_pictures_row_by_row(drawn, session, request_):
    answer = last(drawn.show_priors(request_, session, 3))
    assert (answer.kind, answer.level) == ("priors", "good")
    assert answer.more["seeds"] == [3, 4]
    assert answer.more["columns"] == ["Prior at 1/8", "Prior at 1/4", "Prior at 1/2", "Fill"]
    pictures = [np.asarray(Image.open(io.BytesIO(one.data))) for one in answer.pictures]
    assert [one.shape[0] for one in pictures] == [6, 12, 24, 48] * 2
    assert np.array_equal(pictures[0][0], pictures[1][0, :6])  # a number has one colour
    assert (pictures[3] == GreyPainter.grey(3)).all()
