"""Stages of a request: who listens is told where the time went, and nobody else."""

import logging

import numpy as np
import pytest

from sair_core import stages
from sair_core.stages import REST, current_stage, each_stage, listen, log_stages, stage


@pytest.fixture
def clock(monkeypatch):
    """A clock that only goes on when told to."""
    now = [0.0]
    monkeypatch.setattr(stages.time, "perf_counter", lambda: now[0])

    def go_on(seconds: float) -> None:
        now[0] += seconds

    return go_on


def test_each_stage_counts_without_those_inside_it(clock):
    with listen() as found:
        clock(1)
        with stage("encode"):
            clock(2)
            with stage("semantics"):
                clock(4)
            clock(8)
        with stage("encode"):
            clock(16)
        clock(32)
    assert found.seconds == {REST: 33, "encode": 26, "semantics": 4}
    assert list(found.seconds) == [REST, "encode", "semantics"]
    assert str(found) == "the rest 33000.0 ms, encode 26000.0 ms, semantics 4000.0 ms"


def test_a_decorated_function_and_each_item_of_a_loop_are_stages(clock):
    @stage("work")
    def work(seconds: float) -> float:
        clock(seconds)
        return seconds

    with listen() as found:
        assert work(2) == 2
        assert [work(level) for level in each_stage("level", (1, 0))] == [1, 0]
    assert found.seconds == {REST: 0, "work": 3, "level 1": 0, "level 0": 0}


def test_a_stage_that_fails_ends_and_a_second_listener_begins_anew(clock):
    with listen() as first, pytest.raises(ValueError, match="no"), stage("plan"):
        clock(1)
        raise ValueError("no")
    with listen() as second:
        clock(5)
    assert first.seconds == {REST: 0, "plan": 1} and second.seconds == {REST: 5}


def test_a_log_is_told_at_debug_level_only(clock, caplog):
    log = logging.getLogger("tests.stages")
    for level in (logging.INFO, logging.DEBUG):
        with caplog.at_level(level, log.name), log_stages(log, "fill"), stage("plan"):
            clock(2)
    assert [record.getMessage() for record in caplog.records] == ["fill: the rest 0.0 ms, plan 2000.0 ms"]


def test_nobody_listens(clock):
    with stage("plan"):
        clock(1)
    with listen() as found:
        pass
    assert found.seconds == {REST: 0}


def test_the_stage_that_ends_is_the_current_one_while_it_is_waited_for(clock):
    ended = []
    with listen(lambda: ended.append(current_stage())), stage("outer"), stage("inner"):
        assert current_stage() == "inner"
    assert ended == [None, REST, "outer", "inner", "outer", REST]
    assert current_stage() is None


def test_a_device_is_waited_for_at_the_end_of_every_stage(clock):
    waited: list[int] = []
    with listen(lambda: waited.append(1)), stage("encode"):
        assert len(waited) == 2  # the rest and the stage have begun
    assert len(waited) == 4


def test_a_fill_and_a_view_name_their_stages(tiny_pipe):
    photo = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    hole = np.zeros((96, 128), bool)
    hole[40:60, 50:80] = True
    with listen() as smooth:
        tiny_pipe.fill(photo, hole, texture=False)
    assert {"open", "plan", "encode", "decode", "seam", "composite"} <= set(smooth.seconds)
    with listen() as natural:
        tiny_pipe.fill(photo, hole, texture=True)
    assert {"encode", "texture, level 0", "blend", "composite"} <= set(natural.seconds)
    with listen() as viewed:
        tiny_pipe.view(photo, scale=3, size_px=(60, 80))
    assert {"tiles", "decode"} <= set(viewed.seconds)
