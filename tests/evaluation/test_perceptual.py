"""LPIPS is the lpips package's, on pictures as this project has them."""

import numpy as np
import pytest
import torch
from torchvision.models import alexnet

from sair_core.evaluation import perceptual
from sair_core.evaluation.download import cached_file
from tests.evaluation.conftest import pattern

lpips = pytest.importorskip("lpips")


@pytest.fixture
def random_backbone(tmp_path, monkeypatch):
    """AlexNet's weights where torch looks for them, but random: the formula is compared, not the figures."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(perceptual, "ensure_cached", lambda *_: None)
    torch.manual_seed(0)
    path = cached_file(perceptual.WEIGHTS_URL)
    path.parent.mkdir(parents=True)
    torch.save(alexnet().state_dict(), path)
    yield
    path.unlink()


def test_it_is_what_the_package_says(random_backbone):
    a, b = pattern(0), pattern(1)
    measure = perceptual.load_lpips()
    with torch.inference_mode():
        expected = lpips.LPIPS(net="alex", verbose=False)(lpips.im2tensor(a), lpips.im2tensor(b)).item()
    assert measure(a, b) == pytest.approx(expected, rel=1e-4) and expected > 0.01
    assert measure(a, a.copy()) == 0 and measure(a, np.flip(a, 1)) > 0
