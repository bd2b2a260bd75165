from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sair_core.models.sair import Part, Sair, SairConfig
from sair_core.pipeline import InpaintPipeline

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def bird() -> Image.Image:
    """A real photo, RGB, 384 x 384 px."""
    return Image.open(FIXTURES / "bird.jpg").convert("RGB")


@pytest.fixture(scope="session")
def pipe() -> InpaintPipeline:
    """The bundled model."""
    return InpaintPipeline.from_pretrained("sair-lite")


@pytest.fixture(scope="session")
def tiny_pipe() -> InpaintPipeline:
    """An untrained model that fills in milliseconds: for tests of everything but the quality of a fill."""
    torch.manual_seed(0)
    unet = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1], "context_blocks": 1, "heads": 2, "out_channels": 8}
    config = SairConfig(
        Part("unet", unet),
        Part("liif", {"hidden": 8}),
        "none",
        None,
        initial_fill="pull_push",
        long_skip=True,
    )
    return InpaintPipeline(Sair(config), device="cpu")


def disc(size_px: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    ys, xs = np.mgrid[: size_px[0], : size_px[1]]
    return (ys - centre[0]) ** 2 + (xs - centre[1]) ** 2 <= radius**2
