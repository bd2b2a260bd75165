import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module

import pytest
from huggingface_hub import constants

from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder
from sair_core.errors import ModelNotFoundError
from sair_core.weights.network import hub_or_cache


@pytest.fixture
def nowhere(monkeypatch):
    """The hub is at an address where nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{s.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)


def test_without_a_hub_an_encoder_is_refused_in_seconds(nowhere):
    import_module("open_clip")  # takes seconds by itself
    before, started = constants.HF_HUB_OFFLINE, time.monotonic()
    with pytest.raises(ModelNotFoundError, match="bundled encoder"):
        build_semantic_encoder(SemanticConfig("hf-hub:somebody/some-clip"))
    assert time.monotonic() - started < 10 and constants.HF_HUB_OFFLINE == before


def test_a_hub_that_answers_is_asked(monkeypatch):
    class Refuses(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(403)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with hub_or_cache():
        assert not constants.HF_HUB_OFFLINE
    server.shutdown()


def test_offline_stays_offline_without_asking(monkeypatch, nowhere):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("sair_core.weights.network.ask", lambda url: pytest.fail("it was asked"))
    with hub_or_cache():
        assert constants.HF_HUB_OFFLINE
    assert constants.HF_HUB_OFFLINE


def test_two_threads_leave_the_librarys_flag_as_it_was(monkeypatch, nowhere):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    entered, leave = threading.Event(), threading.Event()

    def first():
        with hub_or_cache():
            entered.set()
            leave.wait(10)

    def second():
        with hub_or_cache():
            pass

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert entered.wait(10)
    threads[1].start()
    time.sleep(0.2)  # the second would read the first one's flag here
    leave.set()
    for thread in threads:
        thread.join(10)
    assert not constants.HF_HUB_OFFLINE
