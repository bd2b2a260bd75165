"""What a model makes of a hole is kept for the next fill of it, and never for another."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.machine import square_mask
from sair_core.filling.guides import GuideCache
from sair_core.photos.photo import load_photo
from sair_core.pipeline import InpaintPipeline

HOLE = square_mask(96, 128, side=24)


@pytest.fixture
def encoded(tiny_pipe, monkeypatch) -> list[None]:
    """How often the model is asked."""
    calls: list[None] = []
    encode = tiny_pipe.filler.encode

    def count(*args: object) -> object:
        calls.append(None)
        return encode(*args)

    tiny_pipe.close()
    monkeypatch.setattr(tiny_pipe.filler, "encode", count)
    return calls


def test_another_seed_asks_no_model_and_fills_as_ever(tiny_pipe, bird, encoded):
    photo = load_photo(np.asarray(bird)[100:196, 100:228])
    kept = [tiny_pipe.fill(photo, HOLE, texture=True, seed=seed).photo.rgb for seed in (0, 1)]
    assert len(encoded) == 1
    fresh = InpaintPipeline(tiny_pipe.model, device="cpu")
    for seed, rgb in enumerate(kept):
        again = load_photo(photo.rgb)
        np.testing.assert_array_equal(fresh.fill(again, HOLE, texture=True, seed=seed).photo.rgb, rgb)


def test_another_hole_or_photo_asks_it_again(tiny_pipe, bird, encoded):
    photo = load_photo(np.asarray(bird)[100:196, 100:228])
    for one, hole in ((photo, HOLE), (photo, np.roll(HOLE, 3)), (load_photo(photo.rgb[::-1]), HOLE)):
        tiny_pipe.fill(one, hole, texture=True)
    assert len(encoded) == 3
    tiny_pipe.close()
    tiny_pipe.fill(photo, HOLE, texture=True)
    assert len(encoded) == 4


def test_memory_is_bounded(bird):
    photo, cache = load_photo(bird), GuideCache(max_bytes=100)
    large, small = np.zeros(101, np.uint8), np.zeros(60, np.uint8)
    other = ~HOLE
    assert cache.get(photo, HOLE, None, lambda: large) is large
    assert cache.get(photo, HOLE, None, lambda: small) is small  # the large one was not kept
    assert cache.get(photo, HOLE, None, lambda: large) is small
    assert cache.get(photo, HOLE, 64, lambda: large) is large  # another detail
    cache.get(photo, other, None, lambda: small.copy())
    assert cache.get(photo, HOLE, None, lambda: large) is large  # it made room
