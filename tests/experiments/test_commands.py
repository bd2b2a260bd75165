"""The command that is shown beside a training is that training's."""

from __future__ import annotations

import shlex

import pytest

from sair_core.command_line import make_parser
from sair_core.experiments.commands import format_training
from sair_core.experiments.presets import PRESETS
from sair_core.experiments.variants import VARIANTS
from sair_core.training.options import _configuration, add_resume
from sair_core.training.tasks import TASKS


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_shown_can_be_typed(name, preset):
    variant = VARIANTS[name]
    shared = PRESETS[preset].sair if variant.kind == "sair" else PRESETS[preset].spn
    run = {"data": ("a b", "c"), "output": "runs/x", "seed": 3}
    config = variant.configure(shared, **run)
    words = shlex.split(format_training(variant.kind, {**shared, **variant.fields, **run}))
    assert words[:4] == ["sair", "train", "--model", variant.kind]
    config_class = TASKS[variant.kind].config_class
    parser = make_parser(config_class, prog="sair train", required=False)
    add_resume(parser)
    args = parser.parse_args(words[2:])
    del args.resume
    assert _configuration(config_class, args, False, "train") == config
