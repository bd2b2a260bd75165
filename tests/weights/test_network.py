import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import constants
from open_clip import pretrained

from sair_core.encoders.pretext import PretextConfig, build_pretext
from sair_core.encoders.semantic import SemanticConfig, build_semantic_encoder
from sair_core.errors import ModelNotFoundError
from sair_core.weights import network
from sair_core.weights.network import hub_or_cache


@pytest.fixture
def nowhere(monkeypatch):
    """The hub is at an address where nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{s.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)


def test_without_a_hub_an_encoder_is_refused_at_once(monkeypatch, nowhere):
    """The library is told that it is offline, and so does not try again for half a minute."""
    download, offline = pretrained.download_pretrained_from_hf, []

    def watched(*args, **options):
        offline.append(constants.HF_HUB_OFFLINE)
        return download(*args, **options)

    monkeypatch.setattr(pretrained, "download_pretrained_from_hf", watched)
    before = constants.HF_HUB_OFFLINE
    with pytest.raises(ModelNotFoundError, match="bundled encoder"):
        build_semantic_encoder(SemanticConfig("hf-hub:somebody/some-clip"))
    assert offline == [True] and constants.HF_HUB_OFFLINE == before


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_semantic_encoder(SemanticConfig("timm:samvit_base_patch16")),
        lambda: build_semantic_encoder(SemanticConfig("ViT-B-16", "openai")),
        lambda: build_pretext(PretextConfig("test_resnet", upsample=2), (1, 2, 4)),
    ],
    ids=["timm", "open_clip", "pretext"],
)
def test_a_hub_that_never_answers_is_asked_once(monkeypatch, tmp_path, build):
    """The libraries by themselves ask again for three quarters of a minute."""
    connections = []
    with socket.create_server(("127.0.0.1", 0), backlog=16) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))

        def accept():
            while True:
                try:
                    connections.append(silent.accept())
                except OSError:  # closed
                    return

        threading.Thread(target=accept, daemon=True).start()
        assert network.TIMEOUT_SECONDS <= 2
        with pytest.raises(ModelNotFoundError, match="could not be fetched"):
            build()
    assert len(connections) == 1


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


def test_nobody_waits_for_the_download_of_another(monkeypatch):
    asked = []
    monkeypatch.setattr(network, "_is_there", lambda url: asked.append(url) or True)
    before, inside, done = constants.HF_HUB_OFFLINE, threading.Event(), threading.Event()

    def download():
        with hub_or_cache():
            inside.set()
            done.wait(10)

    first = threading.Thread(target=download)
    first.start()
    assert inside.wait(10)
    with hub_or_cache():
        assert len(asked) == 1  # by the first, which is still inside
        done.set()
        first.join(10)
        assert not first.is_alive()
    assert constants.HF_HUB_OFFLINE == before


def test_two_threads_leave_the_librarys_flag_as_it_was(monkeypatch, nowhere):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    entered, waiting, leave = threading.Event(), threading.Event(), threading.Event()

    class Lock:
        """The module's lock, which tells when the second thread has come to it."""

        def __enter__(self, lock=network._LOCK):
            if entered.is_set():
                waiting.set()
            lock.acquire()

        def __exit__(self, *error, lock=network._LOCK):
            lock.release()

    monkeypatch.setattr(network, "_LOCK", Lock())

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
    assert waiting.wait(10)  # without waiting it would read the first one's flag here
    leave.set()
    for thread in threads:
        thread.join(10)
    assert not constants.HF_HUB_OFFLINE
