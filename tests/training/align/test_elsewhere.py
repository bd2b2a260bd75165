"""The text-aligned encoder is trained on a device that needs no hardware (`tests.elsewhere`)."""

from __future__ import annotations

import torch
from safetensors.torch import load_file

from sair_core.training.align.task import WEIGHTS_FILE, AlignTask
from sair_core.training.loop import train_task


def require_a_model(config):
    """Train, and check that the weights are numbers that came back from the device."""
    weights = load_file(train_task(AlignTask, config, show_progress=False) / WEIGHTS_FILE)
    assert weights and all(torch.isfinite(value).all() for value in weights.values())


def test_an_encoder_is_trained_elsewhere(tiny_align, elsewhere):
    require_a_model(tiny_align(steps=2))


def test_an_encoder_learns_from_a_classifier_elsewhere(tiny_imagenet, pretrained, elsewhere):
    require_a_model(tiny_imagenet(steps=1))
