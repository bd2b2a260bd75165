"""What one visitor may take of a shared machine."""

from dataclasses import replace

import httpx
import numpy as np

from app.host.limits import OWN, SHARED, limits
from app.page import build_app, launch_options
from app.serving.service import FillService
from app.session import Session
from sair_core.photos.photo import load_photo
from tests.app.fakes import MeanPipeline


def test_a_shared_machine_gives_less(monkeypatch):
    def numbers():
        return (limits().labels, limits().variations, limits().waiting, *limits().delete_files)

    monkeypatch.delenv("SPACE_ID", raising=False)
    here, seconds = numbers(), limits().seconds
    monkeypatch.setenv("SPACE_ID", "user/name")
    assert all(there < own for there, own in zip(numbers(), here))
    assert seconds is None and limits().seconds == 120


def test_the_page_is_built_with_these_limits(host, tmp_path):
    blocks = build_app(FillService(MeanPipeline), tmp_path)
    assert blocks.delete_cache == SHARED.delete_files
    assert blocks._queue.max_size == SHARED.waiting


def test_all_that_waits_for_the_model_shares_one_slot(tmp_path):
    functions = build_app(FillService(MeanPipeline), tmp_path).fns.values()
    working = [fn for fn in functions if fn.concurrency_id == "model"]
    assert {fn.concurrency_limit for fn in working} == {4}
    assert {fn.api_name for fn in functions if fn.api_visibility == "public"} <= {
        fn.api_name for fn in working
    }


def test_another_encoder_is_offered_where_one_is_loaded(monkeypatch, tmp_path):
    def offered():
        blocks = build_app(FillService(MeanPipeline), tmp_path).blocks.values()
        names = {getattr(block, "elem_id", None) for block in blocks}
        return names & {"encoder-panel", "encoder", "encoder-load"}

    monkeypatch.delenv("SPACE_ID", raising=False)
    assert len(offered()) == 3
    monkeypatch.setenv("SAIR_HOSTED", "1")
    assert not offered()


def test_results_of_a_visitor_take_less_memory(host):
    session = Session(load_photo(np.zeros((SHARED.result_pixels // 4000, 1000, 3), np.uint8)))
    for _ in range(6):
        session.add(session.photo)
    assert list(session.results) == ["3", "4", "5", "6"]


def test_who_comes_when_too_many_wait_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setattr("app.host.limits.OWN", replace(OWN, waiting=0))
    blocks = build_app(FillService(MeanPipeline), tmp_path)
    _, url, _ = blocks.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", share=False, **launch_options()
    )
    try:
        answer = httpx.post(f"{url}gradio_api/call/view", json={"data": [None] * 7}, timeout=60)
        assert answer.status_code == 503 and "Queue is full" in answer.json()["detail"]
    finally:
        blocks.close(verbose=False)
