import numpy as np
import pytest
import torch

from sair_core.errors import ConfigError
from sair_core.models.sair import SairFeatures
from sair_core.photos.photo import load_photo
from sair_core.pipeline import InpaintPipeline
from sair_core.zoom.cache import FeatureCache, Tile
from sair_core.zoom.tiles import Region, spans


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_tiles_are_encoded_once_and_by_content(tiny_pipe, monkeypatch):
    rgb = noise(900, 60)
    photo, cache = load_photo(rgb), FeatureCache()
    encoded = []
    real = tiny_pipe.model.encode
    monkeypatch.setattr(tiny_pipe.model, "encode", lambda *a, **k: encoded.append(1) or real(*a, **k))
    for centre, scale in (((-0.9, 0), 2.0), ((-0.9, 0), 9.5), ((-0.8, 0.1), 64.0)):
        tiny_pipe.view(photo, centre_yx=centre, scale=scale, size_px=(40, 40), cache=cache)
    assert len(encoded) == 1 and len(cache) == 1
    tiny_pipe.view(load_photo(rgb.copy()), centre_yx=(-0.9, 0), scale=2.0, size_px=(40, 40), cache=cache)
    assert len(encoded) == 1, "the same pixels, opened again"
    changed = rgb.copy()
    changed[880:] = 0
    tiny_pipe.view(changed, centre_yx=(-0.9, 0), scale=2.0, size_px=(40, 40), cache=cache)
    assert len(encoded) == 1, "changed elsewhere"
    tiny_pipe.view(changed, centre_yx=(0.95, 0), scale=2.0, size_px=(40, 40), cache=cache)
    assert len(encoded) == 2
    other = InpaintPipeline(tiny_pipe.model, device="cpu", texture=False)
    other.view(photo, centre_yx=(-0.9, 0), scale=2.0, size_px=(40, 40), cache=cache)
    assert len(encoded) == 3, "another pipeline's"


def test_the_cache_keeps_within_its_size(tiny_pipe):
    photo = load_photo(noise(1500, 40))
    cache = FeatureCache(max_bytes=1)
    tiny_pipe.view(photo, scale=1.5, size_px=(2200, 40), cache=cache)
    assert len(cache) == 1
    roomy = FeatureCache()
    tiny_pipe.view(photo, scale=1.5, size_px=(2200, 40), cache=roomy)
    assert len(roomy) == 4 and roomy.size_bytes == sum(t.size_bytes for t in roomy._tiles.values())


def test_the_tile_asked_for_longest_ago_goes_first():
    photo, (column,) = load_photo(noise(1500, 40)), spans(40, 16)
    regions = [Region(row, column) for row in spans(1500, 16)[:3]]
    tile = Tile(SairFeatures(torch.zeros(1, 1, 10, 10)), torch.zeros(3, 4, 4, dtype=torch.half))
    cache, made = FeatureCache(2 * tile.size_bytes), []

    def ask(index: int) -> None:
        assert cache.tile(photo, regions[index], b"model", lambda: made.append(index) or tile) is tile

    for index in (0, 1, 0, 2, 0, 1):
        ask(index)
    assert made == [0, 1, 2, 1] and len(cache) == 2 and cache.size_bytes == cache.max_bytes
    cache.clear()
    assert len(cache) == cache.size_bytes == 0
    ask(0)
    assert made[-1] == 0 and len(made) == 5


def test_a_cache_without_room_is_refused():
    with pytest.raises(ConfigError, match="1 byte"):
        FeatureCache(0)
