"""What a pipeline remembers, and how it is stopped and closed."""

import gc
import weakref

import numpy as np
import pytest

from sair_core.errors import CancelledError
from sair_core.pipeline import InpaintPipeline
from tests.conftest import disc


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_cancelled_fill_gives_nothing_and_leaves_no_trace(spn_pipe, bird, calls):
    """Asked before the first step and after each of three."""
    mask, asked, shares = disc((bird.height, bird.width), (100, 150), 20), [], []
    with pytest.raises(CancelledError):
        spn_pipe.variations(
            bird,
            mask,
            3,
            seed=7,
            progress=lambda share, text: shares.append(share),
            cancelled=lambda: asked.append(1) or len(asked) > calls,
        )
    assert len(asked) == calls + 1 and max(shares) < 1
    again = spn_pipe.fill(bird, mask, seed=7)
    assert np.array_equal(again.image, spn_pipe.variations(bird, mask, 1, seed=7)[0].image)


def test_a_view_whose_fill_is_cancelled_remembers_nothing(tiny_pipe, bird):
    mask, pipe = (
        disc((bird.height, bird.width), (100, 150), 20),
        InpaintPipeline(tiny_pipe.model, device="cpu", texture=False),
    )
    with pytest.raises(CancelledError):
        pipe.view(bird, mask, scale=2.0, size_px=(40, 40), cancelled=lambda: True)
    assert not pipe._filled and len(pipe._features) == 0
    assert np.array_equal(
        pipe.view(bird, mask, scale=2.0, size_px=(40, 40)),
        tiny_pipe.view(bird, mask, scale=2.0, size_px=(40, 40)),
    )


def test_closing_frees_what_is_remembered_and_the_pipeline_goes_on(spn_pipe, bird):
    mask, view = disc((bird.height, bird.width), (100, 150), 20), {"scale": 2.0, "size_px": (40, 40)}
    with InpaintPipeline(spn_pipe.model, device="cpu") as pipe:
        before = pipe.view(bird, mask, **view), pipe.mask_from_words(bird, "bird")
        reader, features = pipe.reader, pipe._features
        kept = [weakref.ref(pipe.sair), weakref.ref(reader), weakref.ref(next(iter(pipe._filled.values())))]
        assert len(features) and len(reader._embeddings) and len(reader.text._vectors)
    assert not (len(features) or len(reader._embeddings) or len(reader.text._vectors) or pipe._filled)
    del reader
    gc.collect()
    assert not any(ref() for ref in kept), "nothing else holds them"
    pipe.close()
    after = pipe.view(bird, mask, **view), pipe.mask_from_words(bird, "bird")
    assert all(np.array_equal(a, b) for a, b in zip(before, after)) and len(features)
