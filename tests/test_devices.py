import numpy as np
import pytest
import torch

from benchmarks import gpu_smoke
from sair_core.devices import autocast, has_bf16, pick_device
from sair_core.errors import DeviceError


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_cuda_computes_what_the_processor_does(tmp_path):
    for name, seconds, difference in gpu_smoke.compare("cuda", tmp_path):
        assert seconds > 0 and difference.mean() <= gpu_smoke.MEAN_BAR, name
        assert np.quantile(difference, 0.999) <= gpu_smoke.MOST_BAR, name


def test_the_smoke_test_ends_where_there_is_no_such_device(capsys):
    assert gpu_smoke.main(["--device", "cuda:99"]) == 2
    assert "no device" in capsys.readouterr().err


def test_auto_takes_the_best_there_is():
    device = pick_device("auto")
    assert device.type == (
        "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    )
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda:99", "toaster", "meta"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(DeviceError, match="auto"):
        pick_device(name)


def test_autocast_follows_the_hardware_and_the_switch():
    device = torch.device("cpu")
    a = torch.ones(4, 4)
    with autocast(device, enabled=False):
        assert (a @ a).dtype == torch.float32
    with autocast(device):
        assert (a @ a).dtype == (torch.bfloat16 if has_bf16(device) else torch.float32)
