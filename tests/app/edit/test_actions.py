import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from app.edit.actions import EditActions
from app.host.exports import PHOTO_FORMATS
from app.host.limits import OWN
from app.serving.service import FillService
from app.session import Session
from app.widgets.protocol import Request
from app.widgets.requests import read_mask
from sair_core.errors import ModelNotFoundError
from sair_core.photos.photo import load_photo
from sair_core.photos.write import encode_image
from tests.app.fakes import COLOURS

BOX = (40, 30, 50, 40)


@pytest.fixture
def session(photo_file):
    return Session(load_photo(photo_file))


def filled(actions, session, painted_file, *guide, base="original"):
    request = Request(open=True, base=base, mask=painted_file, box=BOX)
    return list(actions.fill(request, session, *guide))


def test_open_gives_the_photo_upright(actions, tmp_path, noise):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise).save(path, exif=exif)
    answer, session = actions.open(Request(file=path), None)
    assert answer.kind == "photo" and session.photo.size_px == (120, 90)
    assert (answer.more["width"], answer.more["height"]) == (90, 120)
    assert Image.open(io.BytesIO(answer.pictures[0].data)).size == (90, 120)


def test_a_photo_that_cannot_be_opened_leaves_the_old_one(actions, session, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    answer, kept = actions.open(Request(file=tmp_path / "broken.png"), session)
    assert (answer.kind, answer.level) == ("notice", "error") and kept is session


def test_a_photo_that_is_too_large_is_refused_by_its_header(actions, tmp_path):
    Image.new("L", (1200, 1000)).save(tmp_path / "large.png")
    answer, session = actions.open(Request(file=tmp_path / "large.png"), None)
    assert answer.level == "error" and "1.2 megapixels" in answer.text and session is None


def test_a_failed_upload_is_told(actions):
    answer, _ = actions.open(Request(problem="File too large"), None)
    assert answer.level == "error" and "File too large" in answer.text


def test_words_say_what_the_hole_is_filled_with(actions, session, painted_file):
    answer = filled(actions, session, painted_file, " car ", 1.0)[-1]
    assert answer.text.startswith("Filled with car in ")
    mask = read_mask(Request(mask=painted_file, box=BOX), session.photo.size_px)
    assert np.abs(session.get("1").rgb[mask].astype(int) - COLOURS["car"]).max() <= 1


def test_only_examples_of_the_folder_can_be_opened(service, tmp_path, photo_file):
    folder = tmp_path / "examples"
    folder.mkdir()
    photo_file.rename(folder / "old_town.png")
    (folder / "LICENSE.txt").write_text("text")
    actions = EditActions(service, folder)
    (card,) = actions.example_cards()
    assert card["name"] == "old_town" and card["label"] == "Old town"
    assert card["thumbnail"].startswith("data:image/jpeg;base64,")
    assert actions.open(Request(example="old_town"), None)[0].kind == "photo"
    assert actions.open(Request(example="../examples/old_town"), None)[0].kind == "notice"


def test_fill_changes_the_painted_part_only(actions, session, painted_file, noise):
    *progress, answer = filled(actions, session, painted_file)
    assert all(one.kind == "progress" for one in progress)
    assert (answer.kind, answer.level) == ("result", "good")
    assert answer.more == {"result": "1", "base": "original", "live": ["1"]}
    hole = np.zeros((90, 120), bool)
    hole[40:60, 50:80] = True
    result = session.get("1").rgb
    assert np.array_equal(result[~hole], noise[~hole])
    assert len(np.unique(result[hole], axis=0)) == 1


def test_a_result_can_be_filled_again(actions, session, painted_file):
    filled(actions, session, painted_file)
    answer = filled(actions, session, painted_file, base="1")[-1]
    assert answer.more == {"result": "2", "base": "1", "live": ["1", "2"]}


def test_the_result_that_is_filled_again_and_again_is_never_lost(actions, session, painted_file, monkeypatch):
    monkeypatch.setattr("app.host.limits.OWN", replace(OWN, result_pixels=1))  # room for two
    filled(actions, session, painted_file)
    for number in ("2", "3", "4"):
        answer = filled(actions, session, painted_file, base="1")[-1]
        assert answer.more == {"result": number, "base": "1", "live": ["1", number]}


@pytest.mark.parametrize("action, more", [("fill", ()), ("save", ("PNG", 95))])
def test_without_a_photo_every_action_says_so(actions, action, more):
    for request, session in ((Request(), None), (Request(open=True), None)):
        answer = getattr(actions, action)(request, session, *more)
        answer = list(answer)[-1] if action == "fill" else answer
        assert (answer.kind, answer.level) == ("notice", "warn")
        assert "pen" in answer.text  # open a photo first; open it again


def test_fill_refuses_an_empty_and_a_full_mask(actions, session, tmp_path):
    (empty,) = actions.fill(Request(open=True), session)
    assert empty.level == "warn" and "Nothing is marked" in empty.text
    Image.new("RGBA", (120, 90), "red").save(tmp_path / "all.png")
    request = Request(open=True, mask=tmp_path / "all.png", box=(0, 0, 120, 90))
    (full,) = actions.fill(request, session)
    assert full.level == "warn" and "Everything is marked" in full.text


def test_a_missing_model_is_told(session, painted_file, tmp_path):
    def load():
        raise ModelNotFoundError("There is no model 'x'. Give a folder.")

    answer = filled(EditActions(FillService(load), tmp_path), session, painted_file)[-1]
    assert (answer.level, answer.text) == ("error", "There is no model 'x'. Give a folder.")


@pytest.mark.parametrize("format, name", [("PNG", "png"), ("JPEG", "jpg"), ("WebP", "webp")])
def test_save_in_every_format(actions, session, painted_file, format, name):
    filled(actions, session, painted_file)
    answer = actions.save(Request(open=True, shown="1"), session, format, 100)
    assert answer.name == f"sair-result-1.{name}"
    image = Image.open(io.BytesIO(answer.file))
    assert image.format == format.upper() and image.size == (120, 90)
    if format != "JPEG":
        assert np.array_equal(np.asarray(image), session.get("1").rgb)


def test_quality_makes_smaller_files(actions, session, painted_file):
    filled(actions, session, painted_file)
    sizes = [len(actions.save(Request(open=True, shown="1"), session, "JPEG", q).file) for q in (50, 95)]
    assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize("mode", ["RGBA", "L", "LA", "I;16"])
def test_a_saved_result_keeps_its_mode_and_its_known_pixels(actions, tmp_path, painted_file, mode):
    rng = np.random.default_rng(1)
    dtype, top = (np.uint16, 65536) if mode == "I;16" else (np.uint8, 256)
    channels = {"RGBA": (4,), "LA": (2,)}.get(mode, ())
    native = rng.integers(0, top, (90, 120, *channels)).astype(dtype)
    Image.fromarray(native).save(tmp_path / "photo.png")
    _, session = actions.open(Request(file=tmp_path / "photo.png"), None)
    filled(actions, session, painted_file)
    saved = Image.open(io.BytesIO(actions.save(Request(open=True, shown="1"), session, "PNG", 95).file))
    assert saved.mode == mode
    known = np.ones((90, 120), bool)
    known[40:60, 50:80] = False
    assert np.array_equal(np.asarray(saved)[known], native[known])


def test_nothing_to_save_yet(actions, session):
    assert "Fill" in actions.save(Request(open=True), session, "PNG", 95).text
    assert actions.save(Request(open=True, shown="7"), session, "PNG", 95).level == "warn"


def test_only_the_first_frame_of_an_animation_is_opened_and_said_so(actions, tmp_path):
    frames = [Image.new("RGB", (120, 90), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    answer, session = actions.open(Request(file=tmp_path / "moving.gif"), None)
    assert "several pictures: the first one is open" in answer.text
    assert session.photo.rgb[0, 0].tolist() == [255, 0, 0]


def test_formats_offered_are_formats_known():
    for format in PHOTO_FORMATS:
        assert encode_image(Image.new("RGB", (4, 4)), format)
