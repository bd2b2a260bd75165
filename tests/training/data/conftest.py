import numpy as np
import pytest

from sair_core.training.data.photos import TrainPhoto
from sair_core.training.data.samples import FillSamples, render_batch, to_pixels


@pytest.fixture
def fill_samples():
    """`fill_samples(**changes)`: samples of three photos whose colours are linear in y and x."""

    def make(**changes):
        ys, xs = np.mgrid[:80, :100]
        pictures = [np.stack([ys * 3, xs * 2, 0 * ys + 40 * i], axis=-1).astype(np.uint8) for i in range(3)]
        ids = (xs // 10).astype(np.uint8)  # a class is a range of the green channel
        photos = [TrainPhoto(p, None if i == 2 else ids) for i, p in enumerate(pictures)]
        return FillSamples(photos, **{**dict(size_px=32, queries=200, hole_share=0.75, seed=5), **changes})

    return make


class RenderedSamples:
    """Samples with their pictures made, by number."""

    def __init__(self, samples):
        self.samples = samples

    def __getitem__(self, number):
        photos = self.samples.photos
        return render_batch(self.samples[number], lambda index: to_pixels(photos[index]))


@pytest.fixture
def samples(fill_samples):
    """`samples(**changes)`: those of `fill_samples` with their pictures made."""
    return lambda **changes: RenderedSamples(fill_samples(**changes))


@pytest.fixture
def pictures(samples):
    """`pictures(**changes)`: twelve samples, their pictures one by one."""

    def make(**changes):
        for number in range(12):
            stack = samples(**changes)[number]
            for i in range(len(stack["rgb01"])):
                yield {name: values[i] for name, values in stack.items()}

    return make
