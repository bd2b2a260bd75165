import pytest

from sair_core.config import from_dict, to_dict
from sair_core.errors import ConfigError
from sair_core.training.config import TrainConfig


def config(**changes):
    return TrainConfig(data=("a",), output="b", **changes)


def test_round_trip_and_checks():
    assert from_dict(TrainConfig, to_dict(config(minutes=2.0))) == config(minutes=2.0)
    for changes, message in [
        ({"batch": 0}, "batch must be positive, got 0"),
        ({"hole_share": 1.5}, r"hole_share must be within \[0, 1\], got 1.5"),
        ({"schedule": "magic"}, "got 'magic'"),
        ({"minutes": -1.0}, "minutes"),
    ]:
        with pytest.raises(ConfigError, match=message):
            config(**changes)
    with pytest.raises(ConfigError, match="folder of photos"):
        TrainConfig(data=(), output="b")


def test_the_last_part_sees_larger_photos_at_the_same_cost():
    c = config(size_px=64, final_size_px=128, final_share=0.25, batch=8, queries=100)
    assert [c.phase(p) for p in (0, 0.74, 0.76, 1.0)] == [0, 0, 1, 1]
    assert c.shape(0) == (64, 8) and c.queries_of(0) == 100
    assert c.shape(1) == (128, 2) and c.queries_of(1) == 400


def test_cosine_and_step_schedules():
    cosine = config(learning_rate=1.0, warmup_steps=10)
    assert cosine.rate(0, 0.0) == pytest.approx(0.1)
    assert cosine.rate(100, 0.5) == pytest.approx(0.5)
    assert cosine.rate(100, 1.0) == pytest.approx(0.0)
    step = config(learning_rate=1.0, warmup_steps=1, schedule="step", halve_every=0.5)
    assert [step.rate(100, p) for p in (0.0, 0.49, 0.5, 0.99)] == [1.0, 1.0, 0.5, 0.5]
