"""Batch norms of a trained network as part of the convolutions before them."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

# Networks whose modules stand in the order in which they are called; of others that cannot be known.
IN_ORDER = ("EfficientNet", "ModifiedResNet", "ResNet")


def fold_batch_norms(network: nn.Module) -> int:
    """Put batch norms that follow a convolution into its weights, in place; return how many.

    The same function in evaluation mode, up to rounding, in fewer passes over memory. Only parts of kinds in
    IN_ORDER are changed; a timm norm leaves its activation behind.
    """
    return sum(_fold_children(part) for part in network.modules() if type(part).__name__ in IN_ORDER)


def _fold_children(module: nn.Module) -> int:
    count = 0
    children = list(module.named_children())
    for (_, conv), (name, norm) in zip(children, children[1:]):
        if not (isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)):
            continue
        if conv.out_channels != norm.num_features or norm.running_mean is None or norm.running_var is None:
            continue
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        setattr(module, name, getattr(norm, "act", nn.Identity()))
        count += 1
    return count + sum(_fold_children(child) for _, child in children)
