"""Weights from the network, which is never asked: its answer is replaced."""

import io
import threading

import pytest

from sair_core.errors import MissingDependencyError
from sair_core.evaluation import download
from sair_core.evaluation.download import cached_file, ensure_cached

URL = "https://example.org/models/network-7be5be79.pth"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return cached_file(URL)


def test_no_cache_and_no_network_is_said_at_once(cache, monkeypatch):
    released, answered = threading.Event(), threading.Event()

    def hang(*args, **kwargs):
        released.wait(60)
        answered.set()
        raise TimeoutError("at last")

    monkeypatch.setattr(download.urllib.request, "urlopen", hang)
    with pytest.raises(MissingDependencyError, match="does not answer within 0.2 s") as caught:
        ensure_cached(URL, 0.2)
    assert not answered.is_set()
    assert str(cache) in str(caught.value)
    released.set()


def test_a_refused_connection_is_the_same(cache, monkeypatch):
    def refuse(*args, **kwargs):
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(download.urllib.request, "urlopen", refuse)
    with pytest.raises(MissingDependencyError, match="not cached"):
        ensure_cached(URL, 1.0)


def test_damaged_weights_give_no_number(cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"half a download")
    with pytest.raises(MissingDependencyError, match="damaged"):
        ensure_cached(URL)


def test_an_interrupted_download_leaves_nothing_behind(cache, monkeypatch):
    class Response:
        def __enter__(self):
            return self

        def __exit__(self, *args):
            return None

        def read(self, size):
            raise TimeoutError("timed out")

    monkeypatch.setattr(download.urllib.request, "urlopen", lambda *args, **kwargs: Response())
    with pytest.raises(MissingDependencyError, match="timed out"):
        ensure_cached(URL, 1.0)
    assert list(cache.parent.iterdir()) == []


def test_a_damaged_download_does_not_stay(cache, monkeypatch):
    monkeypatch.setattr(download, "ask", lambda *args: None)
    half = io.BytesIO(b"half of it")
    monkeypatch.setattr(download.urllib.request, "urlopen", lambda *args, **kwargs: half)
    with pytest.raises(MissingDependencyError, match="arrived damaged"):
        ensure_cached(URL, 1.0)
    assert list(cache.parent.iterdir()) == []
