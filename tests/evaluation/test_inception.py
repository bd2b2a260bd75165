"""FID is pytorch-fid's, from the same features. The network is random: the formula is compared."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import Inception3

from sair_core.evaluation import inception
from sair_core.evaluation.summary import Pictures, Tally
from tests.evaluation.conftest import pattern

pytest.importorskip("pytorch_fid")
from pytorch_fid import fid_score  # noqa: E402
from pytorch_fid import inception as published  # noqa: E402


@pytest.fixture
def random_network(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(inception, "ensure_cached", lambda *_: None)
    monkeypatch.setattr(published, "load_state_dict_from_url", lambda *_, **__: {})
    monkeypatch.setattr(Inception3, "load_state_dict", lambda *_: None)


def test_features_are_those_of_the_package(random_network, tmp_path):
    picture = pattern(2)
    Image.fromarray(picture).save(tmp_path / "a.png")
    torch.manual_seed(1)
    network = published.InceptionV3([3]).eval()
    expected = fid_score.get_activations([tmp_path / "a.png"], network, batch_size=1, num_workers=0)
    torch.manual_seed(1)
    found = inception.load_inception()(picture)
    assert found.shape == (2048,) and found == pytest.approx(expected[0], rel=1e-3, abs=1e-6)


def test_fid_is_that_of_the_package():
    rng = np.random.default_rng(0)
    filled, true = rng.normal(0, 1, (50, 8)), rng.normal(0.3, 1.5, (50, 8))
    tally, more = Tally(), Tally()
    pairs = [Pictures(*pair) for pair in zip(filled, true)]
    tally.add_pictures(("0-20", "a"), pairs[:20])
    more.add_pictures(("20-40", "a"), pairs[20:])
    tally.add(more)
    moments = (
        f(side) for side in (filled, true) for f in (lambda x: x.mean(0), lambda x: np.cov(x, rowvar=False))
    )
    expected = fid_score.calculate_frechet_distance(*moments)
    assert tally.fid(["0-20", "20-40"], "a") == pytest.approx(expected, rel=1e-3)
    assert tally.fid(["0-20"], "a") != pytest.approx(expected, rel=1e-3)
    assert tally.fid(["40-60"], "a") is None
