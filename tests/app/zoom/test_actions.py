import threading
import time
from pathlib import Path

import numpy as np
import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from app.host.exports import check_export, export_limits
from app.semantics.actions import AS_IS, SemanticActions
from app.serving.models import BUNDLED
from app.serving.service import FillService
from app.session import Session
from app.widgets.protocol import Request
from app.zoom.actions import VIEW, WHOLE, ZoomActions
from sair_core.errors import ModelNotFoundError, PhotoTooLargeError
from sair_core.photos.photo import load_photo
from sair_core.semantics.map import palette
from sair_core.window import Window, resample
from tests.app.fakes import WAIT_SECONDS, MeanPipeline, street, until

WINDOW = Window(60.0, 20.0, 4.0, (100, 120))  # of `street()`: road and a car
OPEN = Request(open=True, seen="original", window=WINDOW, number=7)


def pixels(picture) -> np.ndarray:
    return np.asarray(Image.open(picture.data))


def turned(rgb: np.ndarray) -> np.ndarray:
    """As the fake pipeline shows it."""
    return np.dstack([rgb[..., :2], 255 - rgb[..., 2:]])


def exported(actions, session, what=WHOLE, scale=2, format="PNG", request=OPEN):
    return list(actions.export(request, session, what, scale, format))


def export_folder(session: Session) -> Path:
    return session._folders["export"][-1]


@pytest.mark.parametrize("against", [None, "bicubic", "nearest"])
def test_a_view_shows_the_window_asked_for(zoom_actions, street_session, against):
    request = Request(open=True, seen="original", window=WINDOW, against=against, number=7)
    *progress, answer = zoom_actions.view(request, street_session)
    assert all(one.kind == "progress" for one in progress)
    assert answer.kind == "view" and answer.more == {"request": 7}
    ours, plain = answer.pictures
    assert np.array_equal(pixels(ours), turned(resample(street(), WINDOW, "bicubic")))
    assert np.array_equal(pixels(plain), resample(street(), WINDOW, against or "bicubic"))
    for picture in answer.pictures:
        assert (picture.x, picture.y, picture.width, picture.height) == (20, 60, 30, 25)


def test_a_view_is_of_the_photo_that_is_seen(zoom_actions, street_session):
    id = street_session.add(load_photo(np.full((120, 160, 3), 90, np.uint8)))
    *_, answer = zoom_actions.view(Request(open=True, seen=id, window=WINDOW), street_session)
    assert (pixels(answer.pictures[1]) == 90).all()


def test_profile_and_transparency_are_shown(zoom_actions):
    rgba = np.dstack([street(), np.full((120, 160), 255, np.uint8)])
    rgba[40:80, :, 3] = 0
    image = Image.fromarray(rgba)
    image.info["icc_profile"] = b"profile"
    session = Session(load_photo(image))
    answer = list(zoom_actions.view(OPEN, session))[-1]
    for picture in answer.pictures:
        shown = Image.open(picture.data)
        assert shown.mode == "RGBA" and shown.info["icc_profile"] == session.photo.icc_profile
        alpha = np.asarray(shown)[..., 3]
        assert not alpha[:70].any() and (alpha[90:] == 255).all()


def test_labels_at_any_scale(service, zoom_actions, street_session):
    labels = Request(open=True, seen="original", window=WINDOW, against="labels")
    assert "Show map" in list(zoom_actions.view(labels, street_session))[-1].text
    request = Request(open=True, seen="original")
    list(SemanticActions(service).show(request, street_session, "sky, road, car", True, AS_IS, BUNDLED))
    answer = list(zoom_actions.view(labels, street_session))[-1]
    colours = palette(4)[1:3]  # of road and car
    below = resample(street(), WINDOW, "bicubic")
    nearest = resample(street(), WINDOW, "nearest")
    expected = (
        below
        + (np.where((nearest == (200, 40, 40)).all(-1)[..., None], colours[1], colours[0]) - below * 1.0)
        * 0.6
    )
    assert np.abs(pixels(answer.pictures[1]) - expected).max() <= 1
    id = street_session.add(street_session.photo)
    other = Request(open=True, seen=id, window=WINDOW, against="labels")
    assert list(zoom_actions.view(other, street_session))[-1].level == "warn"  # the map is of another photo


def test_without_a_photo_or_a_place_every_action_says_so(zoom_actions, street_session):
    for request, session in ((Request(), None), (Request(open=True), None)):
        for answers in (
            zoom_actions.view(request, session),
            exported(zoom_actions, session, request=request),
        ):
            answer = list(answers)[-1]
            assert (answer.kind, answer.level) == ("notice", "warn") and "pen" in answer.text
    nowhere = Request(open=True)
    assert list(zoom_actions.view(nowhere, street_session))[-1].level == "error"
    assert exported(zoom_actions, street_session, VIEW, request=nowhere)[-1].level == "error"


def test_views_have_a_largest_size(zoom_actions, street_session):
    request = Request(open=True, window=Window(0, 0, 64, (64, 5000)))
    assert "at most 1600 px" in list(zoom_actions.view(request, street_session))[-1].text


class Slow(MeanPipeline):
    """Shows nothing until `gate` is set or it is told to stop."""

    def __init__(self):
        super().__init__()
        self.gate = threading.Event()
        self.begun = []
        self.stopped = []

    def view(self, *args, cancelled=None, **options):
        self.begun.append(options["window"])
        while not self.gate.wait(0.01):
            if cancelled():
                self.stopped.append(options["window"])
                break
        return super().view(*args, cancelled=cancelled, **options)


def test_a_newer_view_stops_the_one_before(street_session):
    pipeline, answers = Slow(), []
    actions = ZoomActions(FillService(lambda: pipeline))
    first = threading.Thread(target=lambda: answers.extend(actions.view(OPEN, street_session)))
    first.start()
    until(lambda: pipeline.begun)
    second = Window(0.0, 0.0, 2.0, (50, 50))
    newer = actions.view(Request(open=True, window=second, number=8), street_session)
    until(lambda: next(newer).more["text"] or True)
    first.join(WAIT_SECONDS)
    assert answers[-1].kind == "view" and not answers[-1].pictures and answers[-1].more == {"request": 7}
    until(lambda: pipeline.stopped == [WINDOW])  # the model is free for the newer one
    pipeline.gate.set()
    last = list(newer)[-1]
    assert last.more == {"request": 8} and len(last.pictures) == 2


def test_a_view_that_waits_for_its_turn_is_never_begun(street_session):
    pipeline, gate = MeanPipeline(), threading.Event()
    service, answers = FillService(lambda: pipeline), []
    service.work.submit(lambda _: gate.wait(WAIT_SECONDS))
    pipeline.view = None  # would fail
    actions = ZoomActions(service)
    waiting = threading.Thread(target=lambda: answers.extend(actions.view(OPEN, street_session)))
    waiting.start()
    until(lambda: len(service.work) == 2)
    street_session.stop("view")
    waiting.join(WAIT_SECONDS)
    gate.set()
    assert answers[-1].kind == "view" and not answers[-1].pictures
    until(lambda: not len(service.work))


@pytest.mark.parametrize(
    "format, kind, suffix",
    [("PNG", "PNG", "png"), ("JPEG", "JPEG", "jpg"), ("WebP", "WEBP", "webp"), ("TIFF", "TIFF", "tif")],
)
def test_the_whole_photo_in_every_format(zoom_actions, street_session, format, kind, suffix):
    *progress, answer = exported(zoom_actions, street_session, WHOLE, 2.5, format)
    assert [one.more["share"] for one in progress] == sorted(one.more["share"] for one in progress)
    assert (answer.kind, answer.level) == ("download", "good")
    assert answer.name == f"photo-2.5x.{suffix}" and f"400 x 300 px as {format}" in answer.text
    assert answer.file.is_relative_to(get_upload_folder())
    image = Image.open(answer.file)
    assert image.format == kind and image.size == (400, 300)


def test_the_view_at_its_scale(zoom_actions, street_session):
    answer = exported(zoom_actions, street_session, VIEW, 9)[-1]
    assert answer.name == "photo-view-4x.png" and "120 x 100 px" in answer.text
    shown = np.asarray(Image.open(answer.file))
    assert np.array_equal(shown, turned(resample(street(), WINDOW, "bicubic")))


def test_one_export_is_kept(zoom_actions, street_session):
    first = exported(zoom_actions, street_session)[-1].file
    second = exported(zoom_actions, street_session)[-1].file
    assert not first.parent.exists() and second.is_file()


def test_the_newest_views_are_kept(actions, zoom_actions, street_session, photo_file):
    made = []
    for number in range(6):
        request = Request(open=True, window=Window(float(number), 0.0, 2.0, (50, 50)))
        *_, answer = zoom_actions.view(request, street_session)
        made.append([picture.data for picture in answer.pictures])
        assert all(path.is_relative_to(get_upload_folder()) and path.is_file() for path in made[-1])
    kept = [pair for pair in made if all(path.is_file() for path in pair)]
    assert kept == made[-4:] and not any(pair[0].parent.exists() for pair in made[:-4])
    _, later = actions.open(Request(file=photo_file), street_session)
    list(zoom_actions.view(Request(open=True, window=WINDOW), later))
    assert not made[2][0].parent.exists() and made[3][0].is_file()  # of the photo before, too


@pytest.mark.parametrize("scale", [None, 0, 0.99, 64.1, float("nan")])
def test_scales_that_cannot_be(zoom_actions, street_session, scale):
    answer = exported(zoom_actions, street_session, WHOLE, scale)[-1]
    assert answer.level == "error" and "from 1 to 64" in answer.text


def test_limits_are_lower_on_a_shared_host(monkeypatch, zoom_actions, street_session):
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.delenv("SAIR_HOSTED", raising=False)
    assert export_limits()["TIFF"]["megapixels"] == 400 and export_limits()["PNG"]["megapixels"] == 100
    check_export((20000, 20000), "TIFF")
    with pytest.raises(PhotoTooLargeError, match="at most 100 megapixels"):
        check_export((20000, 20000), "PNG")
    with pytest.raises(PhotoTooLargeError, match="16383 px a side"):
        check_export((100, 20000), "WebP")
    monkeypatch.setenv("SPACE_ID", "someone/studio")
    assert {one["megapixels"] for one in export_limits().values()} == {32}
    answer = exported(zoom_actions, street_session, WHOLE, 64)[-1]
    assert answer.level == "error" and "10240 x 7680 px (78.6 megapixels)" in answer.text


class Endless(MeanPipeline):
    """Exports the same rows again and again, until it is told to stop."""

    endless = True

    def export(self, *args, progress=None, cancelled=None, **options):
        while self.endless and not cancelled():
            progress(0.5, "Rendering")
            time.sleep(0.01)
        return super().export(*args, progress=progress, cancelled=cancelled, **options)


def test_an_export_is_cancelled_at_once(street_session):
    pipeline = Endless()
    actions = ZoomActions(FillService(lambda: pipeline))
    answers = actions.export(OPEN, street_session, WHOLE, 30, "PNG")
    until(lambda: next(answers).more["share"])
    folder = export_folder(street_session)
    assert folder.is_dir()
    street_session.stop("export")
    *_, answer = answers
    assert (answer.kind, answer.text) == ("notice", "Export cancelled. Nothing was saved.")
    until(lambda: not folder.exists())
    pipeline.endless = False
    assert exported(actions, street_session, scale=1)[-1].kind == "download"  # the way is free again


def test_an_export_ends_when_the_visitor_leaves(street_session):
    actions = ZoomActions(FillService(Endless))
    answers = actions.export(OPEN, street_session, WHOLE, 30, "PNG")
    until(lambda: next(answers).more["share"])
    answers.close()
    until(lambda: not export_folder(street_session).exists())


def test_another_photo_ends_what_is_under_way(actions, service, street_session, photo_file):
    signs = [street_session.begin("view"), street_session.begin("export")]
    actions.open(Request(file=photo_file), street_session)
    assert all(sign.is_set() for sign in signs)


def test_a_missing_model_is_told(street_session):
    def load():
        raise ModelNotFoundError("There is no model 'x'. Give a folder.")

    actions = ZoomActions(FillService(load))
    for answers in (actions.view(OPEN, street_session), exported(actions, street_session)):
        answer = list(answers)[-1]
        assert (answer.level, answer.text) == ("error", "There is no model 'x'. Give a folder.")
    until(lambda: not export_folder(street_session).exists())
