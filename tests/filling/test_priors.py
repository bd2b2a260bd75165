import numpy as np
import pytest
import torch

from sair_core.errors import ConfigError, EmptyMaskError
from sair_core.filling.priors import cluster
from sair_core.models.presets import spn_preset
from sair_core.models.spn import Spn
from sair_core.pipeline import InpaintPipeline
from tests.conftest import disc


def test_clusters_of_three_plain_areas():
    features = torch.zeros(1, 2, 6, 10)
    features[:, 0, :, 5:] = 4  # 30 cells, less those below
    features[:, 1, :2, 5:] = 4  # 10 cells
    ids = cluster(
        features + 0.01 * torch.randn(features.shape, generator=torch.Generator().manual_seed(0)), 3
    )
    assert ids.shape == (1, 6, 10) and ids.dtype == np.uint8
    assert (ids[0, :, :5] == 0).all() and (ids[0, 2:, 5:] == 1).all() and (ids[0, :2, 5:] == 2).all()


def test_clusters_of_nothing_and_of_one_cell():
    assert (cluster(torch.zeros(1, 3, 4, 4), 8) == 0).all()
    assert cluster(torch.rand(1, 3, 1, 1), 8).shape == (1, 1, 1)


def test_the_same_features_give_the_same_clusters():
    features = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(cluster(features, 8), cluster(features.clone(), 8))


def test_two_views_of_one_hole(spn_pipe, bird):
    photo, mask = np.asarray(bird.resize((96, 96))), disc((96, 96), (50, 40), 15)
    first, second = spn_pipe.priors(photo, mask, seed=4)
    assert (first.seed, second.seed) == (4, 5) and first.strides_px == (8, 4, 2)
    height, width = first.rgb.shape[:2]
    sizes = [(-(-height // stride), -(-width // stride)) for stride in first.strides_px]
    assert [level.shape for level in first.levels] == sizes
    assert all(level.max() < 8 for view in (first, second) for level in view.levels)
    assert first.rgb.dtype == np.uint8 and (first.rgb != second.rgb).any()
    again = spn_pipe.priors(photo, mask, seed=4)[0]
    assert all(np.array_equal(a, b) for a, b in zip(first.levels, again.levels))


def test_who_does_not_draw_has_one_view_and_a_sair_none(tiny_pipe, bird):
    mask = disc((bird.height, bird.width), (100, 150), 20)
    assert len(InpaintPipeline(Spn(spn_preset("tiny")), device="cpu").priors(bird, mask, clusters=3)) == 1
    with pytest.raises(ConfigError, match="Only an SPN"):
        tiny_pipe.priors(bird, mask)


def test_an_empty_mask_is_told(spn_pipe, bird):
    with pytest.raises(EmptyMaskError, match="Paint"):
        spn_pipe.priors(bird, np.zeros((bird.height, bird.width), bool))
