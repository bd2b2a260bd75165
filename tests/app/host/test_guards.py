from dataclasses import replace

import numpy as np
import pytest

from app.host.guards import TooLongError, limit_time, read_labels
from app.host.limits import OWN, SHARED
from app.semantics.actions import AS_IS, SemanticActions
from app.serving.service import FillService
from app.session import Session
from app.widgets.protocol import Request
from sair_core.errors import LabelError
from sair_core.photos.photo import load_photo
from sair_core.semantics.words import EVERYTHING_ELSE
from sair_core.window import Window
from tests.app.fakes import MeanPipeline


def test_labels_are_counted(host):
    words = [f"word {i}" for i in range(SHARED.labels + 1)]
    assert read_labels(words[1:]) == words[1:]
    service, photo = FillService(MeanPipeline), load_photo(np.zeros((8, 8, 3), np.uint8))
    for work in (service.start_reading(photo, words), service.start_words(photo, ", ".join(words))):
        with pytest.raises(LabelError, match="33 labels are too many: at most 32"):
            work.result()


@pytest.mark.parametrize("hosted, most", [("0", 64), ("1", 32)])
def test_everything_else_comes_on_top(monkeypatch, hosted, most):
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setenv("SAIR_HOSTED", hosted)
    words = [f"word {i}" for i in range(most)]
    all_of_them = [words[0], EVERYTHING_ELSE, *words[1:]]
    assert read_labels(all_of_them) == all_of_them
    assert read_labels(", ".join(all_of_them).replace("everything", " Everything ")) == all_of_them
    with pytest.raises(LabelError, match=f"{most + 1} labels are too many: at most {most}"):
        read_labels([*all_of_them, "one more"])
    for nothing in (" , ;", []):
        with pytest.raises(LabelError, match="No label was given"):
            read_labels(nothing)
    session = Session(load_photo(np.zeros((8, 8, 3), np.uint8)))
    actions = SemanticActions(FillService(MeanPipeline))
    *_, answer = actions.show(Request(open=True), session, ", ".join(words), True, AS_IS)
    assert answer.kind == "map" and len(answer.more["legend"]) == most + 1


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """What the clock shows at each look at it, from the last to the first; 0 when there is nothing more."""
    times: list[float] = []
    monkeypatch.setattr("app.host.guards.monotonic", lambda: times.pop() if times else 0.0)
    return times


def test_work_that_takes_too_long_is_ended_when_it_reports(clock):
    told = []
    clock += [0.06, 0.04, 0.0]
    report = limit_time(lambda share, text: told.append(share), 0.05)
    report(0.1, "")
    with pytest.raises(TooLongError, match=r"longer than the 0\.05 s"):
        report(0.5, "")
    report(1.0, "Done")  # it is: nobody gets anything out of an error now
    assert told == [0.1, 1.0]
    assert limit_time(told.append, None) == told.append


def test_an_export_that_takes_too_long_leaves_nothing(monkeypatch, tmp_path, clock):
    clock += [0.06, 0.04, 0.0]
    monkeypatch.setattr("app.host.limits.OWN", replace(OWN, seconds=0.05))
    service = FillService(lambda: MeanPipeline())
    photo = load_photo(np.zeros((8, 8, 3), np.uint8))
    work = service.start_export(photo, tmp_path / "a.png", Window(0.0, 0.0, 32.0, (256, 8)))
    with pytest.raises(TooLongError):
        work.result()
    assert not list(tmp_path.iterdir())
