import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sair_core.encoders import open_clip_models
from sair_core.encoders.semantic import SemanticConfig
from sair_core.models.sair import Part, SairConfig

SMALL_UNET = Part(
    "unet",
    {"widths": [8, 8, 16, 16], "blocks": [1, 1, 1], "context_blocks": 1, "heads": 2, "out_channels": 8},
)
SMALL_LIIF = Part("liif", {"hidden": 16, "layers": 3})


class TinySemanticEncoder(nn.Module):
    """Stands for CLIP: averages of 8 x 8 px blocks, projected to four dimensions."""

    embed_dim, stride = 4, 8

    def __init__(self):
        super().__init__()
        self.projection = nn.Conv2d(3, 4, 1)

    def forward(self, rgb01, hole01):
        return self.projection(nn.functional.avg_pool2d(rgb01 * (1 - hole01), 8, ceil_mode=True))


@pytest.fixture
def small_config():
    return SairConfig(
        SMALL_UNET, SMALL_LIIF, semantics="none", semantic=None, initial_fill="pull_push", long_skip=True
    )


@pytest.fixture
def semantic_config():
    return SairConfig(SMALL_UNET, SMALL_LIIF)


@pytest.fixture
def tiny_semantic_encoder():
    torch.manual_seed(0)
    return TinySemanticEncoder()


@pytest.fixture
def bundled_encoder(tmp_path, monkeypatch):
    """The configuration of a small CLIP that is bundled as "tiny-clip"."""
    import open_clip

    model = {
        "embed_dim": 4,
        "vision_cfg": {"layers": 1, "width": 16, "head_width": 8, "patch_size": 8, "image_size": 32},
        "text_cfg": {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 2, "layers": 1},
    }
    folder = tmp_path / "bundled" / "tiny-clip"
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps(model))
    torch.manual_seed(0)
    save_file(open_clip.CLIP(**model).state_dict(), folder / "model.safetensors")
    monkeypatch.setattr(open_clip_models, "BUNDLED", folder.parent)
    return SemanticConfig("tiny-clip")


@pytest.fixture
def photo_and_hole():
    torch.manual_seed(0)
    hole = torch.zeros(2, 1, 33, 46)
    hole[..., 8:20, 10:30] = 1
    return torch.rand(2, 3, 33, 46), hole
