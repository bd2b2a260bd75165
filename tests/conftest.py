import json
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image

from sair_core import layout
from sair_core.devices import has_bf16
from sair_core.models.presets import spn_preset
from sair_core.models.sair import Part, Sair, SairConfig
from sair_core.models.spn import Spn
from sair_core.pipeline import InpaintPipeline

FIXTURES = Path(__file__).parent / "fixtures"
USUAL = layout.Layout(channels_last=True, bf16=has_bf16(torch.device("cpu")))


@pytest.fixture(scope="session", autouse=True)
def usual_layout() -> Iterator[None]:
    """Networks compute in the usual layout, whatever else the machine does while it would be measured."""
    with mock.patch.object(layout, "measure", lambda: {USUAL: 1.0}):
        yield


@pytest.fixture(scope="session")
def bird() -> Image.Image:
    """A real photo, RGB, 384 x 384 px."""
    return Image.open(FIXTURES / "bird.jpg").convert("RGB")


@pytest.fixture(scope="session")
def pipe() -> InpaintPipeline:
    """The bundled model, without texture from the photo."""
    return InpaintPipeline.from_pretrained("sair-lite", texture=False)


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
    return InpaintPipeline(Sair(config), device="cpu", texture=False)


@pytest.fixture(scope="session")
def spn_pipe() -> InpaintPipeline:
    """An untrained probabilistic SPN that fills in milliseconds."""
    torch.manual_seed(0)
    return InpaintPipeline(Spn(spn_preset("tiny", probabilistic=True)), device="cpu")


@pytest.fixture(scope="session")
def lama_file(tmp_path_factory) -> Path:
    """A file with an untrained LaMa of the size that everybody uses."""
    pytest.importorskip("spandrel", reason="pip install spandrel")
    from safetensors.torch import save_file
    from spandrel.architectures.LaMa import LaMa

    path = tmp_path_factory.mktemp("engines") / "lama.safetensors"
    torch.manual_seed(0)
    save_file(LaMa(in_nc=4, out_nc=3).state_dict(), path)
    return path


@pytest.fixture(scope="session")
def lama_pipe(lama_file) -> InpaintPipeline:
    """An untrained LaMa, read from a file, as the engine."""
    return InpaintPipeline.from_pretrained(engine=str(lama_file), device="cpu")


def disc(size_px: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    ys, xs = np.mgrid[: size_px[0], : size_px[1]]
    return (ys - centre[0]) ** 2 + (xs - centre[1]) ** 2 <= radius**2


@pytest.fixture(scope="session")
def tiny_clip_folder(tmp_path_factory) -> Path:
    """A CLIP with random weights, as an open_clip folder: convolutional tower of stride 32, 16-d."""
    import open_clip
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("clips") / "tiny-clip"
    folder.mkdir()
    model = {
        "embed_dim": 16,
        "vision_cfg": {"timm_model_name": "resnet10t", "timm_model_pretrained": False, "timm_pool": "avg",
                       "timm_proj": "linear", "image_size": 64},
        "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }  # fmt: skip
    torch.manual_seed(0)
    state = {k: v.contiguous() for k, v in open_clip.CLIP(**model).state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": {}}))
    return folder
