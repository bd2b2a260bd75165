import pytest
import torch
from torch import nn

from sair_core.training.average import Average


class Model(nn.Module):
    """A layer that is trained, a counter, and a frozen layer that is no part of the model's own state."""

    def __init__(self, value):
        super().__init__()
        self.layer, self.frozen = nn.Linear(2, 1), nn.Linear(2, 1)
        self.register_buffer("count", torch.tensor(3))
        for p in self.parameters():
            nn.init.constant_(p, value)

    def own_state(self):
        return {k: v for k, v in self.state_dict().items() if not k.startswith("frozen")}


def test_it_follows_the_models_own_state_faster_at_first():
    average = Average(Model(0.0), decay=0.99)
    assert average.state.keys() == {"layer.weight", "layer.bias", "count"}
    expected = 0.0
    for step, decay in ((0, 1 / 10), (1, 2 / 11), (10_000, 0.99)):
        average.update(Model(1.0), step)
        expected = decay * expected + 1 - decay
        torch.testing.assert_close(average.state["layer.weight"], torch.full((1, 2), expected))
    assert average.state["count"] == 3


def test_a_checkpoint_of_a_part_has_half_precision_and_its_own_names():
    half = Average(Model(0.5), decay=0.9).to_half("layer.")
    assert half.keys() == {"weight", "bias"} and half["weight"].dtype == torch.float16
    assert Average(Model(0.5), decay=0.9).to_half()["count"].dtype == torch.int64


def test_a_model_gets_its_own_weights_back_also_after_an_error():
    model, average = Model(1.0), Average(Model(0.0), decay=0.9)
    with pytest.raises(RuntimeError, match="in between"), average.swap_into(model):
        assert not model.layer.weight.any() and (model.frozen.weight == 1).all()
        raise RuntimeError("in between")
    assert (model.layer.weight == 1).all()
