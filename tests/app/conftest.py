from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from app.edit.actions import EditActions
from app.semantics.actions import SemanticActions
from app.serving.service import FillService
from app.session import Session
from app.zoom.actions import ZoomActions
from sair_core.photos.photo import load_photo
from tests.app.fakes import MeanPipeline, load_fake_reader, street


@pytest.fixture
def service() -> FillService:
    return FillService(MeanPipeline, load_reader=load_fake_reader, max_megapixels=1.0)


@pytest.fixture
def actions(service, tmp_path) -> EditActions:
    return EditActions(service, tmp_path / "no examples")


@pytest.fixture
def semantic_actions(service) -> SemanticActions:
    return SemanticActions(service)


@pytest.fixture
def zoom_actions(service) -> ZoomActions:
    return ZoomActions(service)


@pytest.fixture
def street_session() -> Session:
    """With `street()` open, 120 x 160."""
    return Session(load_photo(street()))


@pytest.fixture
def noise() -> np.ndarray:
    """A picture in which every pixel differs from its neighbours, (90, 120, 3)."""
    return np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)


@pytest.fixture
def photo_file(tmp_path, noise):
    path = tmp_path / "photo.png"
    Image.fromarray(noise).save(path)
    return path


@pytest.fixture
def mask_file(tmp_path):
    """White = fill, 90 x 120, a block of 20 x 30 px at (40, 50)."""
    mask = np.zeros((90, 120), np.uint8)
    mask[40:60, 50:80] = 255
    path = tmp_path / "mask.png"
    Image.fromarray(mask).save(path)
    return path


@pytest.fixture
def painted_file(tmp_path):
    """What the widget sends: the painted part only, opaque = hole. Belongs at the box (40, 30, 50, 40)."""
    rgba = np.zeros((40, 50, 4), np.uint8)
    rgba[10:30, 10:40] = (255, 61, 104, 255)
    path = tmp_path / "painted.png"
    Image.fromarray(rgba).save(path)
    return path


@pytest.fixture
def host(monkeypatch):
    """The app runs where many share one machine."""
    monkeypatch.setenv("SAIR_HOSTED", "1")
