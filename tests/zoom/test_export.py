import numpy as np
import pytest
import tifffile
from PIL import Image

from sair_core.errors import CancelledError, ConfigError, PhotoError, PhotoTooLargeError
from sair_core.window import Window
from sair_core.zoom import export as module
from sair_core.zoom import tiles as tiling
from sair_core.zoom.function import PhotoFunction


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_the_file_has_the_stated_size_and_the_photos_colours(tiny_pipe, bird, tmp_path, suffix):
    size = tiny_pipe.export(bird, tmp_path / f"out{suffix}", scale=1.6)
    image = Image.open(tmp_path / f"out{suffix}")
    assert size == (614, 614) and image.size == (614, 614) and image.mode == "RGB"
    small = np.asarray(image.resize((384, 384), Image.Resampling.BOX)).astype(int)
    assert np.abs(small - np.asarray(bird).astype(int)).mean() < 12


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pieces_equal_the_view(tiny_pipe, bird, tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_PX", 64)
    window = Window.around((384, 384), (0.3, 0.1), 2.5, (150, 210))
    tiny_pipe.export(bird, tmp_path / f"part{suffix}", window=window)
    view = np.asarray(tiny_pipe.view(bird, window=window)).astype(int)
    assert np.abs(np.asarray(Image.open(tmp_path / f"part{suffix}")).astype(int) - view).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "I;16"])
def test_grey_alpha_and_profile_are_kept(tiny_pipe, bird, tmp_path, mode, suffix):
    grey = bird.convert("L")
    alpha = Image.linear_gradient("L").resize(bird.size)
    photo = {
        "L": grey,
        "LA": Image.merge("LA", (grey, alpha)),
        "RGBA": Image.merge("RGBA", (*bird.split(), alpha)),
        "I;16": Image.fromarray(np.asarray(grey).astype(np.uint16) * 257),
    }[mode]
    photo.info["icc_profile"] = b"a profile"
    path = tmp_path / f"out{suffix}"
    tiny_pipe.export(photo, path, scale=2.0)
    pixels = tifffile.imread(path) if suffix == ".tif" else np.asarray(Image.open(path))
    bands = {"L": 1, "LA": 2, "RGBA": 4, "I;16": 1}[mode]
    assert pixels.reshape(768, 768, -1).shape[2] == bands
    if mode in ("LA", "RGBA"):
        assert np.abs(pixels[::2, ::2, -1].astype(int) - np.asarray(alpha)).max() <= 3
    if mode != "I;16":
        assert Image.open(path).info["icc_profile"] == b"a profile"


def test_a_window_is_cut_to_the_photo(tiny_pipe, bird, tmp_path):
    size = tiny_pipe.export(bird, tmp_path / "a.png", window=Window(-10, 300, 2.0, (100, 400)))
    assert size == (80, 168) and Image.open(tmp_path / "a.png").size == (168, 80)
    with pytest.raises(ConfigError, match="outside the photo"):
        tiny_pipe.export(bird, tmp_path / "b.png", window=Window(900, 0, 2.0, (10, 10)))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_cancelling_leaves_nothing(tiny_pipe, bird, tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(module, "BLOCK_PX", 64)
    shares = []
    with pytest.raises(CancelledError):
        tiny_pipe.export(
            bird,
            tmp_path / f"out{suffix}",
            progress=lambda share, text: shares.append(share),
            cancelled=lambda: len(shares) >= 3,
        )
    assert len(shares) == 3 and shares == sorted(shares)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_said(tiny_pipe, bird, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="must end in"):
        tiny_pipe.export(bird, tmp_path / "out.bmp")
    with pytest.raises(PhotoError, match="cannot be written"):
        tiny_pipe.export(bird, tmp_path / "nowhere" / "out.png")
    monkeypatch.setattr(module, "MAX_WHOLE_MEGAPIXELS", 0.5)
    with pytest.raises(PhotoTooLargeError, match=r"\.tif"):
        tiny_pipe.export(bird, tmp_path / "out.png")
    assert tiny_pipe.export(bird, tmp_path / "out.tif") == (768, 768)


def test_an_export_comes_back_to_few_tiles(tiny_pipe, tmp_path, monkeypatch):
    """Its cache holds few, and blocks taken row by row would make a large photo's tiles anew in each row."""
    made, sizes = [], []
    tile = PhotoFunction._tile

    def counted(function, region):
        found = tile(function, region)
        made.append(region)
        sizes.append(found.size_bytes)
        return found

    monkeypatch.setattr(PhotoFunction, "_tile", counted)
    for name, size in (("CORE_PX", 96), ("WHOLE_PX", 100), ("OVERLAP_PX", 4), ("BLOCK_PX", 128)):
        for where in (module, tiling):
            monkeypatch.setattr(where, name, size, raising=False)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (380, 570, 3), np.uint8))
    tiny_pipe.export(photo, tmp_path / "a.png", scale=1.1)
    tiles = len(set(made))
    monkeypatch.setattr("sair_core.pipeline.EXPORT_CACHE_BYTES", 4 * max(sizes))
    made.clear()
    tiny_pipe.export(photo, tmp_path / "b.png", scale=4.0)
    assert tiles == 4 * 6 and tiles <= len(made) < 2 * tiles
