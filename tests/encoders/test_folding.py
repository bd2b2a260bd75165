"""Folded batch norms: the same function with fewer of them."""

import pytest
import timm
import torch
from torch import nn

from sair_core.encoders.folding import fold_batch_norms
from sair_core.encoders.semantic import BUNDLED_CONFIG, build_semantic_encoder


def count_norms(network: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())


def with_statistics(network: nn.Module) -> nn.Module:
    """Batch norms of a new network change nothing: give them something to do."""
    draw = torch.Generator().manual_seed(0)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            for values in (part.weight.data, part.bias.data, part.running_mean, part.running_var):
                values.copy_(torch.rand(values.shape, generator=draw) + 0.5)
    return network.eval()


@pytest.mark.parametrize(
    "name, left",  # the first norm of resnet18d follows a convolution that is in another part
    [("resnet18", 0), ("resnet18d", 1), ("tf_efficientnet_lite0", 0), ("mobilenetv3_small_050", None)],
)
@torch.no_grad()
def test_a_network_says_what_it_said(name, left):
    network = with_statistics(timm.create_model(name, pretrained=False))
    photo = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    before, norms = network(photo), count_norms(network)
    folded = fold_batch_norms(network)
    assert count_norms(network) == norms - folded
    assert norms - folded == (norms if left is None else left)
    torch.testing.assert_close(network(photo), before, rtol=1e-3, atol=1e-3 * float(before.std()))


def test_the_bundled_encoder_is_folded_unless_it_is_trained():
    frozen, trained = (
        build_semantic_encoder(BUNDLED_CONFIG),
        build_semantic_encoder(type(BUNDLED_CONFIG)(BUNDLED_CONFIG.name, trainable=True)),
    )
    assert count_norms(frozen.visual) <= 1 < count_norms(trained.visual)
