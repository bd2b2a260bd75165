import json

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from sair_core.training.align import imagenet, task
from sair_core.training.align.config import AlignConfig

TRUNK = "tf_efficientnet_lite0"


class FakeTeacher:
    """Stands for MiniLM: a fixed random unit vector for each phrase."""

    def everyday_words(self):
        return [f"word{i}" for i in range(60)]

    def __call__(self, phrases):
        rows = []
        for phrase in phrases:
            generator = torch.Generator().manual_seed(sum(map(ord, phrase)) * 7919 + len(phrase))
            rows.append(torch.randn(24, generator=generator))
        return torch.nn.functional.normalize(torch.stack(rows), dim=-1)


@pytest.fixture
def labelled_folder(tmp_path):
    """Ten photos: blue above (sky), green below (grass), a void line between; one map of another size."""
    folder = tmp_path / "labelled" / "train"
    folder.mkdir(parents=True)
    classes = [{"id": 0, "name": "sky", "synonyms": ["clouds"]}, {"id": 1, "name": "grass"}]
    (folder.parent / "classes.json").write_text(json.dumps({"classes": classes, "partial_sources": ["half"]}))
    rng = np.random.default_rng(0)
    for i in range(10):
        photo = rng.integers(0, 60, (96, 128, 3), dtype=np.uint8)
        line = 30 + 4 * i
        photo[:line, :, 2] += 150
        photo[line:, :, 1] += 150
        ids = np.where(np.arange(96)[:, None] < line, 0, 1).repeat(128, axis=1).astype(np.uint8)
        ids[line - 1 : line + 1] = 255
        prefix = "half" if i == 9 else "full"
        Image.fromarray(photo).save(folder / f"{prefix}_{i}.jpg", quality=95)
        Image.fromarray(ids if i else ids[:50]).save(folder / f"{prefix}_{i}.png")
    return folder


@pytest.fixture
def named_folder(tmp_path):
    folder = tmp_path / "named"
    folder.mkdir()
    for name in ("opennature_x.jpg", "imagenetsample_n01978287_dungeness_crab.jpg", "houses_1.jpg"):
        Image.new("RGB", (90, 80), (10, 20, 200)).save(folder / name)
    return folder


@pytest.fixture
def tiny_align(labelled_folder, named_folder, tmp_path, monkeypatch):
    """A run of seconds: fields can be changed by keyword."""
    monkeypatch.setattr(task, "MiniLm", FakeTeacher)

    def make(**changes):
        fields = dict(
            labelled=(str(labelled_folder),), named=(str(named_folder),), output=str(tmp_path / "run"),
            trunk="resnet10t", imagenet=False, embed_dim=16, text_width=32, text_layers=1, text_steps=3,
            text_batch=8, steps=3, batch=3, named_batch=1, size_px=64, enlarge=(1.0, 1.5), distractors=8,
            warmup_steps=2, workers=0, val_share=0.2, device="cpu", bf16=False, validate_every=2,
            save_every=1,
        )  # fmt: skip
        return AlignConfig(**{**fields, **changes})

    return make


@pytest.fixture
def pretrained(monkeypatch):
    """A classifier with random weights in the place of the package's: its projection is fitted briefly."""
    monkeypatch.setattr(imagenet, "FIT_STEPS", 20)
    torch.manual_seed(2)
    network = timm.create_model(TRUNK, pretrained=False).eval()
    monkeypatch.setattr(task, "load_classifier", lambda trunk: network)
    return network


@pytest.fixture
def tiny_imagenet(tiny_align):
    def make(**changes):
        fields = {"trunk": TRUNK, "imagenet": True, "frozen_stages": 2, "steps": 2, "name_shift": 0.0}
        return tiny_align(**{**fields, **changes})

    return make
