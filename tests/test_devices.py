import pytest
import torch

from sair_core.devices import autocast, has_bf16, pick_device
from sair_core.errors import DeviceError


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
