"""`benchmarks/ablation.py`: variants trained and measured alike, each once."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import ablation
from sair_core.models.load import load_model


@pytest.fixture
def ablate(photo_folder, tmp_path):
    val = tmp_path / "val"
    val.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(val / "photo.png")

    def run(*more: str, steps: int = 2) -> int:
        return ablation.main(
            ["--data", str(photo_folder), "--val", str(val), "--output", str(tmp_path / "runs"),
             "--preset", "tiny", "--size", "32", "--batch", "2", "--steps", str(steps), "--device", "cpu",
             "--json", str(tmp_path / "figures.json"), *more]
        )  # fmt: skip

    return run


def test_every_seed_and_variant_is_trained_once_and_measured(ablate, tmp_path, capsys):
    assert ablate("--variants", "none", "local-none", "--seeds", "0", "1") == 0
    found = json.loads((tmp_path / "figures.json").read_text("utf-8"))["figures"]
    assert list(found) == ["none", "local-none"] and all(len(runs) == 2 for runs in found.values())
    assert set(found["none"][0]["20-40"]) == set(ablation.FIGURES)
    assert found["none"][0] != found["none"][1]
    runs = tmp_path / "runs"
    encoders = {name: load_model(runs / f"{name}-0" / "model").config.appearance.name for name in found}
    assert encoders == {"none": "unet", "local-none": "edsr"}
    assert "±" in capsys.readouterr().out

    weights = runs / "none-0" / "model" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert ablate("--variants", "none", "--seeds", "0") == 0
    assert weights.stat().st_mtime_ns == before


def test_runs_of_other_settings_are_not_compared(ablate, capsys):
    assert ablate("--variants", "none", "--seeds", "0") == 0
    assert ablate("--variants", "none", "--seeds", "0", steps=3) == 2
    assert "other settings" in capsys.readouterr().err
