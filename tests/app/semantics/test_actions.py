import io

import numpy as np
import pytest
from PIL import Image

from app.semantics.actions import AS_IS, COMPLETED, HIDDEN, SemanticActions
from app.serving.models import BUNDLED
from app.serving.service import FillService
from app.widgets.protocol import Request
from sair_core.errors import ModelNotFoundError
from sair_core.photos.photo import load_photo
from sair_core.semantics.map import palette
from sair_core.semantics.words import EVERYTHING_ELSE
from tests.app.fakes import MeanPipeline, street

OPEN = Request(open=True, seen="original")


def shown(actions, session, labels="sky, road, car", rest=True, under=AS_IS, encoder=BUNDLED, request=OPEN):
    return list(actions.show(request, session, labels, rest, under, encoder))


@pytest.fixture
def mapped(semantic_actions, street_session):
    """A session with a map of sky, road, car and everything else."""
    shown(semantic_actions, street_session)
    return street_session


@pytest.fixture
def painted(tmp_path):
    """A request with the left half of the sky painted."""
    Image.new("RGBA", (80, 60), "red").save(tmp_path / "half.png")
    return Request(open=True, seen="original", mask=tmp_path / "half.png", box=(0, 0, 80, 60))


def test_a_map_has_its_legend_and_its_picture(semantic_actions, street_session):
    *progress, answer = shown(semantic_actions, street_session)
    assert all(one.kind == "progress" for one in progress)
    assert (answer.kind, answer.level) == ("map", "good") and not answer.more["hole"]
    legend = answer.more["legend"]
    assert [one["label"] for one in legend] == ["sky", "road", "car", EVERYTHING_ELSE]
    assert sum(one["share"] for one in legend) == pytest.approx(1, abs=1e-4)
    assert legend[2]["share"] == pytest.approx(0.08, abs=0.01)
    pixels = np.asarray(Image.open(io.BytesIO(answer.pictures[0].data)))
    assert pixels.shape == (120, 160, 3) and pixels[5, 80, 0] == 0 and pixels[115, 80, 0] == 1
    assert (pixels[..., 1] > 240).mean() > 0.99  # the fake is sure of its own colours


def test_labels_are_as_typed_and_everything_else_is_a_choice(semantic_actions, street_session):
    answer = shown(semantic_actions, street_session, "Road;  sky\nRoad", rest=False)[-1]
    assert [one["label"] for one in answer.more["legend"]] == ["road", "sky"]


@pytest.mark.parametrize("labels", ["", " , ,", "a" * 100, ",".join(f"w{i}" for i in range(70))])
def test_labels_that_cannot_be_used_are_told(semantic_actions, street_session, labels):
    answer = shown(semantic_actions, street_session, labels)[-1]
    assert (answer.kind, answer.level) == ("notice", "warn") and "label" in answer.text
    assert street_session.map is None


def test_without_a_photo_every_action_says_so(semantic_actions):
    for request, session in ((Request(), None), (Request(open=True), None)):
        answers = [
            shown(semantic_actions, session, request=request)[-1],
            semantic_actions.choose(request, session),
            semantic_actions.save_map(request, session),
        ]
        assert all((one.kind, one.level) == ("notice", "warn") and "pen" in one.text for one in answers)


def test_without_a_map_there_is_nothing_to_choose_or_save(semantic_actions, street_session):
    for answer in (
        semantic_actions.choose(Request(open=True, label=0), street_session),
        semantic_actions.save_embedding(OPEN, street_session),
    ):
        assert answer.level == "warn" and "Show map" in answer.text


def test_the_map_is_of_the_photo_that_is_seen(semantic_actions, street_session):
    filled = street()
    filled[filled[..., 0] == 200] = (100, 100, 105)  # the cars are gone
    id = street_session.add(load_photo(filled))
    answer = shown(semantic_actions, street_session, request=Request(open=True, seen=id))[-1]
    assert answer.more["legend"][2]["share"] == 0
    assert street_session.map[0] == id
    chosen = semantic_actions.choose(Request(open=True, label=1), street_session)
    assert chosen.more["of"] == id


def test_a_mask_hides_and_sir_completes(street_session, painted):
    actions = SemanticActions(FillService(lambda: MeanPipeline(model="SIR")))
    shares = {}
    for under in (AS_IS, HIDDEN, COMPLETED):
        answer = shown(actions, street_session, under=under, request=painted)[-1]
        shares[under] = answer.more["legend"][1]["share"]
        assert answer.level == "good" and answer.more["hole"] == (under != AS_IS)
    assert shares[COMPLETED] > shares[AS_IS] + 0.2  # the fake completes with road


def test_a_model_without_completion_says_so(semantic_actions, street_session, painted):
    answer = shown(semantic_actions, street_session, under=COMPLETED, request=painted)[-1]
    assert (answer.kind, answer.level) == ("map", "warn") and "completes nothing" in answer.text
    nothing_painted = shown(semantic_actions, street_session, under=COMPLETED)[-1]
    assert nothing_painted.level == "good" and not nothing_painted.more["hole"]


def test_a_full_mask_leaves_nothing_to_look_at(semantic_actions, street_session, tmp_path):
    Image.new("RGBA", (160, 120), "red").save(tmp_path / "all.png")
    request = Request(open=True, mask=tmp_path / "all.png", box=(0, 0, 160, 120))
    answer = shown(semantic_actions, street_session, under=HIDDEN, request=request)[-1]
    assert answer.level == "warn" and "whole photo" in answer.text


def test_a_label_becomes_the_mask(semantic_actions, mapped):
    answer = semantic_actions.choose(Request(open=True, label=2), mapped)
    assert answer.kind == "mask" and answer.more == {"of": "original", "add": False}
    assert answer.text == "car: 8 % of the photo is marked. Press Fill."
    picture = answer.pictures[0]
    assert (picture.x, picture.y, picture.width, picture.height) == (24, 72, 104, 24)


def test_a_click_takes_the_region_around_it(semantic_actions, mapped):
    answer = semantic_actions.choose(Request(open=True, at=(30, 80), add=True), mapped)
    picture = answer.pictures[0]
    assert (picture.x, picture.y, picture.width, picture.height) == (24, 72, 32, 24)
    assert answer.text == "car: 4 % of the photo is added to the mask. Press Fill." and answer.more["add"]


def test_wild_clicks_stay_inside(semantic_actions, mapped):
    assert semantic_actions.choose(Request(open=True, at=(10**6, -5)), mapped).text.startswith("sky")
    assert semantic_actions.choose(Request(open=True, label=99), mapped).text.startswith(EVERYTHING_ELSE)


def test_a_label_that_is_nowhere_cannot_be_chosen(semantic_actions, street_session):
    shown(semantic_actions, street_session, "sky, road, unicorn", rest=False)
    answer = semantic_actions.choose(Request(open=True, label=2), street_session)
    assert answer.level == "warn" and "unicorn" in answer.text


def test_downloads(semantic_actions, mapped):
    answer = semantic_actions.save_map(OPEN, mapped)
    image = Image.open(io.BytesIO(answer.file))
    assert answer.name == "sair-map.png" and image.mode == "P" and image.size == (160, 120)
    assert image.getpalette()[:12] == palette(4).ravel().tolist()
    raw = semantic_actions.save_embedding(OPEN, mapped)
    array = np.load(io.BytesIO(raw.file))
    assert raw.name == "sair-embedding.npy" and array.dtype == np.float16 and array.shape == (15, 20, 3)
    assert "15 x 20 x 3" in raw.text


def test_another_encoder_is_loaded_and_used(semantic_actions, street_session):
    *progress, (answer, chosen) = semantic_actions.load_encoder(OPEN, None, "  RN50   openai ", BUNDLED)
    assert all(chosen == BUNDLED for _, chosen in progress)
    assert answer.level == "good" and chosen == "RN50 openai"
    assert shown(semantic_actions, street_session, encoder=chosen)[-1].kind == "map"


@pytest.mark.parametrize("name", [" ", "bundled"])
def test_back_to_the_bundled_encoder(semantic_actions, name):
    ((answer, chosen),) = semantic_actions.load_encoder(OPEN, None, name, "RN50 openai")
    assert answer.level == "good" and chosen == BUNDLED


def test_offline_the_bundled_encoder_stays(semantic_actions, street_session):
    *_, (answer, chosen) = semantic_actions.load_encoder(OPEN, None, "ViT-B-16 openai", BUNDLED)
    assert chosen == BUNDLED and answer.level == "error"
    assert "could not be fetched" in answer.text and "The bundled encoder stays chosen" in answer.text
    assert shown(semantic_actions, street_session, encoder=chosen)[-1].kind == "map"


def test_a_missing_bundled_encoder_is_told(street_session):
    class Bare(MeanPipeline):
        def __init__(self):
            pass

        @property
        def reader(self):
            raise ModelNotFoundError("There is no encoder here. Fetch it.")

    answer = shown(SemanticActions(FillService(Bare)), street_session)[-1]
    assert (answer.level, answer.text) == ("error", "There is no encoder here. Fetch it.")
