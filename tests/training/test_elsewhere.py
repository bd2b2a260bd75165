"""Trainings on a device that needs no hardware (`tests.elsewhere`): nothing is left on the processor."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from sair_core.models import presets
from sair_core.models.detail import DetailConfig
from sair_core.models.load import load_model
from sair_core.models.parts import Part
from sair_core.training.config import DetailTrainConfig, SpnTrainConfig
from sair_core.training.loop import train


def trained(config):
    """The weights of a short training, from its checkpoint."""
    return load_model(train(config, show_progress=False)).state_dict()


@pytest.fixture
def spn_run(photo_folder, tmp_path):
    def make(**changes):
        fields = dict(
            data=(str(photo_folder),), output=str(tmp_path / "run"), preset="tiny", device="cpu", bf16=False,
            size_px=32, final_size_px=48, final_share=0.25, batch=2, steps=2, workers=0, validate_every=2,
            save_every=2, val_share=0.3,
        )  # fmt: skip
        return SpnTrainConfig(**{**fields, **changes})

    return make


def test_a_sair_is_trained_elsewhere(tiny_run, elsewhere, monkeypatch):
    monkeypatch.setitem(presets.PRESETS, "lite", presets.PRESETS["tiny"])
    assert all(torch.isfinite(value).all() for value in trained(tiny_run(steps=2)).values())


def test_a_sair_with_semantics_is_trained_elsewhere(tiny_run, elsewhere):
    assert trained(tiny_run(steps=2))


@pytest.mark.parametrize("adversary", ["patch", "projected"])
def test_an_spn_is_trained_elsewhere(spn_run, elsewhere, adversary):
    assert trained(spn_run(probabilistic=True, adversary=adversary))


def test_a_detail_head_is_trained_elsewhere(photo_folder, tmp_path, elsewhere, monkeypatch):
    small = DetailConfig(
        Part("edsr", {"out_channels": 8, "blocks": 1}), Part("liif", {"hidden": 8, "layers": 3})
    )
    monkeypatch.setitem(presets.PRESETS, "lite", dataclasses.replace(presets.PRESETS["tiny"], detail=small))
    config = DetailTrainConfig(
        data=(str(photo_folder),), output=str(tmp_path / "run"), device="cpu", bf16=False, size_px=24,
        final_size_px=24, batch=2, queries=32, steps=2, warmup_steps=1, workers=0, validate_every=2,
        save_every=2, val_share=0.3,
    )  # fmt: skip
    assert trained(config)
