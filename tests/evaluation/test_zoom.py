import json

import numpy as np
import pytest
from PIL import Image

from sair_core.errors import ConfigError
from sair_core.evaluation import zoom
from sair_core.window import Window, resample


@pytest.fixture
def photos():
    ys, xs = np.mgrid[:97, :120]
    waves = 127 + 100 * np.sin(ys / 5)[..., None] * np.sin(xs / np.array([4, 6, 9])[:, None, None]).transpose(
        1, 2, 0
    )
    return [waves.astype(np.uint8), np.ascontiguousarray(waves[::-1, ::-1]).astype(np.uint8)]


def enlarge(method):
    return lambda rgb, scale: resample(rgb, Window.whole(rgb.shape[:2], scale), method)


@pytest.mark.parametrize("scale", [2.0, 2.7, 3.0])
def test_better_enlargements_score_higher(photos, scale):
    found = zoom.measure(photos, scale, {"bicubic": enlarge("bicubic"), "nearest": enlarge("nearest")})
    for figure in ("psnr_y", "psnr", "ssim"):
        assert found["bicubic"][figure] > found["nearest"][figure]
    assert 20 < found["bicubic"]["psnr"] < 60 and found["bicubic"]["ssim"] <= 1


def test_luma_is_scored_as_in_super_resolution_papers(photos):
    """A shift of all channels by v shifts the luma by 219 / 255 of v."""
    true = photos[0] // 2
    psnr_y, psnr, _ = zoom._compare(true + 51, true, 2)
    assert psnr == pytest.approx(20 * np.log10(255 / 51), abs=1e-6)
    assert psnr_y == pytest.approx(20 * np.log10(255 / 43.8), abs=0.05)


def test_photos_too_small_for_the_scale(photos):
    with pytest.raises(ConfigError, match="too small for x6"):
        zoom.measure(photos, 6.0, {"bicubic": enlarge("bicubic")})


def test_the_command_prints_bars_and_tells_by_its_status(photos, tmp_path, capsys, monkeypatch, tiny_pipe):
    for i, photo in enumerate(photos):
        Image.fromarray(photo).save(tmp_path / f"p{i}.png")
    monkeypatch.setattr(zoom.InpaintPipeline, "from_pretrained", lambda model, device: tiny_pipe)
    command = ["--data", str(tmp_path), "--scales", "2", "--json", str(tmp_path / "out.json"), "--model", "m"]
    status = zoom.main(command)
    content = json.loads((tmp_path / "out.json").read_text())
    figures = content["figures"]["2.0"]
    assert list(figures) == ["bicubic", "lanczos", "m"] and content["photos"] == 2
    gain = figures["m"]["psnr_y"] - max(figures[name]["psnr_y"] for name in ("bicubic", "lanczos"))
    out = capsys.readouterr().out
    assert f"{gain:+.2f} dB" in out and "lanczos" in out
    assert status == int(gain < 0.5) and ("missed" in out) == bool(status)
    assert zoom.main(["--data", str(tmp_path / "none")]) == 2
    assert zoom.main(["--data", str(tmp_path), "--model", "m", "m"]) == 2
    assert "named twice" in capsys.readouterr().err


def test_models_in_folders_of_one_name_are_all_measured(photos, tmp_path, capsys, monkeypatch, tiny_pipe):
    Image.fromarray(photos[0]).save(tmp_path / "p.png")
    monkeypatch.setattr(zoom.InpaintPipeline, "from_pretrained", lambda model, device: tiny_pipe)
    zoom.main(["--data", str(tmp_path), "--scales", "2", "--model", "a/model", "b/model"])
    out = capsys.readouterr().out
    assert "a/model" in out and "b/model" in out
