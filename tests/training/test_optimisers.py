import torch
from torch import nn

from sair_core.training.optimisers import Learner, adam, adamw


def test_kernels_decay_and_biases_norms_and_frozen_layers_do_not():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2).requires_grad_(False))
    decaying, others = adamw(model, 1e-3, weight_decay=0.1).param_groups
    assert decaying["weight_decay"] == 0.1 and others["weight_decay"] == 0
    assert [id(p) for p in decaying["params"]] == [id(model[0].weight)]
    assert [id(p) for p in others["params"]] == [id(p) for p in (model[0].bias, *model[1].parameters())]


def test_the_rate_of_every_group_is_set():
    model = nn.Linear(2, 2)
    learner = Learner(model, adamw(model, 1e-3, weight_decay=0.1))
    learner.set_rate(0.25)
    assert [group["lr"] for group in learner.optimiser.param_groups] == [0.25, 0.25]


def test_adam_steps_by_its_rate():
    model = nn.Linear(3, 1)
    before = model.weight.detach().clone()
    optimiser = adam(model, 0.01, (0.0, 0.9))
    model(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    torch.testing.assert_close(before - model.weight.detach(), torch.full((1, 3), 0.01), rtol=1e-4, atol=0)
