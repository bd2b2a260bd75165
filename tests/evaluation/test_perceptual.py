"""The network is never asked: its answer is replaced."""

import io
import threading

import pytest

from sair_core.errors import MissingDependencyError
from sair_core.evaluation import perceptual

pytest.importorskip("lpips")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return perceptual.cached_backbone()


def test_no_cache_and_no_network_is_said_at_once(cache, monkeypatch):
    released, answered = threading.Event(), threading.Event()

    def hang(*args, **kwargs):
        released.wait(60)
        answered.set()
        raise TimeoutError("at last")

    monkeypatch.setattr(perceptual.urllib.request, "urlopen", hang)
    with pytest.raises(MissingDependencyError, match="does not answer within 0.2 s") as caught:
        perceptual._ensure_backbone(0.2)
    assert not answered.is_set()
    assert str(cache) in str(caught.value)
    released.set()


def test_a_refused_connection_is_the_same(cache, monkeypatch):
    def refuse(*args, **kwargs):
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(perceptual.urllib.request, "urlopen", refuse)
    with pytest.raises(MissingDependencyError, match="not cached"):
        perceptual._ensure_backbone(1.0)


def test_damaged_weights_give_no_number(cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"half a download")
    with pytest.raises(MissingDependencyError, match="damaged"):
        perceptual.load_lpips()


def test_an_interrupted_download_leaves_nothing_behind(cache, monkeypatch):
    class Response:
        def __enter__(self):
            return self

        def __exit__(self, *args):
            return None

        def read(self, size):
            raise TimeoutError("timed out")

    monkeypatch.setattr(perceptual.urllib.request, "urlopen", lambda *args, **kwargs: Response())
    with pytest.raises(MissingDependencyError, match="timed out"):
        perceptual._ensure_backbone(1.0)
    assert list(cache.parent.iterdir()) == []


def test_a_damaged_download_does_not_stay(cache, monkeypatch):
    monkeypatch.setattr(perceptual, "ask", lambda *args: None)
    half = io.BytesIO(b"half of it")
    monkeypatch.setattr(perceptual.urllib.request, "urlopen", lambda *args, **kwargs: half)
    with pytest.raises(MissingDependencyError, match="arrived damaged"):
        perceptual._ensure_backbone(1.0)
    assert list(cache.parent.iterdir()) == []
