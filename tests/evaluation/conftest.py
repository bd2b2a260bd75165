"""Three tiny photos, each a different smooth pattern."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIZE_PX = 48


def pattern(index: int, height: int = 60, width: int = 72) -> np.ndarray:
    """uint8 (height, width, 3): waves whose direction and colours depend on the index."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    waves = [np.sin((x * (1 + index) + y * (3 - c)) / 11 + c) for c in range(3)]
    return np.rint(127.5 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, name in enumerate("abc"):
        Image.fromarray(pattern(index)).save(folder / f"{name}.png")
    return folder
